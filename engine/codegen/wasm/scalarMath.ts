/** Functions computed one number at a time: powers in double precision, and the Philox generator. */
import { PHILOX_M0, PHILOX_M1, PHILOX_ROUNDS, PHILOX_W0, PHILOX_W1 } from '../../util/philox.ts';
import { Code } from './encoder.ts';

/** Terms of 2 atanh(s) = 2 (s + s^3/3 + …) and of exp(r): both series end below 1e-11 on the reduced ranges. */
const ATANH_TERMS = 7;
const EXP_TERMS = 11;

/** pow(x, y) as f32: |x|^y = exp(y log|x|) in f64; a negative base takes the sign of an odd whole y and is NaN for other y. */
export function powFunction(): Code {
  const code = new Code(['f32', 'f32'], ['f32']);
  const [d, y] = [code.local('f64'), code.local('f64')];
  code.get(0).op('f64.promote_f32').op('f64.abs').set(d);
  code.get(1).op('f64.promote_f32').set(y);
  const leave = (when: () => void, value: () => void) => {
    when();
    code.if(() => {
      value();
      code.op('return');
    });
  };
  leave(
    () => code.get(y).f64(0).op('f64.eq'),
    () => code.f32(1),
  );
  leave(
    () => code.get(d).get(d).op('f64.ne'),
    () => code.get(0),
  );
  leave(
    () => code.get(d).f64(0).op('f64.eq'),
    () => {
      code.f32(0).f32(Number.POSITIVE_INFINITY).get(y).f64(0).op('f64.gt').op('select');
    },
  );
  const t = code.local('f64');
  emitLog64(code, d);
  code.get(y).op('f64.mul').f64(-1000).op('f64.max').f64(1000).op('f64.min').set(t);
  emitExp64(code, t);
  code.op('f32.demote_f64');
  const magnitude = code.local('f32');
  code.set(magnitude).get(0).f32(0).op('f32.lt');
  code.if(
    () => {
      code.get(magnitude).f32(-1).op('f32.mul').get(magnitude);
      code.get(y).op('i32.trunc_sat_f64_s').i32(1).op('i32.and').op('select');
      code.f32(Number.NaN).get(y).get(y).op('f64.nearest').op('f64.eq').op('select');
    },
    () => {
      code.get(magnitude);
    },
    'f32',
  );
  return code;
}

/** Leaves log(d) for d above 0, d in a local; d is used up. */
function emitLog64(code: Code, d: number): void {
  const [e, s, z] = [code.local('i64'), code.local('f64'), code.local('f64')];
  // The exponent counted from mantissa sqrt(1/2), as in the f32 version; the upper word suffices.
  const sqrtHalf = 0x3fe6a09e;
  code
    .get(d)
    .op('i64.reinterpret_f64')
    .i64(sqrtHalf)
    .i64(32)
    .op('i64.shl')
    .op('i64.sub')
    .i64(52)
    .op('i64.shr_s')
    .set(e);
  code.get(d).op('i64.reinterpret_f64').get(e).i64(52).op('i64.shl').op('i64.sub').op('f64.reinterpret_i64').set(d);
  code.get(d).f64(1).op('f64.sub').get(d).f64(1).op('f64.add').op('f64.div').tee(s).get(s).op('f64.mul').set(z);
  code.f64(2 / (2 * ATANH_TERMS + 1));
  for (let i = ATANH_TERMS - 1; i >= 0; i--)
    code
      .get(z)
      .op('f64.mul')
      .f64(2 / (2 * i + 1))
      .op('f64.add');
  code.get(s).op('f64.mul');
  code.get(e).op('i32.wrap_i64').op('f64.convert_i32_s').f64(Math.LN2).op('f64.mul').op('f64.add');
}

/** Leaves exp(t) for |t| up to 1000 within what f32 can tell: beyond its range the f64 demotes to 0 or infinity. */
function emitExp64(code: Code, t: number): void {
  const [n, r] = [code.local('f64'), code.local('f64')];
  code.get(t).f64(-700).op('f64.max').f64(700).op('f64.min').set(t);
  code.get(t).f64(Math.LOG2E).op('f64.mul').op('f64.nearest').set(n);
  code.get(t).get(n).f64(Math.LN2).op('f64.mul').op('f64.sub').set(r);
  code.f64(1);
  for (let i = EXP_TERMS; i >= 1; i--)
    code
      .get(r)
      .op('f64.mul')
      .f64(1 / i)
      .op('f64.mul')
      .f64(1)
      .op('f64.add');
  code.get(n).op('i32.trunc_sat_f64_s').i32(1023).op('i32.add').op('i64.extend_i32_u').i64(52).op('i64.shl');
  code.op('f64.reinterpret_i64').op('f64.mul');
}

/** philox(seed, stream, step, index): the ten rounds of engine/util/philox.ts on one block, then the word of the index. */
export function philoxFunction(): Code {
  const code = new Code(['i32', 'i32', 'i32', 'i32'], ['i32']);
  const [c0, c1, c2, c3] = [code.local('i32'), code.local('i32'), code.local('i32'), code.local('i32')];
  const [p0, p1] = [code.local('i64'), code.local('i64')];
  code.get(3).i32(2).op('i32.shr_u').set(c0).get(2).set(c1);
  const product = (c: number, by: number) => code.get(c).op('i64.extend_i32_u').i64(by).op('i64.mul');
  for (let round = 0; round < PHILOX_ROUNDS; round++) {
    product(c0, PHILOX_M0).set(p0);
    product(c2, PHILOX_M1).set(p1);
    code.get(p1).i64(32).op('i64.shr_u').op('i32.wrap_i64').get(c1).op('i32.xor');
    code.get(0).i32(Math.imul(PHILOX_W0, round)).op('i32.add').op('i32.xor').set(c0);
    code.get(p0).i64(32).op('i64.shr_u').op('i32.wrap_i64').get(c3).op('i32.xor');
    code.get(1).i32(Math.imul(PHILOX_W1, round)).op('i32.add').op('i32.xor').set(c2);
    code.get(p1).op('i32.wrap_i64').set(c1).get(p0).op('i32.wrap_i64').set(c3);
  }
  const bit = (mask: number) => code.get(3).i32(mask).op('i32.and');
  code.get(c3).get(c2);
  bit(1).op('select').get(c1).get(c0);
  bit(1).op('select');
  return bit(2).op('select');
}
