/** Instructions of the scalar operations, on one element and on four lanes. Operands are on the stack, except those of `select`, whose condition comes last. */
import type { ScalarOp, ScalarType } from '../../ir/scalar.ts';
import { never } from '../../util/errors.ts';
import type { Code } from './encoder.ts';
import { isVectorFunction, type Library } from './library.ts';
import { VECTOR_FUNCTIONS } from './math.ts';
import type { Opcode } from './opcodes.ts';

type Numeric = 'f32' | 'i32' | 'u32';
type Table = Partial<Record<ScalarOp, Readonly<Record<Numeric, Opcode | undefined>>>>;

const row = (f32: Opcode | undefined, i32?: Opcode, u32: Opcode | undefined = i32) => ({ f32, i32, u32 });

const SCALAR: Table = {
  neg: row('f32.neg'),
  abs: row('f32.abs'),
  floor: row('f32.floor'),
  ceil: row('f32.ceil'),
  round: row('f32.nearest'),
  sqrt: row('f32.sqrt'),
  add: row('f32.add', 'i32.add'),
  sub: row('f32.sub', 'i32.sub'),
  mul: row('f32.mul', 'i32.mul'),
  div: row('f32.div', 'i32.div_s', 'i32.div_u'),
  mod: row(undefined, 'i32.rem_s', 'i32.rem_u'),
  min: row('f32.min'),
  max: row('f32.max'),
  lt: row('f32.lt', 'i32.lt_s', 'i32.lt_u'),
  le: row('f32.le', 'i32.le_s', 'i32.le_u'),
  eq: row('f32.eq', 'i32.eq'),
  ne: row('f32.ne', 'i32.ne'),
  and: row(undefined, 'i32.and'),
  or: row(undefined, 'i32.or'),
  xor: row(undefined, 'i32.xor'),
  shl: row(undefined, 'i32.shl'),
  shr: row(undefined, 'i32.shr_s', 'i32.shr_u'),
  select: { f32: 'select', i32: 'select', u32: 'select' },
};

const VECTOR: Table = {
  neg: row('f32x4.neg', 'i32x4.neg'),
  abs: row('f32x4.abs', 'i32x4.abs'),
  floor: row('f32x4.floor'),
  ceil: row('f32x4.ceil'),
  round: row('f32x4.nearest'),
  sqrt: row('f32x4.sqrt'),
  add: row('f32x4.add', 'i32x4.add'),
  sub: row('f32x4.sub', 'i32x4.sub'),
  mul: row('f32x4.mul', 'i32x4.mul'),
  div: row('f32x4.div'),
  min: row('f32x4.min', 'i32x4.min_s', 'i32x4.min_u'),
  max: row('f32x4.max', 'i32x4.max_s', 'i32x4.max_u'),
  lt: row('f32x4.lt', 'i32x4.lt_s', 'i32x4.lt_u'),
  le: row('f32x4.le', 'i32x4.le_s', 'i32x4.le_u'),
  eq: row('f32x4.eq', 'i32x4.eq'),
  ne: row('f32x4.ne', 'i32x4.ne'),
  and: row(undefined, 'v128.and'),
  or: row(undefined, 'v128.or'),
  xor: row(undefined, 'v128.xor'),
  shl: row(undefined, 'i32x4.shl'),
  shr: row(undefined, 'i32x4.shr_s', 'i32x4.shr_u'),
  select: row('v128.bitselect', 'v128.bitselect'),
};

/** bool is 0 or 1 in scalar code and counts as i32 there. */
function numeric(type: ScalarType): Numeric {
  return type === 'bool' ? 'i32' : type;
}

/** One operation on one element. `from` is the operands' type (of the arms, for `select`). */
export function emitScalarOp(code: Code, library: Library, op: ScalarOp, from: ScalarType, to: ScalarType): void {
  const opcode = SCALAR[op]?.[numeric(from)];
  if (opcode !== undefined) code.op(opcode);
  else if (isVectorFunction(op) || op === 'pow' || op === 'philox') code.call(library.get(op));
  else if (op === 'cast') emitScalarCast(code, from, to);
  else emitScalarSequence(code, op, from, to);
}

function emitScalarSequence(code: Code, op: ScalarOp, from: ScalarType, to: ScalarType): void {
  const type = from === 'f32' ? 'f32' : 'i32';
  switch (op) {
    case 'neg':
      code.i32(-1).op('i32.mul');
      return;
    case 'not':
      if (from === 'bool') code.op('i32.eqz');
      else code.i32(-1).op('i32.xor');
      return;
    case 'bitcast':
      if (from === 'f32' && to !== 'f32') code.op('i32.reinterpret_f32');
      else if (from !== 'f32' && to === 'f32') code.op('f32.reinterpret_i32');
      return;
    case 'isfinite':
      code.op('i32.reinterpret_f32').i32(0x7f800000).op('i32.and').i32(0x7f800000).op('i32.ne');
      return;
    case 'min':
    case 'max':
    case 'abs':
    case 'sign':
    case 'mod':
      emitWithOperands(code, op, from, type);
      return;
    default:
      throw never(`no scalar instruction for ${op} on ${from}`);
  }
}

/** Operations that read an operand twice. */
function emitWithOperands(
  code: Code,
  op: 'min' | 'max' | 'abs' | 'sign' | 'mod',
  from: ScalarType,
  type: 'f32' | 'i32',
): void {
  const [a, b] = [code.local(type), code.local(type)];
  const unsigned = from === 'u32';
  if (op === 'min' || op === 'max') {
    const below: Opcode = unsigned ? 'i32.lt_u' : 'i32.lt_s';
    code.set(b).set(a).get(a).get(b);
    if (op === 'min') code.get(a).get(b);
    else code.get(b).get(a);
    code.op(below).op('select');
  } else if (op === 'abs') {
    code.tee(a).i32(-1).op('i32.mul').get(a).get(a).i32(0).op('i32.lt_s').op('select');
  } else if (op === 'mod') {
    // a - trunc(a / b) b
    code.set(b).tee(a).get(a).get(b).op('f32.div').op('f32.trunc').get(b).op('f32.mul').op('f32.sub');
  } else {
    emitSign(code, a, type);
  }
}

/** (x > 0) - (x < 0); NaN stays NaN. */
function emitSign(code: Code, a: number, type: 'f32' | 'i32'): void {
  code.set(a);
  if (type === 'i32') {
    code.get(a).i32(0).op('i32.gt_s').get(a).i32(0).op('i32.lt_s').op('i32.sub');
    return;
  }
  code.f32(1).get(a).op('f32.copysign').get(a).get(a).op('f32.abs').f32(0).op('f32.gt').op('select');
}

function emitScalarCast(code: Code, from: ScalarType, to: ScalarType): void {
  if (to === 'f32' && from !== 'f32') code.op(from === 'u32' ? 'f32.convert_i32_u' : 'f32.convert_i32_s');
  else if (to === 'bool' && from === 'f32') code.f32(0).op('f32.ne');
  else if (to === 'bool' && from !== 'bool') code.i32(0).op('i32.ne');
  else if (from === 'f32' && to === 'i32') code.op('i32.trunc_sat_f32_s');
  else if (from === 'f32' && to === 'u32') code.op('i32.trunc_sat_f32_u');
}

/** True if the operation has instructions for four lanes; the others are done lane by lane with scalar code. */
export function hasVectorOp(op: ScalarOp, from: ScalarType): boolean {
  if (VECTOR[op]?.[numeric(from)] !== undefined || isVectorFunction(op)) return true;
  return op === 'cast' || op === 'bitcast' || op === 'isfinite' || op === 'not' || (op === 'sign' && from === 'f32');
}

/** One operation on four lanes; bools are masks of all ones or all zeros. */
export function emitVectorOp(code: Code, library: Library, op: ScalarOp, from: ScalarType, to: ScalarType): void {
  if (from === 'bool' && (op === 'eq' || op === 'ne')) {
    code.op('v128.xor');
    if (op === 'eq') code.op('v128.not');
    return;
  }
  const opcode = VECTOR[op]?.[numeric(from)];
  if (opcode !== undefined) code.op(opcode);
  else if (isVectorFunction(op)) VECTOR_FUNCTIONS[op](code, library.fused);
  else if (op === 'cast') emitVectorCast(code, from, to);
  else if (op === 'not') code.op('v128.not');
  else if (op === 'isfinite') code.i32x4(0x7f800000).op('v128.and').i32x4(0x7f800000).op('i32x4.ne');
  else if (op === 'sign') emitVectorSign(code);
  else if (op !== 'bitcast') throw never(`no vector instruction for ${op} on ${from}`);
}

function emitVectorSign(code: Code): void {
  const a = code.local('v128');
  code.tee(a).i32x4(0x80000000).op('v128.and').f32x4(1).op('v128.or').get(a);
  code.get(a).op('f32x4.abs').f32x4(0).op('f32x4.gt').op('v128.bitselect');
}

function emitVectorCast(code: Code, from: ScalarType, to: ScalarType): void {
  if (from === 'bool' && to !== 'bool') {
    if (to === 'f32') code.f32x4(1).op('v128.and');
    else code.i32x4(1).op('v128.and');
  } else if (to === 'f32' && from !== 'f32') {
    code.op(from === 'u32' ? 'f32x4.convert_i32x4_u' : 'f32x4.convert_i32x4_s');
  } else if (to === 'bool' && from === 'f32') code.f32x4(0).op('f32x4.ne');
  else if (to === 'bool' && from !== 'bool') code.i32x4(0).op('i32x4.ne');
  else if (from === 'f32' && to === 'i32') code.op('i32x4.trunc_sat_f32x4_s');
  else if (from === 'f32' && to === 'u32') code.op('i32x4.trunc_sat_f32x4_u');
}
