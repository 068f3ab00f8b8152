/**
 * Transcendental functions on four f32 lanes. Polynomials are those of Cephes' single-precision library (Moshier) unless said otherwise;
 * errors are at most 3 ulp over the whole range (test/engine/codegen/wasm/math.test.ts sweeps them). NaN stays NaN.
 */
import { Code, type Local } from './encoder.ts';
import { emitRoundHalf } from './half.ts';

export type VectorFunction = 'exp' | 'log' | 'tanh' | 'erf' | 'sin' | 'cos' | 'round_f16';

const LN2_HIGH = 0.693359375;
const LN2_LOW = -2.1219444e-4;
/** 1.5 * 2^23: adding it rounds an f32 below 2^22 to a whole number that then sits in the low bits. */
const ROUNDER = 12582912;

/** From a and b on the stack a b + c; in one instruction, rounded once, where relaxed SIMD's may be used (`fused`). */
function multiplyAdd(code: Code, fused: boolean, c: () => void): void {
  if (!fused) code.op('f32x4.mul');
  c();
  code.op(fused ? 'f32x4.relaxed_madd' : 'f32x4.add');
}

/** Horner's scheme in the local `x`; leaves the value on the stack. */
function polynomial(code: Code, fused: boolean, x: Local, coefficients: readonly number[]): void {
  code.f32x4(coefficients[0]!);
  for (const c of coefficients.slice(1)) {
    code.get(x);
    multiplyAdd(code, fused, () => code.f32x4(c));
  }
}

interface Reduced {
  /** n + bias as a whole number in the low bits of an f32. */
  readonly bits: Local;
  /** x - n ln 2, between -ln 2 / 2 and ln 2 / 2, and exp(r) - 1 - r. */
  readonly r: Local;
  readonly rest: Local;
}

/** The local x = n ln 2 + r with n = round(x / ln 2), which stays between -bias and 255 - bias. */
function reduceExp(code: Code, fused: boolean, x: Local, bias: number): Reduced {
  const [n, r, bits, rest] = [code.local('v128'), code.local('v128'), code.local('v128'), code.local('v128')];
  code.get(x).f32x4(Math.LOG2E);
  multiplyAdd(code, fused, () => code.f32x4(ROUNDER + bias));
  code
    .tee(bits)
    .f32x4(ROUNDER + bias)
    .op('f32x4.sub')
    .set(n);
  for (const part of [LN2_HIGH, LN2_LOW]) {
    code.get(n).f32x4(-part);
    multiplyAdd(code, fused, () => code.get(part === LN2_HIGH ? x : r));
    code.set(r);
  }
  const coefficients = [1.98756915e-4, 1.39819995e-3, 8.33345191e-3, 4.16657959e-2, 1.666666546e-1, 5.0000001201e-1];
  polynomial(code, fused, r, coefficients);
  code.get(r).op('f32x4.mul').get(r).op('f32x4.mul').set(rest);
  return { bits, r, rest };
}

/**
 * exp: n = round(x / ln 2), exp(x) = 2 exp(r) 2^(n - 1), which reaches infinity at n = 128 and is 0 at n = -126: results below 2^-125.5 are 0,
 * since processors take a hundred cycles for a denormal one, and masked attention asks for many.
 */
export function emitExp(code: Code, fused: boolean): void {
  const [x, e] = [code.local('v128'), code.local('v128')];
  code.f32x4(-87.4).op('f32x4.pmax').f32x4(89).op('f32x4.pmin').set(x);
  const { bits, r, rest } = reduceExp(code, fused, x, 126);
  code.get(rest).get(r).op('f32x4.add').f32x4(1).op('f32x4.add').tee(e).get(e).op('f32x4.add');
  code.get(bits).i32(23).op('i32x4.shl').op('f32x4.mul');
}

/** log: x = m 2^e with m in [sqrt(1/2), sqrt(2)). */
export function emitLog(code: Code, fused: boolean): void {
  const [x, tiny, e, m, z] = Array.from({ length: 5 }, () => code.local('v128')) as [Local, Local, Local, Local, Local];
  code
    .tee(x)
    .f32x4(2 ** -126)
    .op('f32x4.lt')
    .set(tiny);
  code
    .get(x)
    .f32x4(2 ** 23)
    .op('f32x4.mul')
    .get(x)
    .get(tiny)
    .op('v128.bitselect')
    .set(m);
  // Bits of sqrt(1/2) subtracted: the exponent field then counts from mantissa sqrt(1/2).
  code.get(m).i32x4(0x3f3504f3).op('i32x4.sub').i32(23).op('i32x4.shr_s').set(e);
  code.get(m).get(e).i32(23).op('i32x4.shl').op('i32x4.sub').f32x4(1).op('f32x4.sub').set(m);
  code.get(e).op('f32x4.convert_i32x4_s').f32x4(-23).get(tiny).op('v128.and').op('f32x4.add').set(e);
  polynomial(
    code,
    fused,
    m,
    [
      7.0376836292e-2, -1.151461031e-1, 1.167699874e-1, -1.2420140846e-1, 1.4249322787e-1, -1.6668057665e-1,
      2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1,
    ],
  );
  code.get(m).get(m).op('f32x4.mul').tee(z).op('f32x4.mul').get(m).op('f32x4.mul');
  code.get(e).f32x4(LN2_LOW).op('f32x4.mul').op('f32x4.add');
  code.get(z).f32x4(0.5).op('f32x4.mul').op('f32x4.sub').get(m).op('f32x4.add');
  code.get(e).f32x4(LN2_HIGH).op('f32x4.mul').op('f32x4.add').set(m);
  // Outside (0, inf): log 0 = -inf, log of a negative NaN, infinity and NaN themselves.
  code.get(m).get(x).get(x).f32x4(Number.POSITIVE_INFINITY).op('f32x4.lt').op('v128.bitselect').set(m);
  code.get(m).f32x4(Number.NaN).get(x).f32x4(0).op('f32x4.lt').op('v128.not').op('v128.bitselect').set(m);
  code.f32x4(Number.NEGATIVE_INFINITY).get(m).get(x).f32x4(0).op('f32x4.eq').op('v128.bitselect');
}

/** tanh: t / (t + 2) with t = exp(2|x|) - 1 = 2^n (exp(r) - 1) + 2^n - 1, which rounds to 1 long before 2|x| = 20. */
export function emitTanh(code: Code, fused: boolean): void {
  const [x, a, scale, t] = Array.from({ length: 4 }, () => code.local('v128')) as [Local, Local, Local, Local];
  code.tee(x).op('f32x4.abs').tee(a).get(a).op('f32x4.add').f32x4(20).op('f32x4.pmin').set(a);
  const { bits, r, rest } = reduceExp(code, fused, a, 127);
  code.get(bits).i32(23).op('i32x4.shl').set(scale);
  code.get(rest).get(r).op('f32x4.add').get(scale);
  multiplyAdd(code, fused, () => code.get(scale).f32x4(1).op('f32x4.sub'));
  code.tee(t).get(t).f32x4(2).op('f32x4.add').op('f32x4.div');
  emitCopySign(code, x);
}

/** erf after N. Juffa's erff (two minimax polynomials, split at 475/512; the outer one is 1 - exp(P(|x|))). */
export function emitErf(code: Code, fused: boolean): void {
  const [x, a, s, t, big] = Array.from({ length: 5 }, () => code.local('v128')) as [Local, Local, Local, Local, Local];
  code.tee(x).op('f32x4.abs').set(a);
  // Beyond 4.1 the result rounds to 1; the clamp keeps the polynomial of degree 7 finite.
  code.get(a).f32x4(4.1).op('f32x4.pmin').set(t);
  code.get(t).get(t).op('f32x4.mul').set(s);
  code.f32x4(1);
  polynomial(
    code,
    fused,
    t,
    [-1.7285347e-5, 3.83197126e-4, -3.88396438e-3, 2.42546219e-2, -1.06777877e-1, -6.34846687e-1, -1.28717512e-1],
  );
  code.get(t).op('f32x4.mul').get(t).op('f32x4.sub');
  emitExp(code, fused);
  code.op('f32x4.sub');
  emitCopySign(code, x);
  code.set(big).get(x).get(x).op('f32x4.mul').set(s);
  polynomial(
    code,
    fused,
    s,
    [-5.96761703e-4, 4.99119423e-3, -2.67681349e-2, 1.12819925e-1, -3.76125336e-1, 1.28379166e-1],
  );
  code.get(x);
  multiplyAdd(code, fused, () => code.get(x));
  code.get(big).get(a).f32x4(0.927734375).op('f32x4.le').op('v128.bitselect').set(t);
  code.get(x).get(t).get(x).get(x).op('f32x4.ne').op('v128.bitselect');
}

/** The magnitude on the stack with the sign of the local `from`. */
function emitCopySign(code: Code, from: Local): void {
  code.get(from).i32x4(0x80000000).op('v128.and').op('v128.or');
}

/** sin or cos: quadrant and remainder of pi/2 in f64 (exact enough below 2^30), then a polynomial of degree 7 or 8. */
export function emitSinCos(code: Code, fused: boolean, shift: 0 | 1): void {
  const [x, r, q, z] = Array.from({ length: 4 }, () => code.local('v128')) as [Local, Local, Local, Local];
  const [rest, quadrant] = [code.local('v128'), code.local('v128')];
  const [high, quadrants] = [code.local('v128'), code.local('v128')];
  code.set(x);
  for (const half of [0, 1]) {
    const [d, k] = [code.local('v128'), code.local('v128')];
    code.get(x).get(x);
    code
      .shuffle((2 * half) as 0 | 2, 2 * half + 1, (2 * half) as 0 | 2, 2 * half + 1)
      .op('f64x2.promote_low_f32x4')
      .tee(d);
    code
      .f64x2(2 / Math.PI)
      .op('f64x2.mul')
      .op('f64x2.nearest')
      .set(k);
    code
      .get(d)
      .get(k)
      .f64x2(Math.PI / 2)
      .op('f64x2.mul')
      .op('f64x2.sub');
    // pi/2 minus its f64 value, 6.12e-17.
    code.get(k).f64x2(6.123233995736766e-17).op('f64x2.mul').op('f64x2.sub').op('f32x4.demote_f64x2_zero');
    code.set(half === 0 ? rest : high);
    code
      .get(k)
      .op('i32x4.trunc_sat_f64x2_s_zero')
      .set(half === 0 ? quadrant : quadrants);
  }
  code.get(rest).get(high).shuffle(0, 1, 4, 5).tee(r).get(r).op('f32x4.mul').set(z);
  code.get(quadrant).get(quadrants).shuffle(0, 1, 4, 5).i32x4(shift).op('i32x4.add').set(q);
  polynomial(code, fused, z, [2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2]);
  code.get(z).op('f32x4.mul').get(z).op('f32x4.mul').get(z).f32x4(0.5).op('f32x4.mul').op('f32x4.sub');
  code.f32x4(1).op('f32x4.add');
  polynomial(code, fused, z, [-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1]);
  code.get(z).op('f32x4.mul').get(r).op('f32x4.mul').get(r).op('f32x4.add');
  code.get(q).i32x4(1).op('v128.and').i32x4(1).op('i32x4.eq').op('v128.bitselect');
  code.get(q).i32x4(2).op('v128.and').i32(30).op('i32x4.shl').op('v128.xor');
}

/** Emits the function on the vector on the stack. */
export const VECTOR_FUNCTIONS: Readonly<Record<VectorFunction, (code: Code, fused: boolean) => void>> = {
  exp: emitExp,
  log: emitLog,
  tanh: emitTanh,
  erf: emitErf,
  sin: (code, fused) => emitSinCos(code, fused, 0),
  cos: (code, fused) => emitSinCos(code, fused, 1),
  round_f16: emitRoundHalf,
};

/** A function of its own for scalar code: the same arithmetic on one lane, so scalar tails give the bits that vectors give. */
export function scalarFunction(name: VectorFunction, fused: boolean): Code {
  const code = new Code(['f32'], ['f32']);
  code.get(0).op('f32x4.splat');
  VECTOR_FUNCTIONS[name](code, fused);
  return code.lane('f32x4.extract_lane', 0);
}
