/**
 * f16 and f32 into each other on four lanes, in integers, so that no setting of a processor changes a bit: denormals, infinities and NaN
 * come out as IEEE 754 says, roundings go to nearest, ties to even (the arithmetic of Giesen, "Half to float done quick", 2012). Denormals of
 * f16 never become denormals of f32, which processors are slow at. Vectors are converted in place, never by a function that takes them:
 * V8 aborts where it has paired the argument of a call that it doesn't inline (Node 24.21).
 */
import { Code, type Local } from './encoder.ts';

/** 2^-14, the least f16 that is not denormal, and 2^16, which is too large for it. */
const LEAST = 0x38800000;
const OVERFLOW = 0x47800000;
/** Between the biases of the exponents, in place. */
const BIAS = 112 << 23;
/** Adding it to a denormal f16, in f32, rounds that to a multiple of 2^-24. */
const HALF = 0x3f000000;

// Bits come from shifts where they can: every constant takes a register, and functions such as erf have none left.

/** Four f16, each in the low bits of an i32 lane whose others are 0, to four f32. */
export function emitDecodeHalf(code: Code): void {
  const [bits, a] = [code.local('v128'), code.local('v128')];
  code.tee(bits).i32(17).op('i32x4.shl').i32(4).op('i32x4.shr_u').set(a);
  // 2^-14 + x without its hidden bit, which is a denormal with one, less 2^-14.
  code.get(a).i32x4(LEAST).op('v128.or').i32x4(LEAST).op('f32x4.sub');
  code.get(a).i32x4(BIAS).op('i32x4.add');
  code
    .get(a)
    .i32x4(1 << 23)
    .op('i32x4.lt_s')
    .op('v128.bitselect');
  code
    .get(a)
    .i32x4(0x7c00 << 13)
    .op('i32x4.ge_s');
  exponentWhere(code);
  signOf(code, bits, 15, 31);
}

/**
 * Four f32 to four f16, each in the low bits of an i32 lane; NaN is more than those hold, which `i16x8.narrow_i32x4_u` makes a NaN, and
 * `emitSaturate` does.
 */
export function emitEncodeHalf(code: Code): void {
  const [x, a] = emitMagnitude(code);
  emitNearest(code, a, 0xfff - BIAS);
  code.i32(13).op('i32x4.shr_u');
  code.get(a).i32x4(HALF).op('f32x4.add').i32x4(HALF).op('i32x4.sub');
  code.get(a).i32x4(LEAST).op('f32x4.ge').op('v128.bitselect');
  signOf(code, x, 31, 15);
}

/** What doesn't fit 16 bits becomes 0xffff. */
export function emitSaturate(code: Code): void {
  code.i32x4(0xffff).op('i32x4.min_s');
}

/** Four f32 to the nearest values of f16. */
export function emitRoundHalf(code: Code): void {
  const [x, a] = emitMagnitude(code);
  const near = code.local('v128');
  emitNearest(code, a, 0xfff);
  code.i32(13).op('i32x4.shr_u').i32(13).op('i32x4.shl').tee(near);
  code.get(near).i32x4(OVERFLOW).op('i32x4.eq');
  exponentWhere(code);
  code.get(a).i32x4(HALF).op('f32x4.add').i32x4(HALF).op('f32x4.sub');
  code.get(a).i32x4(LEAST).op('f32x4.ge').op('v128.bitselect');
  signOf(code, x, 31, 31);
}

/** Locals of the value on the stack, and of its magnitude, no larger than what overflows; NaN stays, and fails every comparison. */
function emitMagnitude(code: Code): readonly [x: Local, a: Local] {
  const [x, a] = [code.local('v128'), code.local('v128')];
  code.tee(x).op('f32x4.abs').i32x4(OVERFLOW).op('f32x4.pmin').set(a);
  return [x, a];
}

/** The bits of `a` plus `more`, and one where the last bit that stays is odd: cutting 13 off then rounds to nearest even. */
function emitNearest(code: Code, a: Local, more: number): void {
  code.get(a).i32x4(more).op('i32x4.add').get(a).i32(18).op('i32x4.shl').i32(31).op('i32x4.shr_u').op('i32x4.add');
}

/** Sets the exponent's bits of the vector below a mask, where that is set. */
function exponentWhere(code: Code): void {
  code.i32(24).op('i32x4.shr_u').i32(23).op('i32x4.shl').op('v128.or');
}

/** Sets bit `to` as bit `from` of x, the highest that is set, is. */
function signOf(code: Code, x: Local, from: number, to: number): void {
  code.get(x).i32(from).op('i32x4.shr_u').i32(to).op('i32x4.shl').op('v128.or');
}

/** (i32) -> f32: one f16 by its bits. */
export function decodeFunction(): Code {
  const code = new Code(['i32'], ['f32']);
  code.get(0).op('i32x4.splat');
  emitDecodeHalf(code);
  return code.lane('f32x4.extract_lane', 0);
}

/** (f32) -> i32: the bits of the nearest f16. */
export function encodeFunction(): Code {
  const code = new Code(['f32'], ['i32']);
  code.get(0).op('f32x4.splat');
  emitEncodeHalf(code);
  emitSaturate(code);
  return code.lane('i32x4.extract_lane', 0);
}
