/** Functions on numbers that JavaScript lacks: erf in double precision, rounding half to even, bit views of f32. */

/**
 * The error function, by the series of positive terms erf(x) = 2/sqrt(pi) exp(-x²) Σ 2^n x^(2n+1) / (2n+1)!!
 * (Abramowitz and Stegun 7.1.6): no cancellation, so it is accurate to a few units in the last place.
 */
export function erf(x: number): number {
  if (Number.isNaN(x)) return x;
  if (Math.abs(x) > 6) return Math.sign(x);
  let term = x;
  let sum = x;
  for (let n = 1; Math.abs(term) > Math.abs(sum) * 1e-17; n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

/** Nearest whole number, ties to even, as WGSL's `round` and WASM's `nearest`. */
export function roundEven(x: number): number {
  const below = Math.floor(x);
  const rest = x - below;
  if (rest < 0.5) return below;
  if (rest > 0.5) return below + 1;
  return below % 2 === 0 ? below : below + 1;
}

const floatView = new Float32Array(1);
const bitsView = new Uint32Array(floatView.buffer);

/** The bits of x as an f32. */
export function bitsOfFloat(x: number): number {
  floatView[0] = x;
  return bitsView[0]!;
}

/** The f32 of these bits. */
export function floatOfBits(bits: number): number {
  bitsView[0] = bits;
  return floatView[0]!;
}

/** f32 to i32: truncates towards zero, clamps to the range, NaN is 0; as WGSL and WASM's saturating conversion do. */
export function truncateToI32(x: number): number {
  if (Number.isNaN(x)) return 0;
  return Math.max(-0x80000000, Math.min(0x7fffffff, Math.trunc(x)));
}

/** f32 to u32, likewise. */
export function truncateToU32(x: number): number {
  if (Number.isNaN(x)) return 0;
  return Math.max(0, Math.min(0xffffffff, Math.trunc(x)));
}
