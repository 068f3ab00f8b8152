/** Strata's own messages on the language server's connection, beside LSP. Shared with the client; types and names alone. */
import type { Location, Position, Range } from 'vscode-languageserver';
import type { RunEvent } from '../../engine/train/events.ts';
import type { LayerNode } from '../ide/modelOutline.ts';
import type { Emission } from '../inspect/emit.ts';
import type { RunHistory, RunSummary } from '../runs/runs.ts';

/** `workspace/executeCommand`, offered to any client. Each takes one argument object and answers a RunSummary (`fetch`: a FetchResult), or rejects with a message for people. */
export const serverCommands = {
  fetch: 'strata.fetch',
  train: 'strata.train',
  resume: 'strata.resume',
  pause: 'strata.pause',
  continue: 'strata.continue',
  stop: 'strata.stop',
} as const;

/** Downloads what the data of a file is missing; a checksum that an address lacks is written behind it. */
export interface FetchArguments {
  readonly uri: string;
}
export interface FetchResult {
  readonly files: readonly { readonly url: string; readonly bytes: number; readonly sha256: string }[];
}

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

/** Client to server: what Strata makes of a file, as text. Rejects for a file that can't be read. */
export const inspectRequest = 'strata/inspect';
export interface InspectParams {
  readonly uri: string;
  readonly what: Emission;
  /** Name of the train block; else the one at `position`, else the first. */
  readonly train?: string;
  readonly position?: Position;
}
export interface InspectResult {
  /** The block that is shown; absent where the file has none, or for `shapes`. */
  readonly train?: string;
  readonly text: string;
}

/** Client to server: the layers of each train block without errors, as a tree. Params: `{uri}`. */
export const outlineRequest = 'strata/outline';
export interface OutlineParams {
  readonly uri: string;
}
export type OutlineLayer = LayerNode<Location>;
export interface OutlineBlock {
  readonly train: string;
  readonly range: Range;
  readonly weights: number;
  readonly flops: number;
  readonly layers: readonly OutlineLayer[];
  /** Why there are no layers. */
  readonly problem?: string;
}
export type OutlineResult = readonly OutlineBlock[];

/** Client to server: texts of sources that the server can't read itself (virtual workspaces, a browser); without `text` they are gone. */
export const filesNotification = 'strata/files';
export interface FilesParams {
  readonly files: readonly { readonly uri: string; readonly text?: string }[];
}

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
  /** The client shows live runs by itself: no `$/progress` for them. */
  readonly showsRuns?: boolean;
}
