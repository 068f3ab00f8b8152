/** The coded error of type rules: which op, what it expected, what it found, and at which axis. */

export type ShapeErrorCode =
  | 'shape-mismatch'
  | 'rank-mismatch'
  | 'dtype-mismatch'
  | 'axis-out-of-range'
  | 'bad-attribute'
  /** The result names an axis that no input has. */
  | 'unknown-axis';

export interface ShapeProblem {
  readonly code: ShapeErrorCode;
  readonly op: string;
  /** What the op needs, as text to stand after "expects": `[..., 784, N]`, `an axis below 2`. */
  readonly expected: string;
  /** What it got: `[B, 10] and [B, 12]`. */
  readonly found: string;
  /** The axis that differs, counted from the front of the input named by `input`. */
  readonly axis?: number;
  /** Position of the offending input. */
  readonly input?: number;
  /** What differs, where it is not the whole input: the name of an axis. */
  readonly subject?: string;
  /** The part of the string argument `pattern` that is wrong, as offsets within it. */
  readonly within?: { readonly start: number; readonly end: number };
  /** Names that could have been meant. */
  readonly candidates?: readonly string[];
}

/** A type rule refused its inputs. The message is lower case, one sentence, expected before found. */
export class ShapeError extends Error {
  override readonly name = 'ShapeError';
  readonly problem: ShapeProblem;

  constructor(problem: ShapeProblem) {
    super(`${problem.op} expects ${problem.expected}, found ${problem.found}`);
    this.problem = problem;
  }

  get code(): ShapeErrorCode {
    return this.problem.code;
  }
}
