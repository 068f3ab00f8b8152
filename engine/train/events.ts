/** What a run says: the lines of `metrics.jsonl`, of `strata train --json`, of the engine's socket and of the `strata/run` notification. One union for all. */

export type RunState = 'starting' | 'running' | 'paused' | 'finished' | 'stopped' | 'failed' | 'died';
export type DoneReason = 'finished' | 'stopped' | 'early-stop' | 'failed';
export type Metrics = Readonly<Record<string, number>>;
/** By report: rows by target, columns by prediction, shares of all samples. */
export type Tables = Readonly<Record<string, readonly (readonly number[])[]>>;

export type RunEvent = StartEvent | StepEvent | EpochEvent | SamplesEvent | StateEvent | CheckpointEvent | DoneEvent;

export interface StartEvent {
  readonly type: 'start';
  /** Name of the run folder. */
  readonly run: string;
  /** Name of the train block. */
  readonly name: string;
  /** Milliseconds since the epoch. */
  readonly time: number;
  readonly device: string;
  readonly backend: 'reference' | 'wasm' | 'webgpu';
  readonly seed: number;
  readonly parameters: number;
  readonly trainSamples: number;
  readonly validationSamples: number;
  readonly batch: number;
  readonly stepsPerEpoch: number;
  /** Planned total; early stopping may end sooner. */
  readonly steps: number;
  readonly epochs: number;
  /** Step the run continues from; 0 on a fresh start. */
  readonly fromStep: number;
  /** Peak bytes on the device, from the plan. */
  readonly bytes: number;
}

export interface StepEvent {
  readonly type: 'step';
  /** Steps done, counted from 1. */
  readonly step: number;
  /** From 1. */
  readonly epoch: number;
  /** Sum over the objectives; each is in `metrics` when there are several. */
  readonly loss: number;
  readonly lr: number;
  /** Reports on this batch. */
  readonly metrics: Metrics;
  /** Milliseconds since the epoch. */
  readonly time: number;
}

export interface EpochEvent {
  readonly type: 'epoch';
  readonly epoch: number;
  readonly step: number;
  /** Means over the epoch's training batches: `loss` and the reports. */
  readonly train: Metrics;
  /** Over the validation split, when there is one. */
  readonly validation?: Metrics;
  /** Seconds of this epoch, validation included. */
  readonly seconds: number;
  readonly stepsPerSecond: number;
  readonly samplesPerSecond: number;
  readonly time: number;
}

/** A value of `show` or a text of `generate` has been written for people to look at. */
export interface SamplesEvent {
  readonly type: 'samples';
  /** Of the epoch that has just ended. */
  readonly epoch: number;
  readonly step: number;
  /** Name of the value, unique in the run. */
  readonly name: string;
  readonly kind: SampleKind;
  /** How many are shown; of a text one. */
  readonly items: number;
  /**
   * Relative to the run folder. `image`: one PNG with all items in rows. `audio`: a WAV each. `text` and `numbers`: JSON, `{"items": […]}` with
   * strings, or with objects of the item's shape and its first numbers.
   */
  readonly paths: readonly string[];
  readonly time: number;
}
export type SampleKind = 'image' | 'audio' | 'text' | 'numbers';

export interface StateEvent {
  readonly type: 'state';
  readonly state: RunState;
  readonly step: number;
  readonly time: number;
}

export interface CheckpointEvent {
  readonly type: 'checkpoint';
  readonly step: number;
  /** Relative to the run folder. */
  readonly path: string;
  readonly best: boolean;
}

export interface DoneEvent {
  readonly type: 'done';
  readonly reason: DoneReason;
  readonly step: number;
  readonly epoch: number;
  readonly stepsPerSecond: number;
  readonly device: string;
  /** Relative to the run folder; absent when none was written. */
  readonly checkpoint?: string;
  /** Final: `loss`, `accuracy`, `validation.loss`, `validation.accuracy`, `test.loss`, `test.accuracy` as far as they exist. */
  readonly metrics: Metrics;
  /** Of the last validation and the test, `validation.confusion`; absent where no report has a table. */
  readonly tables?: Tables;
  /** Names of the rows and columns of tables, by report (`confusion`), where the data has names for its classes. */
  readonly classes?: Readonly<Record<string, readonly string[]>>;
  readonly error?: { readonly code: string; readonly message: string };
  readonly time: number;
}
