/** f16 against the formula of IEEE 754 for all its bits, and roundings where two of its values are equally near. */
import { expect, test } from 'vitest';
import { floatsOfHalves, halfBits, halfValue, halvesOf, roundToHalf } from '../../../engine/util/half.ts';

const all = Uint16Array.from({ length: 65536 }, (_, bits) => bits);
const isNumber = (bits: number) => (bits & 0x7c00) !== 0x7c00;

test('every pattern is the number that the formula says', () => {
  for (const bits of all) {
    const [sign, e, m] = [bits >> 15, (bits >> 10) & 31, bits & 1023];
    const formula = (-1) ** sign * (e === 0 ? 2 ** -14 * (m / 1024) : 2 ** (e - 15) * (1 + m / 1024));
    if (isNumber(bits)) expect(Object.is(halfValue(bits), formula), String(bits)).toBe(true);
    else expect(halfValue(bits)).toBe(m === 0 ? (-1) ** sign * Infinity : Number.NaN);
  }
});

test('every number has the bits it came from', () => {
  for (const bits of all) if (isNumber(bits)) expect(halfBits(halfValue(bits))).toBe(bits);
  expect([Infinity, -Infinity, Number.NaN].map(halfBits)).toEqual([0x7c00, 0xfc00, 0x7e00]);
  expect(halvesOf(floatsOfHalves(all)).filter((bits, at) => isNumber(at) && bits !== at)).toHaveLength(0);
});

test('between two neighbours the nearer one is taken, and of equally near ones the even one', () => {
  for (let bits = 0; bits < 0x7bff; bits++) {
    const [low, high] = [halfValue(bits), halfValue(bits + 1)];
    const middle = (low + high) / 2;
    const even = bits % 2 === 0 ? low : high;
    expect([middle, -middle, middle * (1 - 2 ** -20), middle * (1 + 2 ** -20)].map(roundToHalf)).toEqual([
      even,
      -even,
      low,
      high,
    ]);
  }
});

test('what is half a step above the largest is infinite, and the sign of a zero stays', () => {
  expect([65504, 65519.996, 65520, -65520, 1e38].map(roundToHalf)).toEqual([
    65504,
    65504,
    Infinity,
    -Infinity,
    Infinity,
  ]);
  expect([-0, -(2 ** -25), -(2 ** -149)].every(x => Object.is(roundToHalf(x), -0))).toBe(true);
});
