/** Caps on what data files may ask for, so that a hostile or mistaken header can't exhaust memory. */
import { EngineError } from '../util/errors.ts';

export const LIMITS = {
  /** Bytes of a file on disk. */
  fileBytes: 2 ** 30,
  /** Bytes of a data set in memory, after decompression. */
  dataBytes: 2 ** 31,
  /** Bytes read of a text file for its schema alone. */
  schemaBytes: 2 ** 24,
  /** Dimensions of an IDX file, the one over samples included. */
  rank: 8,
  rows: 50_000_000,
  columns: 4_096,
  categories: 65_536,
  /** Entries of a folder. */
  files: 1_000_000,
  /** Files of a folder whose headers are read for its schema. */
  probes: 256,
  /** Pixels of one image. */
  pixels: 2 ** 26,
  /** Samples of a procedural source. */
  generated: 1_000_000,
} as const;

/** Product of sizes, or undefined where it would exceed `limit`; no intermediate result leaves the exact integers. */
export function checkedProduct(sizes: readonly number[], limit: number): number | undefined {
  if (sizes.includes(0)) return 0;
  let product = 1;
  for (const size of sizes) {
    if (!Number.isSafeInteger(size) || size < 0 || product > limit / size) return undefined;
    product *= size;
  }
  return product;
}

/** Throws `data-malformed` when a file or data set is larger than its cap. */
export function demandWithin(file: string, what: string, found: number, limit: number): void {
  if (found > limit) {
    throw new EngineError(
      'data-malformed',
      `${file}: expected at most ${limit} ${what}, found ${found}; split the file or leave columns out`,
    );
  }
}
