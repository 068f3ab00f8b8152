/** What a library function declares: layers, activations, losses, metrics, transforms, optimisers, schedules, data sources. Macros over the primitives. */
import type { Dim } from '../../dim/dim.ts';
import type { Requirement } from '../../dim/facts.ts';
import type { TensorType } from '../../ir/graph.ts';
import type { Init, Reading, Statistic } from '../../ir/program.ts';
import type { GraphBuilder, Value } from '../builder.ts';

/**
 * The signature is text in Strata's own header syntax and is what hover, signature help and the manual show:
 * `linear(x: [..., in], out: int, bias: bool = true) -> [..., out]`,
 * `cross_entropy(logits: [..., C], target: index(C)[...]) -> []`,
 * `self_attention(x: [B, T, D], heads: int, causal: bool = false) -> [B, T, D] where D % heads == 0`.
 * The checker parses it, unifies it with the arguments and evaluates the result; names are dimension variables
 * or integer hyperparameters. Hyperparameter kinds: int, float, bool, string, path, shape (`[B, 64]`), sizes (an int, or one for
 * each axis, `[3, 5]`), padding (sizes or "same"), numbers (`[18, 65]`), schedule (a number is one), optimizer, source, and words of
 * which one is chosen (`mean | median | float`). A `?` after the name (`axis?: int`) marks a parameter, tensors included, that may be
 * left out without a default.
 */
interface Declaration {
  readonly name: string;
  readonly signature: string;
  /** One or two sentences for hover and the manual, the formula and its source included. */
  readonly doc: string;
  /** A line of Strata that uses it, type-checked by a test. */
  readonly example?: string;
  /** It may learn numbers from the training samples, see `BuildContext.fitted`. */
  readonly fitted?: true;
}

export type Argument = Value | Dim | readonly Dim[] | boolean | string | undefined;
/**
 * By name: tensors, hyperparameters with their defaults filled in, and the dimension variables that the signature binds
 * (`V` of `index(V)[B, T]`, which no tensor's shape shows). Where the tensor `x` is an index, `x.classes` is its number of classes.
 */
export type Arguments = Readonly<Record<string, Argument>>;

/** What a macro builds with. */
export interface BuildContext {
  readonly b: GraphBuilder;
  /** False in the evaluate graph: dropout is the identity, batch norm uses running statistics. */
  readonly training: boolean;
  /** A weight of the layer under construction: `weight` becomes `net.fc1.weight`. Same layer value, same weight. */
  parameter(name: string, shape: readonly Dim[], init: Init): Value;
  /** A running statistic: kept with the weights, never trained, read as `value`; what `update` is given replaces it after a training step. */
  statistic(name: string, shape: readonly Dim[], initial: number): { readonly value: Value; update(next: Value): void };
  /**
   * f32 [groups, ...]: what `statistic` says of each group of `values` [B, groups, ...] over all training samples, learnt before the first step
   * and kept with the weights. In a train block `values` must be a field of the data.
   */
  fitted(name: string, statistic: Statistic, values: Value): Value;
  /** A number that differs for each call site, for independent random draws. */
  stream(): number;
  /** f32 in [0, 1) of the given shape, from seed, step and a fresh stream. */
  uniform(shape: readonly Dim[]): Value;
}

/** The same arguments before anything is built: tensors by their types. */
export type TypeArguments = Readonly<Record<string, ResultType | Dim | readonly Dim[] | boolean | string | undefined>>;

/**
 * `classes`: the values are an index below it, as positions along an axis are; undefined: they are none, whatever the arguments are. Left out,
 * whole numbers are an index where the first tensor is.
 */
export type ResultType = TensorType & { readonly classes?: Dim | undefined };

/** What must hold of the sizes in a call; `within`: the part of the string argument `pattern` that demands it. */
export interface SizeRequirement {
  readonly requirement: Requirement;
  readonly within?: { readonly start: number; readonly end: number };
}

/** An axis that the string argument `pattern` names between `start` and `end`, and its size; several behind `...`. */
export interface PatternAxis {
  readonly start: number;
  readonly end: number;
  readonly name: string;
  readonly sizes: readonly Dim[];
}

/** A tensor function of models and train blocks; `layer` if it owns weights. */
export interface TensorFunction extends Declaration {
  readonly kind: 'function' | 'layer' | 'loss';
  /** For results that a signature can't say (concat, reshape), several where there are several (chunk). Throws ShapeError. */
  readonly type?: (args: TypeArguments) => ResultType | readonly ResultType[];
  /** What `type` takes for granted of symbolic sizes, and `where` can't say: `H >= 3`. Discharged at the call or floated to its callers. */
  readonly requires?: (args: TypeArguments) => readonly SizeRequirement[];
  /** How many values a statistic that training takes of a batch is over: one alone has no spread. */
  readonly spread?: (args: TypeArguments) => Dim;
  /** Variables of the signature whose sizes must be known before training, since weights or loops depend on them: no batch may stand there. */
  readonly fixed?: readonly string[];
  /** What the names in the string argument `pattern` stand for. Throws ShapeError. */
  readonly axes?: (args: TypeArguments) => readonly PatternAxis[];
  /** Named arguments beyond the signature are sizes: the `h: 4` of rearrange. */
  readonly sizes?: true;
  /** Of a loss: what its first argument says of `target`; `value`, the same thing, where it is left out. */
  readonly reads?: (args: Arguments) => Reading;
  /** Several results where `type` or the signature has several: `values, places = x |> top_k(3)`. */
  readonly build: (context: BuildContext, args: Arguments) => Value | readonly Value[];
}

/**
 * A number for each step and each split. `build` gives means over the batch, f32 [] or [K], whose count-weighted means over batches are
 * those of the split; `finish` makes the metric of them, so that it is that of all samples at once and no mean of ratios.
 */
export interface MetricFunction extends Declaration {
  readonly kind: 'metric';
  readonly better: 'lower' | 'higher';
  readonly build: (context: BuildContext, args: Arguments) => Value;
  /** f32 [] of the means, which are given back where they are the metric already. */
  readonly finish?: (b: GraphBuilder, means: Value, args: Arguments) => Value;
  /** What people look at beside the number, f32 [rows, columns] of the means: rows by target, columns by prediction, shares of all samples. */
  readonly table?: (b: GraphBuilder, means: Value, args: Arguments) => Value;
}

/** A transform of a data field. Its signature speaks of one sample; `build` gets and returns a batch of them, `[B, ...sample]`. */
export interface TransformFunction extends Declaration {
  readonly kind: 'transform';
  /** Random ones are allowed inside `augment` alone, where they are drawn anew in every step. */
  readonly random: boolean;
  /** A random one that may also stand among the fields, drawn once a sample: it makes the task, and is there in validation too. */
  readonly once?: true;
  readonly type?: TensorFunction['type'];
  /** Several results where the signature has several. */
  readonly build: (context: BuildContext, args: Arguments) => Value | readonly Value[];
}

export type Settings = Readonly<Record<string, number | boolean | readonly number[]>>;

/** Where a parameter lies in its flat buffer: row-major from `offset`. */
export interface Extent {
  readonly shape: readonly number[];
  readonly offset: number;
  readonly length: number;
}

/** An optimiser over one flat buffer: parameters `p`, gradients `g` and its own state, all f32 [P]; `lr` and `step` (f32, from 1) are scalars. */
export interface OptimizerFunction extends Declaration {
  readonly kind: 'optimizer';
  /** Names of the flat state buffers, zero at the start: `['m', 'v']`. May depend on the hyperparameters. */
  readonly state: (args: Settings) => readonly string[];
  /**
   * The hyperparameters for a parameter of this shape. Parameters whose hyperparameters differ lie in buffers of their own and are
   * updated apart, as PyTorch's parameter groups.
   */
  readonly apart?: (shape: readonly number[], args: Settings) => Settings;
  readonly update: (
    b: GraphBuilder,
    values: {
      readonly p: Value;
      readonly g: Value;
      readonly lr: Value;
      readonly step: Value;
      readonly state: Readonly<Record<string, Value>>;
      /** The parameters in the buffer, end to end. */
      readonly places: readonly Extent[];
    },
    args: Settings,
  ) => { readonly p: Value; readonly state: Readonly<Record<string, Value>> };
}

/**
 * A value of `lr`, computed on the device. `step` and `epoch` are f32 scalars counted from 0; `total` is the planned number of steps;
 * `factor` is an f32 scalar that the host sets between epochs for schedules that are `observed`, 1 at the start.
 */
export interface ScheduleFunction extends Declaration {
  readonly kind: 'schedule';
  /** It follows a metric of the epochs, its `monitor`. */
  readonly observed?: true;
  readonly value: (
    b: GraphBuilder,
    at: {
      readonly step: Value;
      readonly epoch: Value;
      readonly total: number;
      readonly base: Value;
      readonly factor: Value;
    },
    args: Settings,
  ) => Value;
}

/** A data source's face; `engine/data` holds the reader of the same name. */
export interface SourceFunction extends Declaration {
  readonly kind: 'source';
}

export type LibraryFunction =
  | TensorFunction
  | MetricFunction
  | TransformFunction
  | OptimizerFunction
  | ScheduleFunction
  | SourceFunction;
