/** The `sequences` source: symbols of a made-up language in which the two symbols before decide what may follow. */
import type { Call } from '../ir/program.ts';
import { LIMITS } from './limits.ts';
import { createRandom, type Random, STREAMS } from './random.ts';
import { countArgument, type ProceduralReader, type SourceColumn } from './schema.ts';

/** Symbols that may follow a pair, and how likely each is: an ideal model has a loss of 0.80 (the entropy), one that sees a single symbol does far worse. */
const FOLLOWERS = [0.7, 0.2, 0.1] as const;

/** `sequences(samples, length, symbols, seed)`: columns `tokens` and `next`, index(symbols) [length], the second one symbol ahead of the first. */
export const sequencesReader: ProceduralReader = {
  schema(args) {
    const size = sizeOf(args);
    return { samples: size.samples, columns: columnsOf(size) };
  },
  async load(args) {
    const size = sizeOf(args);
    const { tokens, next } = draw(size, countArgument(args, 'seed', 0, 0, 2 ** 32 - 1));
    const [first, second] = columnsOf(size);
    return {
      samples: size.samples,
      columns: [
        { ...first!, data: tokens },
        { ...second!, data: next },
      ],
    };
  },
};

interface Size {
  readonly samples: number;
  readonly length: number;
  readonly symbols: number;
}

function sizeOf(args: Call['args']): Size {
  const length = countArgument(args, 'length', 32, 1, 65_536);
  const most = Math.min(LIMITS.generated, Math.floor(LIMITS.dataBytes / (8 * length)));
  return {
    samples: countArgument(args, 'samples', 2000, 1, most),
    length,
    symbols: countArgument(args, 'symbols', 16, 3, 1024),
  };
}

function columnsOf({ length, symbols }: Size): SourceColumn[] {
  const column = { dtype: 'i32', shape: [length], classes: symbols } as const;
  return [
    { name: 'tokens', ...column },
    { name: 'next', ...column },
  ];
}

/** The symbols that may follow each pair, most likely first; a language is its seed. */
function grammar(symbols: number, seed: number): Int32Array {
  const random = createRandom(seed, STREAMS.sequences, 0);
  return Int32Array.from({ length: symbols * symbols * FOLLOWERS.length }, () => random.below(symbols));
}

/** Which of the followers: an inverse of their cumulative distribution. */
function choose(random: Random): number {
  let left = random.unit();
  for (const [at, share] of FOLLOWERS.entries()) {
    left -= share;
    if (left < 0) return at;
  }
  return FOLLOWERS.length - 1;
}

function draw({ samples, length, symbols }: Size, seed: number): { tokens: Int32Array; next: Int32Array } {
  const table = grammar(symbols, seed);
  const [tokens, next] = [new Int32Array(samples * length), new Int32Array(samples * length)];
  for (let i = 0; i < samples; i++) {
    const random = createRandom(seed, STREAMS.sequences, i + 1);
    let [before, now] = [random.below(symbols), random.below(symbols)];
    for (let t = 0; t < length; t++) {
      const following = table[(before * symbols + now) * FOLLOWERS.length + choose(random)]!;
      tokens[i * length + t] = now;
      next[i * length + t] = following;
      [before, now] = [now, following];
    }
  }
  return { tokens, next };
}
