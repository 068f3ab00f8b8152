/** Turns scalar expressions into closures over the loop variables, reduced slots and buffers of a kernel. */
import type { Scalar, ScalarOp, ScalarType } from '../../ir/scalar.ts';
import { never } from '../../util/errors.ts';
import { halfValue, roundToHalf } from '../../util/half.ts';
import { bitsOfFloat, erf, floatOfBits, roundEven, truncateToI32, truncateToU32 } from '../../util/numbers.ts';
import { philox } from '../../util/philox.ts';
import type { Storage } from './storage.ts';

export type Thunk = () => number;

/** The state of a running kernel that closures read. */
export interface Point {
  readonly axes: Int32Array;
  readonly slots: Float64Array;
  /** Changes with every point, so that what several expressions share is computed once a point. */
  tick: number;
}

/** Compiles the scalars of one kernel; those that occur in several places, by identity, are evaluated once a point. */
export function scalarCompiler(
  scalars: readonly Scalar[],
  point: Point,
  buffers: readonly Storage[],
): (s: Scalar) => Thunk {
  const shared = sharedScalars(scalars);
  const known = new Map<Scalar, Thunk>();
  const compile = (s: Scalar): Thunk => {
    let thunk = known.get(s);
    if (thunk === undefined) {
      thunk = shared.has(s) ? onceAPoint(build(s), point) : build(s);
      known.set(s, thunk);
    }
    return thunk;
  };
  const build = (s: Scalar): Thunk => {
    switch (s.kind) {
      case 'constant':
        return constantThunk(s.type === 'f32' ? Math.fround(s.value) : s.value);
      case 'axis':
        return axisThunk(point.axes, s.axis);
      case 'reduced':
        return slotThunk(point.slots, s.slot);
      case 'load':
        return loadThunk(buffers[s.buffer]!, compile(s.at), s.buffer);
      case 'apply':
        return applyThunk(s.op, s.type, s.args[0]!.type, s.args.map(compile));
    }
  };
  return compile;
}

/** Operations and loads that more than one expression uses. */
function sharedScalars(scalars: readonly Scalar[]): ReadonlySet<Scalar> {
  const seen = new Set<Scalar>();
  const shared = new Set<Scalar>();
  const visit = (s: Scalar): void => {
    if (s.kind !== 'apply' && s.kind !== 'load') return;
    if (seen.has(s)) {
      shared.add(s);
      return;
    }
    seen.add(s);
    for (const part of s.kind === 'load' ? [s.at] : s.args) visit(part);
  };
  scalars.forEach(visit);
  return shared;
}

function onceAPoint(thunk: Thunk, point: Point): Thunk {
  let tick = -1;
  let value = 0;
  return () => {
    if (tick !== point.tick) {
      value = thunk();
      tick = point.tick;
    }
    return value;
  };
}

const constantThunk =
  (value: number): Thunk =>
  () =>
    value;
const axisThunk =
  (axes: Int32Array, axis: number): Thunk =>
  () =>
    axes[axis]!;
const slotThunk =
  (slots: Float64Array, slot: number): Thunk =>
  () =>
    slots[slot]!;

/** A load outside its buffer is our bug: other backends would read something else in silence. */
function loadThunk(data: Storage, at: Thunk, buffer: number): Thunk {
  const load = () => {
    const value = data[at()];
    if (value === undefined) throw never(`load outside buffer ${buffer} of length ${data.length}`, at());
    return value;
  };
  return data instanceof Uint16Array ? () => halfValue(load()) : load;
}

type Unary = (x: number) => number;
type Binary = (x: number, y: number) => number;

const unaryOps: Partial<Record<ScalarOp, Unary>> = {
  neg: x => -x,
  abs: Math.abs,
  sign: Math.sign,
  floor: Math.floor,
  ceil: Math.ceil,
  round: roundEven,
  sqrt: Math.sqrt,
  exp: Math.exp,
  log: Math.log,
  tanh: Math.tanh,
  erf,
  sin: Math.sin,
  cos: Math.cos,
  not: x => (x === 0 ? 1 : 0),
  round_f16: roundToHalf,
  isfinite: x => (Number.isFinite(x) ? 1 : 0),
};

const binaryOps: Partial<Record<ScalarOp, Binary>> = {
  add: (x, y) => x + y,
  sub: (x, y) => x - y,
  mul: (x, y) => x * y,
  div: (x, y) => x / y,
  mod: (x, y) => x % y,
  pow: (x, y) => x ** y,
  min: Math.min,
  max: Math.max,
  lt: (x, y) => (x < y ? 1 : 0),
  le: (x, y) => (x <= y ? 1 : 0),
  eq: (x, y) => (x === y ? 1 : 0),
  ne: (x, y) => (x !== y ? 1 : 0),
  and: (x, y) => x & y,
  or: (x, y) => x | y,
  xor: (x, y) => x ^ y,
  shl: (x, y) => x << y,
};

/** What keeps a result within its type after every operation: f32 rounds, integers wrap, a bool is 0 or 1 already. */
const fits: Readonly<Record<ScalarType, Unary>> = {
  f32: Math.fround,
  i32: x => x | 0,
  u32: x => x >>> 0,
  bool: x => x,
};

function applyThunk(op: ScalarOp, type: ScalarType, from: ScalarType, args: readonly Thunk[]): Thunk {
  const [a, b, c, d] = args as [Thunk, Thunk, Thunk, Thunk];
  // Only the branch that is taken is evaluated: the other may load what isn't there.
  if (op === 'select') return () => (a() === 0 ? c() : b());
  if (op === 'philox') return () => philox(a(), b(), c(), d());
  if (op === 'cast') return unaryThunk(conversion(from, type), a);
  if (op === 'bitcast') return unaryThunk(reinterpretation(from, type), a);
  if (op === 'shr') return type === 'u32' ? () => a() >>> b() : () => a() >> b();
  const unary = unaryOps[op];
  if (unary !== undefined) return unaryThunk(unary, a, fits[type]);
  const binary = op === 'mul' && type !== 'f32' ? Math.imul : binaryOps[op];
  if (binary === undefined) throw never('no such scalar operation', op);
  return binaryThunk(binary, a, b, fits[type]);
}

function unaryThunk(f: Unary, a: Thunk, store?: Unary): Thunk {
  return store === undefined ? () => f(a()) : () => store(f(a()));
}

function binaryThunk(f: Binary, a: Thunk, b: Thunk, store: Unary): Thunk {
  return () => store(f(a(), b()));
}

function conversion(from: ScalarType, to: ScalarType): Unary {
  if (to === 'bool') return x => (x === 0 ? 0 : 1);
  if (from !== 'f32') return fits[to];
  if (to === 'i32') return truncateToI32;
  return to === 'u32' ? truncateToU32 : x => x;
}

function reinterpretation(from: ScalarType, to: ScalarType): Unary {
  if (from === 'f32') return to === 'i32' ? x => bitsOfFloat(x) | 0 : bitsOfFloat;
  return to === 'f32' ? x => floatOfBits(x >>> 0) : fits[to];
}
