/**
 * How much the property tests try. In `npm test` few cases of one seed, so that a failure is there again; `npm run fuzz` (test/fuzz.mjs)
 * draws seeds and tries many. It runs every test file that imports this one.
 */

/** Cases in place of one. */
const factor = Number(process.env.STRATA_FUZZ ?? 1);
export const seed = Number(process.env.STRATA_SEED ?? 1);

/** What stands in `npm test` for more than it can try. */
export const long = factor > 1;

/** fast-check's parameters for a property that tries `cases` in `npm test`. */
export function rounds(cases: number): { readonly numRuns: number; readonly seed: number } {
  return { numRuns: Math.ceil(cases * factor), seed };
}

/** The time limit of a test that takes up to so many seconds in `npm test`. */
export function seconds(limit: number): { readonly timeout: number } {
  return { timeout: limit * 1000 * factor };
}
