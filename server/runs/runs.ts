/** What the two hosts see of the runs: types of the run manager. */
import type { RunEvent, RunState } from '../../engine/train/events.ts';

/** A line of `strata runs`, an item of the runs tree. */
export interface RunSummary {
  /** Folder name, `2026-11-24T09-30-12-first`. */
  readonly id: string;
  /** Absolute path of the run folder. */
  readonly folder: string;
  /** Name of the train block. */
  readonly name: string;
  /** Source file, relative to the workspace folder. */
  readonly source: string;
  /** The hyperparameters of one run of a sweep: `rate=0.1 width=64`. */
  readonly choice?: string;
  readonly state: RunState;
  readonly step: number;
  readonly steps: number;
  readonly epoch: number;
  readonly loss?: number;
  readonly started: number;
  /** A checkpoint to resume from exists and the run is not live. */
  readonly resumable: boolean;
}

/** The whole history of a run in columns, as charts want it. Long histories keep first, last, least and greatest of each bucket. */
export interface RunHistory {
  readonly summary: RunSummary;
  /** start, state, epoch, checkpoint and done events, in order. */
  readonly events: readonly Exclude<RunEvent, { readonly type: 'step' }>[];
  readonly steps: {
    readonly step: readonly number[];
    readonly loss: readonly number[];
    readonly lr: readonly number[];
    readonly metrics: Readonly<Record<string, readonly number[]>>;
  };
}
