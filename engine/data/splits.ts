/** Seeded splits into training, validation and test samples, stratified by a label column where there is one. */
import type { DataPlan } from '../ir/program.ts';
import { EngineError } from '../util/errors.ts';
import { createRandom, type Random, STREAMS } from './random.ts';
import type { DataColumn, DataSet } from './schema.ts';
import { shuffleInPlace } from './shuffle.ts';

/** Indices of samples, ascending within each part. */
export interface Split {
  readonly train: Int32Array;
  readonly validation: Int32Array;
  readonly test: Int32Array;
}

/**
 * Divides `samples` as the plan says; fractions are rounded to whole samples. With `labels`, every part gets its share of each class
 * (to within one sample). Throws `split-empty` where a part would have no samples.
 */
export function splitSamples(
  samples: number,
  plan: DataPlan['split'],
  seed: number,
  labels?: ArrayLike<number>,
): Split {
  const validation = partSize('validation', plan.validation, samples);
  const test = partSize('test', plan.test, samples);
  if (samples - validation - test < 1) {
    throw new EngineError(
      'split-empty',
      `expected samples left to train on, found ${validation} for validation and ${test} for testing out of ${samples}; lower the splits`,
    );
  }
  const order = labels ? interleavedByClass(samples, labels, seed) : shuffled(samples, seed);
  return {
    validation: order.slice(0, validation).sort(),
    test: order.slice(validation, validation + test).sort(),
    train: order.slice(validation + test).sort(),
  };
}

/** The column that splits are stratified by, if it holds classes: the source's target, else what samples are balanced by, else `label`. */
export function labelColumnOf(set: DataSet, balance?: string): DataColumn | undefined {
  const column = set.columns.find(each => each.name === (set.target ?? balance ?? 'label'));
  return column?.classes !== undefined && column.shape.length === 0 ? column : undefined;
}

function partSize(name: string, wanted: number | undefined, samples: number): number {
  if (wanted === undefined || wanted === 0) return 0;
  const size = wanted < 1 ? Math.round(wanted * samples) : wanted;
  if (size >= 1 && Number.isInteger(size)) return size;
  throw new EngineError(
    'split-empty',
    `expected at least one sample in the ${name} split, found ${size} (${wanted} of ${samples}); raise the split or add data`,
  );
}

function shuffled(samples: number, seed: number): Int32Array {
  const order = Int32Array.from({ length: samples }, (_, i) => i);
  shuffleInPlace(order, seed, STREAMS.split, 0);
  return order;
}

/**
 * An order in which every prefix holds each class in proportion: the i-th of n samples of a class gets the key (i + u) / n, where u
 * is one draw a class, and samples are sorted by key. So any cut of the order is stratified.
 */
function interleavedByClass(samples: number, labels: ArrayLike<number>, seed: number): Int32Array {
  const order = shuffled(samples, seed);
  const random = createRandom(seed, STREAMS.split, 1);
  const sizes = new Map<number, number>();
  for (const sample of order) sizes.set(labels[sample]!, (sizes.get(labels[sample]!) ?? 0) + 1);
  const offsets = drawOffsets(sizes, random);
  const taken = new Map<number, number>();
  const keys = new Float64Array(samples);
  for (const sample of order) {
    const label = labels[sample]!;
    const before = taken.get(label) ?? 0;
    taken.set(label, before + 1);
    keys[sample] = (before + offsets.get(label)!) / sizes.get(label)!;
  }
  return order.sort((a, b) => keys[a]! - keys[b]! || a - b);
}

/** One draw in [0, 1) a class, in ascending order of the classes so that it doesn't depend on the order of samples. */
function drawOffsets(sizes: ReadonlyMap<number, number>, random: Random): Map<number, number> {
  return new Map([...sizes.keys()].sort((a, b) => a - b).map(label => [label, random.unit()]));
}
