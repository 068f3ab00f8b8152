import { describe, expect, it } from 'vitest';
import {
  bitsOfFloat,
  erf,
  floatOfBits,
  roundEven,
  truncateToI32,
  truncateToU32,
} from '../../../engine/util/numbers.ts';

describe('erf', () => {
  // Abramowitz and Stegun, table 7.1, and mpmath.
  it.each([
    [0, 0],
    [0.1, 0.1124629160182849],
    [0.5, 0.5204998778130465],
    [1, 0.8427007929497149],
    [2, 0.9953222650189527],
    [3.5, 0.9999992569016276],
    [-1, -0.8427007929497149],
    [7, 1],
    [Number.POSITIVE_INFINITY, 1],
    [Number.NaN, Number.NaN],
  ])('erf(%s) = %s', (x, expected) => {
    if (Number.isNaN(expected)) expect(erf(x)).toBeNaN();
    else expect(erf(x)).toBeCloseTo(expected, 14);
  });
});

it.each([
  [0.5, 0],
  [1.5, 2],
  [2.5, 2],
  [-0.5, -0],
  [-1.5, -2],
  [-2.5, -2],
  [2.4, 2],
  [2.6, 3],
  [1e300, 1e300],
])('roundEven(%s) = %s', (x, expected) => {
  expect(roundEven(x) + 0).toBe(expected + 0);
});

it.each([
  [1.9, 1, 1],
  [-1.9, -1, 0],
  [3e9, 0x7fffffff, 3e9],
  [1e20, 0x7fffffff, 0xffffffff],
  [-1e20, -0x80000000, 0],
  [Number.NaN, 0, 0],
])('%s truncates to i32 %s and u32 %s', (x, signed, unsigned) => {
  expect(truncateToI32(x) + 0).toBe(signed);
  expect(truncateToU32(x) + 0).toBe(unsigned);
});

it('views the bits of floats', () => {
  expect(bitsOfFloat(1)).toBe(0x3f800000);
  expect(bitsOfFloat(-2)).toBe(0xc0000000);
  expect(floatOfBits(0x7f800000)).toBe(Number.POSITIVE_INFINITY);
  expect(floatOfBits(bitsOfFloat(0.1))).toBe(Math.fround(0.1));
});
