/** Integer division by constants, in WGSL, without the instruction: CPUs that emulate a GPU run it once for each lane, and compile it so. */

/** From here on the quotient through floats might be off by one: half a unit of the quotient, over the two roundings it has. */
const EXACT = 2 ** 22 - 1;

/** What is known of a dividend: the greatest it can be (it is not negative), and whether floats are cheaper than the instruction. */
export interface Dividend {
  readonly most: number;
  readonly software: boolean;
}

/**
 * `a / n` for an i32 `a` from 0 to `most`, `n` from 1. Through floats it is (a + 1/2) * (1/n), at least 1/(2n) away from whole numbers,
 * while 1/n and the product are each rounded by at most 2^-24 of their value.
 */
export function quotientText(a: string, n: number, { most, software }: Dividend): string {
  if (n === 1) return a;
  if (isPower(n)) return `(${a} >> ${Math.log2(n)}u)`;
  return software && most < EXACT ? `i32((f32(${a}) + 0.5f) * ${Math.fround(1 / n)}f)` : `${a} / ${n}i`;
}

/** `a % n`, of the same; `quotient` gives the text of `a / n`, which is wanted where it is cheap. */
export function remainderText(a: string, n: number, { most, software }: Dividend, quotient: () => string): string {
  if (n === 1) return '0i';
  if (isPower(n)) return `(${a} & ${n - 1}i)`;
  return software && most < EXACT ? `${a} - ${quotient()} * ${n}i` : `${a} % ${n}i`;
}

/** Whether `n`, a positive whole number of 31 bits, is a power of two. */
const isPower = (n: number): boolean => (n & (n - 1)) === 0;
