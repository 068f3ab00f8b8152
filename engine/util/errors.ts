/** The engine's error kinds: a coded error for what the user can mend, never() for what only we can. */

/** One code a remedy. The code is shown as `strata(code)`, stored in `metrics.jsonl` and never reused for another meaning. */
export type EngineErrorCode =
  | 'data-missing'
  | 'data-malformed'
  | 'data-out-of-range'
  | 'data-not-finite'
  | 'data-empty'
  | 'path-outside-workspace'
  | 'split-empty'
  | 'batch-too-large'
  | 'checkpoint-malformed'
  | 'checkpoint-mismatch'
  | 'checkpoint-missing'
  | 'program-malformed'
  | 'disk-full'
  | 'run-missing'
  | 'run-busy'
  | 'socket-taken'
  | 'no-adapter'
  | 'device-lost'
  | 'out-of-memory'
  | 'not-finite'
  | 'engine-died'
  | 'unsupported';

/** The environment or the input is wrong. `message` is one lower-case sentence that names the file, the place and what to do. */
export class EngineError extends Error {
  override readonly name = 'EngineError';
  constructor(
    readonly code: EngineErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** We are wrong: a state that the types or an invariant rule out. */
export function never(what: string, value?: unknown): Error {
  return new Error(`internal error: ${what}${value === undefined ? '' : `: ${JSON.stringify(value)}`}`);
}
