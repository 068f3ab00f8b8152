/** A sequence of Philox numbers for host code: the generator of the engine's kernels, read one after another. */
import { philoxBlock } from '../util/philox.ts';

export interface Random {
  /** The next u32. */
  word(): number;
  /** The next number in [0, 1), with 32 bits. */
  unit(): number;
  /** The next number in [low, high). */
  between(low: number, high: number): number;
  /** The next whole number in [0, n), without modulo bias (Lemire, arXiv:1805.10941, by rejection). */
  below(n: number): number;
}

/** What host code draws from: one stream number a purpose, far above the small numbers that call sites of a program count from 0. */
export const STREAMS = {
  digits: 0xd0000001,
  points: 0xd0000002,
  split: 0xd0000003,
  shuffle: 0xd0000004,
  sequences: 0xd0000005,
  balance: 0xd0000010,
  generate: 0xd0000011,
} as const;

/** Words 0, 1, 2 … of the stream at `step`, so that draws of different steps (samples, epochs) are independent of each other. */
export function createRandom(seed: number, stream: number, step: number): Random {
  const block = new Uint32Array(4);
  let index = 0;
  const word = (): number => {
    if (index % 4 === 0) {
      block.set([index / 4, step, 0, 0]);
      philoxBlock(block, seed, stream);
    }
    return block[index++ % 4]!;
  };
  const unit = (): number => word() / 2 ** 32;
  return {
    word,
    unit,
    between: (low, high) => low + (high - low) * unit(),
    below(n) {
      const fair = 2 ** 32 - (2 ** 32 % n);
      let drawn = word();
      while (drawn >= fair) drawn = word();
      return drawn % n;
    },
  };
}
