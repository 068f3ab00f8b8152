/** Messages on the engine's socket: one JSON value a line, both ways. A client may attach and leave at any time. */
import type { RunEvent } from '../train/events.ts';

/** `info.json` in the run folder, written by the engine when it listens. */
export interface RunInfo {
  readonly protocol: typeof PROTOCOL_VERSION;
  readonly pid: number;
  /** Path of the Unix socket or name of the Windows pipe. */
  readonly socket: string;
  readonly started: number;
}

export const PROTOCOL_VERSION = 1;

export type ClientMessage =
  /** Answered by `attached`; events after `line` of metrics.jsonl follow, so a client reads the file up to there first. */
  | { readonly type: 'attach' }
  | { readonly type: 'pause' }
  | { readonly type: 'continue' }
  | { readonly type: 'stop' }
  | { readonly type: 'checkpoint' };

export type EngineMessage =
  | {
      readonly type: 'attached';
      readonly protocol: number;
      readonly line: number;
      readonly state: RunEvent & { readonly type: 'state' };
    }
  /** At most 20 a second; holds all events since the last one, in order. */
  | { readonly type: 'events'; readonly events: readonly RunEvent[] }
  | { readonly type: 'refused'; readonly code: string; readonly message: string };
