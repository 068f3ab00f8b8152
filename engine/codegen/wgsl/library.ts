/** WGSL functions for scalar operations that the language lacks, or leaves too loose: each is included in a shader that calls it. */
import { PHILOX_M0, PHILOX_M1, PHILOX_ROUNDS, PHILOX_W0, PHILOX_W1 } from '../../util/philox.ts';

export interface LibraryFunction {
  readonly text: string;
  readonly needs?: readonly LibraryName[];
}

export type LibraryName =
  | 'special'
  | 'isfinite'
  | 'roundHalf'
  | 'pow'
  | 'tanh'
  | 'erf'
  | 'trigonometry'
  | 'mulHigh'
  | 'philox'
  | 'remainder';

export const library: Readonly<Record<LibraryName, LibraryFunction>> = {
  // A constant expression must not be infinite or NaN; bits that only the run knows may be.
  special: {
    text: 'var<private> zeroBits: u32 = 0u;\nfn special(bits: u32) -> f32 { return bitcast<f32>(bits | zeroBits); }',
  },
  // Compilers may assume that floats are finite, so the bits are asked.
  isfinite: { text: 'fn isFinite(x: f32) -> bool { return (bitcast<u32>(x) & 0x7f800000u) != 0x7f800000u; }' },
  // In integers, but for denormals of f16, which are multiples of 2^-24: no freedom of a compiler with floats changes a bit.
  roundHalf: {
    text: `fn roundHalf(x: f32) -> f32 {
  let raw = bitcast<u32>(x) & 0x7fffffffu;
  let a = min(raw, 0x47800000u);
  var near = (a + 0xfffu + ((a >> 13u) & 1u)) & 0xffffe000u;
  if (a < 0x38800000u) { near = bitcast<u32>(round(bitcast<f32>(a) * 16777216.0) * 5.9604645e-8); }
  if (near >= 0x47800000u) { near |= 0x7f800000u; }
  if (raw > 0x7f800000u) { near |= 0x400000u; }
  return bitcast<f32>(near | (bitcast<u32>(x) & 0x80000000u));
}`,
  },
  pow: { text: 'fn power(x: f32, y: f32) -> f32 { return select(pow(x, y), 1.0, y == 0.0); }' },
  remainder: { text: 'fn remainder(x: f32, y: f32) -> f32 { return x - y * trunc(x / y); }' },
  // tanh x = x - x^3/3 + 2x^5/15 - 17x^7/315 near 0, else through exp(-2|x|), which neither cancels nor overflows.
  tanh: {
    text: `fn hyperbolicTangent(x: f32) -> f32 {
  let s = x * x;
  let e = exp(-2.0 * abs(x));
  let far = sign(x) * (1.0 - e) / (1.0 + e);
  let near = x * (1.0 + s * (-0.33333334 + s * (0.13333334 - s * 0.053968254)));
  return select(far, near, abs(x) < 0.2);
}`,
  },
  // Abramowitz and Stegun 7.1.26 (error 1.5e-7), and the series near 0 where its relative error would show.
  erf: {
    text: `fn errorFunction(x: f32) -> f32 {
  let a = abs(x);
  let s = x * x;
  let t = 1.0 / (1.0 + 0.3275911 * a);
  let p = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  let far = sign(x) * (1.0 - p * exp(-s));
  let near = x * (1.1283792 + s * (-0.37612638 + s * (0.11283792 - s * 0.026866171)));
  return select(far, near, a < 0.3);
}`,
  },
  // WGSL allows errors of 2^-11. Quadrants by two-part reduction with pi/2, then the polynomials of Cephes (Moshier, sinf.c).
  trigonometry: {
    text: `fn trigonometric(x: f32, quarter: i32) -> f32 {
  let k = round(x * 0.63661977);
  let r = fma(-k, -4.371139e-8, fma(-k, 1.5707964, x));
  let z = r * r;
  let s = r + r * z * (-0.16666655 + z * (0.008332161 - z * 0.00019515296));
  let c = 1.0 - 0.5 * z + z * z * (0.041666646 + z * (-0.0013887316 + z * 0.000024433157));
  let q = (i32(k) + quarter) & 3;
  return select(1.0, -1.0, q > 1) * select(s, c, (q & 1) == 1);
}
fn sine(x: f32) -> f32 { return trigonometric(x, 0); }
fn cosine(x: f32) -> f32 { return trigonometric(x, 1); }`,
  },
  mulHigh: {
    text: `fn mulHigh(a: u32, b: u32) -> u32 {
  let low = (a >> 16u) * (b & 0xffffu) + (((a & 0xffffu) * (b & 0xffffu)) >> 16u);
  let mid = (a & 0xffffu) * (b >> 16u) + (low & 0xffffu);
  return (a >> 16u) * (b >> 16u) + (low >> 16u) + (mid >> 16u);
}`,
  },
  philox: {
    needs: ['mulHigh'],
    text: `fn philox(seed: u32, stream: u32, step: u32, index: u32) -> u32 {
  var c = vec4<u32>(index / 4u, step, 0u, 0u);
  var k = vec2<u32>(seed, stream);
  for (var round = 0; round < ${PHILOX_ROUNDS}; round++) {
    let high = vec2<u32>(mulHigh(${PHILOX_M0}u, c.x), mulHigh(${PHILOX_M1}u, c.z));
    c = vec4<u32>(high.y ^ c.y ^ k.x, ${PHILOX_M1}u * c.z, high.x ^ c.w ^ k.y, ${PHILOX_M0}u * c.x);
    k += vec2<u32>(${PHILOX_W0}u, ${PHILOX_W1}u);
  }
  return c[index % 4u];
}`,
  },
};

/** The text of the functions and of all that they need, each once. */
export function libraryText(names: Iterable<LibraryName>): string {
  const found = new Set<LibraryName>();
  const include = (name: LibraryName): void => {
    for (const need of library[name].needs ?? []) include(need);
    found.add(name);
  };
  for (const name of names) include(name);
  return [...found].map(name => `${library[name].text}\n`).join('');
}
