/** The registry of library functions: one namespace a place of the language, since `flatten` of a sample is not `flatten` of a batch. */
import { activations } from './activations.ts';
import { attentionLayers } from './attention.ts';
import { audioTransforms } from './audioTransforms.ts';
import { convolutionLayers } from './convolution.ts';
import { filledTensors } from './filled.ts';
import { fittedTransforms } from './fittedTransforms.ts';
import type {
  LibraryFunction,
  MetricFunction,
  OptimizerFunction,
  ScheduleFunction,
  SourceFunction,
  TensorFunction,
  TransformFunction,
} from './function.ts';
import { imageTransforms } from './imageTransforms.ts';
import { indexingFunctions } from './indexing.ts';
import { layers } from './layers.ts';
import { losses } from './losses.ts';
import { marginLosses } from './marginLosses.ts';
import { metrics } from './metrics.ts';
import { normalizationLayers } from './normalization.ts';
import { notationFunctions } from './notation.ts';
import { optimizers } from './optimizers.ts';
import { pointwiseFunctions } from './pointwise.ts';
import { poolingFunctions } from './pooling.ts';
import { randomFunctions } from './random.ts';
import { recurrentLayers } from './recurrent.ts';
import { reductions } from './reductions.ts';
import { schedules } from './schedules.ts';
import { sequenceTransforms } from './sequenceTransforms.ts';
import { shapeFunctions } from './shapes.ts';
import { sources } from './sources.ts';
import { transforms } from './transforms.ts';
import { classWeights } from './weights.ts';

/** What each place of a program may call. */
export interface Places {
  /** Expressions of models and train blocks: functions, layers, losses. */
  readonly model: TensorFunction;
  /** What `report` takes. */
  readonly metric: MetricFunction;
  /** Fields of a data block; random ones in `augment` alone. */
  readonly transform: TransformFunction;
  /** After `using`. */
  readonly optimizer: OptimizerFunction;
  /** Values of `lr`. */
  readonly schedule: ScheduleFunction;
  /** After `data Name =` and `test`. */
  readonly source: SourceFunction;
}
export type Place = keyof Places;

function byName<F extends LibraryFunction>(...families: readonly (readonly F[])[]): Readonly<Record<string, F>> {
  return Object.fromEntries(families.flat().map(f => [f.name, f]));
}

/** By place, then by name. */
export const library: { readonly [P in Place]: Readonly<Record<string, Places[P]>> } = {
  model: byName(
    activations,
    pointwiseFunctions,
    reductions,
    shapeFunctions,
    indexingFunctions,
    notationFunctions,
    randomFunctions,
    filledTensors,
    layers,
    losses,
    marginLosses,
    normalizationLayers,
    convolutionLayers,
    poolingFunctions,
    attentionLayers,
    recurrentLayers,
    classWeights,
  ),
  metric: byName(metrics),
  transform: byName(transforms, fittedTransforms, imageTransforms, audioTransforms, sequenceTransforms),
  optimizer: byName(optimizers),
  schedule: byName(schedules),
  source: byName(sources),
};

export function findFunction<P extends Place>(name: string, place: P): Places[P] | undefined {
  return Object.hasOwn(library[place], name) ? library[place][name] : undefined;
}
