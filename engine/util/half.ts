/** IEEE binary16 (f16): a sign, 5 bits of exponent with bias 15, 10 of the significand; from and to numbers and their bits. */
import { bitsOfFloat, roundEven } from './numbers.ts';

/** The least exponent of a number that is not denormal. */
const LEAST = -14;
/** From here on, half a step above the largest, 65504, a number rounds to infinity. */
const OVERFLOW = 65520;

/** The nearest value of f16, ties to even. */
export function roundToHalf(x: number): number {
  const a = Math.abs(x);
  if (x === 0 || !Number.isFinite(x)) return x;
  if (a >= OVERFLOW) return x < 0 ? -Infinity : Infinity;
  const exponent = Math.max(LEAST, (bitsOfFloat(a) >>> 23) - 127);
  const step = 2 ** (exponent - 10);
  // The sign outside: a small negative number is -0.
  return (x < 0 ? -1 : 1) * roundEven(a / step) * step;
}

/** The bits of the nearest f16; of any NaN, 0x7e00. */
export function halfBits(x: number): number {
  const value = roundToHalf(x);
  if (Number.isNaN(value)) return 0x7e00;
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const a = Math.abs(value);
  if (a === Infinity) return sign | 0x7c00;
  if (a < 2 ** LEAST) return sign | (a * 2 ** 24);
  const exponent = (bitsOfFloat(a) >>> 23) - 127;
  return sign | ((exponent + 15) << 10) | (a * 2 ** (10 - exponent) - 1024);
}

/** The number that these bits stand for. */
export function halfValue(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const significand = bits & 1023;
  if (exponent === 31) return significand === 0 ? sign * Infinity : Number.NaN;
  if (exponent === 0) return sign * significand * 2 ** -24;
  return sign * (1024 + significand) * 2 ** (exponent - 25);
}

export function halvesOf(values: ArrayLike<number>): Uint16Array<ArrayBuffer> {
  return Uint16Array.from(values, halfBits);
}

export function floatsOfHalves(halves: Uint16Array): Float32Array<ArrayBuffer> {
  return Float32Array.from(halves, halfValue);
}
