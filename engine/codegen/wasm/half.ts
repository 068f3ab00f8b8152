/**
 * f16 and f32 into each other on four lanes, in integers, so that no setting of a processor changes a bit: denormals, infinities and NaN
 * come out as IEEE 754 says, roundings go to nearest, ties to even (the arithmetic of Giesen, "Half to float done quick", 2012). Denormals of
 * f16 never become denormals of f32, which processors are slow at.
 */
import { Code } from './encoder.ts';

const SIGN = 0x80000000;
const INFINITY = 0x7f800000;
/** 2^-14, the least f16 that is not denormal, and 2^16, which is too large for it. */
const LEAST = 0x38800000;
const OVERFLOW = 0x47800000;
/** Between the biases of the exponents, in place. */
const BIAS = 112 << 23;
/** Adding it to a denormal f16, in f32, rounds that to a multiple of 2^-24. */
const HALF = 0x3f000000;

/** Four f16, each in the low bits of an i32 lane whose others are 0, to four f32. */
export function emitDecodeHalf(code: Code): void {
  const [bits, a] = [code.local('v128'), code.local('v128')];
  code.tee(bits).i32x4(0x7fff).op('v128.and').i32(13).op('i32x4.shl').set(a);
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
    .op('i32x4.ge_s')
    .i32x4(INFINITY)
    .op('v128.and')
    .op('v128.or');
  code.get(bits).i32x4(0x8000).op('v128.and').i32(16).op('i32x4.shl').op('v128.or');
}

/** Four f32 to four f16, each in the low bits of an i32 lane. */
export function emitEncodeHalf(code: Code): void {
  const [x, raw, a, odd] = [code.local('v128'), code.local('v128'), code.local('v128'), code.local('v128')];
  code.tee(x).op('f32x4.abs').tee(raw).i32x4(OVERFLOW).op('i32x4.min_s').tee(a);
  code.i32(13).op('i32x4.shr_u').i32x4(1).op('v128.and').set(odd);
  code.get(a).i32x4(HALF).op('f32x4.add').i32x4(HALF).op('i32x4.sub');
  code
    .get(a)
    .i32x4(0xfff - BIAS)
    .op('i32x4.add')
    .get(odd)
    .op('i32x4.add')
    .i32(13)
    .op('i32x4.shr_u');
  code.get(a).i32x4(LEAST).op('i32x4.lt_s').op('v128.bitselect');
  code.get(raw).i32x4(INFINITY).op('i32x4.gt_s').i32x4(0x200).op('v128.and').op('v128.or');
  code.get(x).i32x4(SIGN).op('v128.and').i32(16).op('i32x4.shr_u').op('v128.or');
}

/** Four f32 to the nearest values of f16. */
export function emitRoundHalf(code: Code): void {
  const [x, raw, a, odd] = [code.local('v128'), code.local('v128'), code.local('v128'), code.local('v128')];
  const near = code.local('v128');
  code.tee(x).op('f32x4.abs').tee(raw).i32x4(OVERFLOW).op('i32x4.min_s').tee(a);
  code.i32(13).op('i32x4.shr_u').i32x4(1).op('v128.and').set(odd);
  code.get(a).i32x4(HALF).op('f32x4.add').i32x4(HALF).op('f32x4.sub');
  code.get(a).i32x4(0xfff).op('i32x4.add').get(odd).op('i32x4.add').i32x4(~0x1fff).op('v128.and').tee(near);
  code.get(a).i32x4(LEAST).op('i32x4.lt_s').op('v128.bitselect');
  code
    .get(near)
    .i32x4(OVERFLOW - 1)
    .op('i32x4.gt_s')
    .i32x4(INFINITY)
    .op('v128.and')
    .op('v128.or');
  code.get(raw).i32x4(INFINITY).op('i32x4.gt_s').i32x4(0x400000).op('v128.and').op('v128.or');
  code.get(x).i32x4(SIGN).op('v128.and').op('v128.or');
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
  return code.lane('i32x4.extract_lane', 0);
}
