/** The Program: everything the engine needs to train, as plain data. `server/lang` writes it, the run folder keeps it, the engine compiles it. */
import type { DType, Graph } from './graph.ts';

export const PROGRAM_VERSION = 1;

export interface Program {
  readonly version: typeof PROGRAM_VERSION;
  /** Name of the `train` block. */
  readonly name: string;
  readonly data: DataPlan;
  readonly parameters: readonly ParameterSpec[];
  /**
   * Inputs: the data set's fields, batched, `[B, ...]` with symbolic `B` (as `input` nodes), parameters (as `state` nodes named as in `parameters`),
   * and the i32 scalars `seed` and `step` where random numbers are drawn. Outputs: one `result` a loss (`loss`, or `loss_1`, `loss_2` … when there are several
   * objectives) and a report (`accuracy`), all f32 scalars that are means over the batch; of a report with `finish`, f32 [K].
   */
  readonly train: Graph;
  /** The same with dropout off and running statistics used. */
  readonly evaluate: Graph;
  /** What the weights are for: the values that `views` and `predictions` name, computed as in `evaluate` from the same inputs. */
  readonly infer?: Graph;
  readonly views?: readonly View[];
  readonly predictions?: readonly Prediction[];
  readonly objectives: readonly Objective[];
  readonly reports: readonly Report[];
  readonly run: RunPlan;
  /** Of a sweep: the hyperparameters of this one. */
  readonly choice?: Choice;
}

/** A value that people look at while the model trains. */
export interface View {
  /** As people know it; unique among the views. */
  readonly name: string;
  /** Output of `infer`; all but the scores that `generate` reads hold an item in each row, [items, ...]. */
  readonly output: string;
  readonly as: ViewFormat;
}

/**
 * How an item is shown. `image`: planes [C, H, W] or pixels [H, W, C] of 1 or 3 channels, flat or not. `audio`: one channel. `text`: tokens of a
 * column of the data. `numbers`: the numbers. `generate`: text that is drawn token by token.
 */
export type ViewFormat =
  | { readonly kind: 'numbers' }
  | {
      readonly kind: 'image';
      readonly channels: 1 | 3;
      readonly height: number;
      readonly width: number;
      readonly order: 'planes' | 'pixels';
    }
  | { readonly kind: 'audio'; readonly rate: number }
  | { readonly kind: 'text'; readonly column: string }
  | ({ readonly kind: 'generate' } & Drawing);

/** How text is drawn: the least parts of a sampler. */
export interface Drawing {
  readonly prompt: string;
  /** Tokens that follow the prompt. */
  readonly tokens: number;
  /** Divides the scores; 0 always takes the likeliest. */
  readonly temperature: number;
  /** Only the k likeliest; all where it is left out. */
  readonly topK?: number;
}

/** What a loss compares with a field: what the model says of that field. */
export interface Prediction {
  /** Output of `infer`. */
  readonly output: string;
  /** Name of the field. */
  readonly target: string;
  readonly as: Reading;
}

/**
 * What the numbers say: `scores` of classes, softmax makes probabilities of them; `logs` of the probabilities of classes; `odds`, a logit, sigmoid
 * makes a probability of it; a `probability`; the log of a `count`; the `value` of the field itself.
 */
export type Reading = 'scores' | 'logs' | 'odds' | 'probability' | 'count' | 'value';

/** Swept hyperparameters by name. */
export type Choice = Readonly<Record<string, number>>;

export interface ParameterSpec {
  /** `net.fc1.weight`: the name the PyTorch module would give. */
  readonly name: string;
  readonly shape: readonly number[];
  readonly init: Init;
  /** False for running statistics and frozen weights. */
  readonly trainable: boolean;
}

/**
 * `uniform`: in [-bound, bound). `normal`: mean 0. Drawn by Philox from the run's seed and the parameter's index.
 * `fitted`: the numbers of the data plan's fit of that name.
 */
export type Init =
  | { readonly kind: 'fitted'; readonly fit: string }
  | { readonly kind: 'constant'; readonly value: number }
  | { readonly kind: 'uniform'; readonly bound: number }
  | { readonly kind: 'normal'; readonly std: number };

/** A call of a registry function with hyperparameters alone: an optimiser, a schedule, a data source. */
export interface Call {
  readonly name: string;
  readonly args: Readonly<Record<string, CallArgument>>;
}
export type CallArgument = number | string | boolean | Call | readonly number[] | readonly string[];

export interface Objective {
  /** Name of the output of `train` to minimise. */
  readonly loss: string;
  /** Names of the parameters it updates. */
  readonly over: readonly string[];
  /** `{ name: 'adam', args: { lr: { name: 'step_decay', args: {…} } } }` with every default filled in. */
  readonly optimizer: Call;
}

export interface Report {
  /** Name of the output in `train` and `evaluate`. */
  readonly name: string;
  /** Which way is better, for early stopping and the best checkpoint. */
  readonly better: 'lower' | 'higher';
  /**
   * From the input `means` f32 [] or [K], the output of the graphs averaged over samples, to `value`: the f32 scalar that is reported; and
   * where there is one to `table` f32 [rows, columns], which is shown beside it.
   */
  readonly finish?: Graph;
  /** The field of the data whose classes the rows and columns of the table are. */
  readonly classesOf?: string;
}

export interface DataPlan {
  /** Name of the `data` block. */
  readonly name: string;
  readonly source: Call;
  /** A source of its own for the test split. */
  readonly test?: Call;
  /** Fraction (below 1) or count of samples held out of `source`, seeded, stratified by the label field where there is one. */
  readonly split: { readonly validation?: number; readonly test?: number };
  readonly batch: number;
  readonly shuffle: boolean;
  /** Draws the samples of an epoch so that all classes of this index field come equally often. */
  readonly balance?: string;
  /** Columns as the source yields them, per sample. */
  readonly columns: readonly ColumnSchema[];
  /**
   * Transforms over a batch of samples, run once, ahead of training. `input` nodes are columns `[B, ...]`, fitted numbers without a `B` under
   * the names of `fits`, and the i32 scalars `seed` and `step` where something is drawn once a sample. `result` outputs are the fields, and
   * for each of `fits` the values it is learnt from.
   */
  readonly prepare: Graph;
  /** What is learnt from the training split before the transforms can run, in order of dependence. */
  readonly fits?: readonly Fit[];
  /** Numbers of classes of the fields that are indices: their values are held to them after preparation. */
  readonly classes?: Readonly<Record<string, number>>;
  /** Random transforms of training samples, fields to fields, run inside the step. Reads the scalars `seed` and `step`. */
  readonly augment?: Graph;
}

/**
 * Numbers that a transform takes from the training samples, for all splits and every later use of the weights. They are learnt from the output
 * `name` of `prepare`, [B, groups, ...], and read as its f32 input `name`, [groups, ...statisticShape].
 */
export interface Fit {
  /** `features.standardize_1.moments`. */
  readonly name: string;
  readonly statistic: Statistic;
}

/** Of each group; NaN, and -1 among classes, is no value. */
export type Statistic =
  | { readonly kind: 'mean' }
  | { readonly kind: 'median' }
  /** Mean and biased standard deviation. */
  | { readonly kind: 'moments' }
  /** The `count - 1` edges between `count` equally full parts. */
  | { readonly kind: 'quantiles'; readonly count: number }
  /** The most frequent class. */
  | { readonly kind: 'mode'; readonly classes: number }
  /** A weight a class, samples / (classes with samples * samples of the class): all classes weigh the same together. 1 for one without samples. */
  | { readonly kind: 'balance'; readonly classes: number };

/** Shape of what one group gives. */
export function statisticShape(statistic: Statistic): readonly number[] {
  switch (statistic.kind) {
    case 'mean':
    case 'median':
    case 'mode':
      return [];
    case 'moments':
      return [2];
    case 'quantiles':
      return [statistic.count - 1];
    case 'balance':
      return [statistic.classes];
  }
}

export interface ColumnSchema {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** Number of classes for `index(n)` columns; values are checked against it when data is read. */
  readonly classes?: number;
  /** Names of the classes or categories, where the source has them. */
  readonly classNames?: readonly string[];
  /** Of audio: samples a second. */
  readonly rate?: number;
}

/** `over`: prefix of parameter names, `net.encoder`. `from`: path of a safetensors file. */
export interface InitFrom {
  readonly over: string;
  readonly from: string;
}

export interface RunPlan {
  /** Exactly one of the two. */
  readonly epochs?: number;
  readonly steps?: number;
  readonly seed: number;
  readonly device: 'auto' | 'webgpu' | 'cpu';
  readonly stop?: { readonly monitor: string; readonly patience: number; readonly minDelta: number };
  /** Largest global norm of the gradients. */
  readonly clip?: number;
  /** Largest absolute value of an element of a gradient, which is cut off before the norm is taken. */
  readonly clipValue?: number;
  /** Batches whose mean gradient makes one update; 1 by default. */
  readonly accumulate?: number;
  /** `mixed`: what a training step keeps is f16 where torch.autocast has it so, under a dynamic loss scale; all f32 by default. */
  readonly precision?: 'mixed';
  /** Decay of the moving average of the weights that evaluation uses. */
  readonly average?: number;
  /** Checkpoints kept beside the last and the best: one every `every` epochs, the newest `keep` of them. */
  readonly checkpoint?: { readonly every: number; readonly keep?: number };
  /** Weights under the prefix `over` start as those of a safetensors file. */
  readonly init?: readonly InitFrom[];
}
