/** The order of samples in an epoch: a permutation drawn from the seed and the epoch alone, so that a resumed run sees the same batches. */
import { createRandom, STREAMS } from './random.ts';

/** Shuffles `items` in place (Fisher and Yates, Durstenfeld's form) with the numbers of `stream` at `step`. */
export function shuffleInPlace(items: Int32Array, seed: number, stream: number, step: number): void {
  const random = createRandom(seed, stream, step);
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
