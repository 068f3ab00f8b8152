/** The order of samples in an epoch: a permutation drawn from the seed and the epoch alone, so that a resumed run sees the same batches. */
import { createRandom, type Random, STREAMS } from './random.ts';

/** Shuffles `items` in place with the numbers of `stream` at `step`. */
export function shuffleInPlace(items: Int32Array, seed: number, stream: number, step: number): void {
  shuffleWith(items, createRandom(seed, stream, step));
}

/** Fisher and Yates, in Durstenfeld's form. */
function shuffleWith(items: Int32Array, random: Random): void {
  for (let i = items.length - 1; i > 0; i--) {
    const j = random.below(i + 1);
    const item = items[i]!;
    items[i] = items[j]!;
    items[j] = item;
  }
}

/** Writes the order of epoch `epoch` (from 0) into `order`: a permutation of `samples`, or `samples` as they are without shuffling. */
export function epochOrder(
  order: Int32Array,
  samples: Int32Array,
  seed: number,
  epoch: number,
  shuffle: boolean,
): void {
  order.set(samples);
  if (shuffle) shuffleInPlace(order.subarray(0, samples.length), seed, STREAMS.shuffle, epoch);
}

/** The samples of each class that has some, in order of the classes. */
export function samplesByClass(labels: ArrayLike<number>): readonly Int32Array[] {
  const found = new Map<number, number[]>();
  for (let sample = 0; sample < labels.length; sample++) {
    const label = labels[sample]!;
    const known = found.get(label);
    if (known) known.push(sample);
    else found.set(label, [sample]);
  }
  return [...found].sort(([a], [b]) => a - b).map(([, samples]) => Int32Array.from(samples));
}

/**
 * Writes an order in which all classes come equally often (to within one sample) into `order`. Within a class every sample comes equally often
 * too, to within one: those of a rare class repeat, of a frequent one a part is drawn, another one each epoch.
 */
export function balancedOrder(order: Int32Array, classes: readonly Int32Array[], seed: number, epoch: number): void {
  const random = createRandom(seed, STREAMS.balance, epoch);
  const ranks = Int32Array.from(classes.keys());
  // Who gets the samples that don't divide.
  shuffleWith(ranks, random);
  let at = 0;
  for (const [turn, rank] of ranks.entries()) {
    const samples = Int32Array.from(classes[rank]!);
    const end = at + Math.floor((order.length + turn) / classes.length);
    while (at < end) {
      shuffleWith(samples, random);
      const part = samples.subarray(0, end - at);
      order.set(part, at);
      at += part.length;
    }
  }
  shuffleWith(order, random);
}
