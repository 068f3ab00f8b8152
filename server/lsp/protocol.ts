/** Strata's own messages on the language server's connection, beside LSP. Shared with the client; types and names alone. */
import type { RunEvent } from '../../engine/train/events.ts';
import type { RunHistory, RunSummary } from '../runs/runs.ts';

/** `workspace/executeCommand`, offered to any client. Each takes one argument object and answers a RunSummary, or rejects with a message for people. */
export const serverCommands = {
  train: 'strata.train',
  resume: 'strata.resume',
  pause: 'strata.pause',
  continue: 'strata.continue',
  stop: 'strata.stop',
} as const;

export interface TrainArguments {
  readonly uri: string;
  /** Name of the train block; the first when absent. */
  readonly train?: string;
  readonly device?: 'auto' | 'webgpu' | 'cpu';
}

/** For resume, pause, continue and stop. */
export interface RunArguments {
  /** `RunSummary.folder`. */
  readonly folder: string;
}

/** Server to client: events of a live run, at most 20 messages a second. */
export const runNotification = 'strata/run';
export interface RunNotification {
  readonly summary: RunSummary;
  readonly events: readonly RunEvent[];
}

/** Client to server: all runs of the workspace, newest first. Params: none. */
export const runsRequest = 'strata/runs';
export type RunsResult = readonly RunSummary[];

/** Client to server: the history of one run; from then on its events come as `strata/run`. Params: RunArguments. */
export const attachRequest = 'strata/attach';
export type AttachResult = RunHistory;

/** `initializationOptions` of the client. */
export interface InitializationOptions {
  /** Absolute path of the engine's entry file, for clients that ship it elsewhere than beside the server. */
  readonly engine?: string;
  /** Setting `strata.runtime`: absolute path of a Node executable. */
  readonly runtime?: string;
  /** Training is refused with this reason (untrusted workspace). Changed later by `workspace/didChangeConfiguration` {settings: {strata: …}}. */
  readonly trusted?: boolean;
  /** The client draws `$(play)` in lenses as an icon. */
  readonly icons?: boolean;
}
