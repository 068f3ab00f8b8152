/** Accumulators of reduce phases: one element, or vectors that are combined at the end in a fixed order. */
import type { Reducer, Scalar, ScalarType } from '../../ir/scalar.ts';
import { CONTROL } from './barrier.ts';
import type { Code, Local } from './encoder.ts';
import type { Opcode } from './opcodes.ts';
import type { Form, Mode, Values } from './values.ts';

export interface Accumulator {
  readonly reducer: Reducer;
  readonly value: Scalar;
  readonly single: Local | undefined;
  readonly vectors: readonly Local[];
  /** Of the vectors that are left when fewer than `vectors` remain. */
  readonly rest: Local | undefined;
  /** Winning positions of argmax, in the same order: the single one, or those of the vectors. */
  readonly positions: readonly Local[];
  results(form: Form): readonly Local[];
}

/** Creates and initialises the accumulators that the loops in `splits` need. */
export function createAccumulator(
  code: Code,
  { reducer, value }: { readonly reducer: Reducer; readonly value: Scalar },
  splits: readonly Mode[],
): Accumulator {
  const width = Math.max(0, ...splits.map(m => (m.form === 'vector' ? m.unroll : 0)));
  const needsSingle = splits.some(m => m.form === 'scalar');
  const initial = initialValue(reducer, value.type);
  const type = value.type === 'f32' ? 'f32' : 'i32';
  const single = needsSingle ? code.local(type) : undefined;
  if (single !== undefined) {
    if (type === 'f32') code.f32(initial).set(single);
    else code.i32(initial).set(single);
  }
  const vector = () => {
    const local = code.local('v128');
    if (type === 'f32') code.f32x4(initial).set(local);
    else code.i32x4(initial).set(local);
    return local;
  };
  const vectors = Array.from({ length: width }, vector);
  const rest = splits.some(m => m.form === 'vector' && m.unroll < width) ? vector() : undefined;
  const positions: Local[] = [];
  if (reducer === 'argmax') {
    const kinds = width > 0 ? vectors.map(() => 'v128' as const) : ['i32' as const];
    for (const kind of kinds) {
      const local = code.local(kind);
      if (kind === 'v128') code.i32x4(0).set(local);
      else code.i32(0).set(local);
      positions.push(local);
    }
  }
  const results = (form: Form) => {
    if (reducer === 'argmax') return positions;
    return form === 'vector' ? vectors : [single!];
  };
  return { reducer, value, single, vectors, rest, positions, results };
}

function initialValue(reducer: Reducer, type: ScalarType): number {
  if (reducer === 'sum') return 0;
  if (type === 'f32') return reducer === 'min' ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
  if (type === 'u32' || type === 'bool') return reducer === 'min' ? -1 : 0;
  return reducer === 'min' ? 0x7fffffff : -0x80000000;
}

/** Takes the current element (or elements) into the accumulator. `index` pushes the position along the inner axes. */
export function emitAccumulate(values: Values, accumulator: Accumulator, mode: Mode, index: () => void): void {
  const { code } = values;
  const { reducer, value, single, vectors, rest } = accumulator;
  if (reducer === 'argmax') {
    emitArgmax(values, accumulator, mode, index);
    return;
  }
  if (mode.form === 'vector') {
    for (let u = 0; u < mode.unroll; u++) {
      const sum = mode.unroll < vectors.length ? rest! : vectors[u]!;
      code.get(sum);
      values.emit(value, 'vector', u);
      emitCombine(code, reducer, value.type, 'vector');
      code.set(sum);
    }
    return;
  }
  code.get(single!);
  values.emit(value, 'scalar');
  emitCombine(code, reducer, value.type, 'scalar');
  code.set(single!);
}

/** Lanes run along an outer axis here, so each lane has its own race; an equal later value doesn't win. */
function emitArgmax(
  values: Values,
  { value, single, vectors, positions }: Accumulator,
  mode: Mode,
  index: () => void,
): void {
  const { code } = values;
  if (mode.form === 'vector') {
    for (let u = 0; u < mode.unroll; u++) {
      const [candidate, wins] = [code.local('v128'), code.local('v128')];
      values.emit(value, 'vector', u);
      code.tee(candidate).get(vectors[u]!);
      code.op(value.type === 'f32' ? 'f32x4.gt' : 'i32x4.gt_s').set(wins);
      index();
      code.op('i32x4.splat').get(positions[u]!).get(wins).op('v128.bitselect').set(positions[u]!);
      code.get(candidate).get(vectors[u]!).get(wins).op('v128.bitselect').set(vectors[u]!);
    }
    return;
  }
  const type = value.type === 'f32' ? 'f32' : 'i32';
  const candidate = code.local(type);
  values.emit(value, 'scalar');
  code
    .tee(candidate)
    .get(single!)
    .op(type === 'f32' ? 'f32.gt' : 'i32.gt_s');
  code.if(() => {
    code.get(candidate).set(single!);
    index();
    code.set(positions[0]!);
  });
}

/**
 * Folds the vectors, their lanes and the single element into one local. The vectors go through the thread's bytes of memory: V8 pairs
 * vectors, and all that they are made of, where it finds neighbouring stores.
 */
export function combineLanes(code: Code, accumulator: Accumulator, thread: Local): Local {
  const { reducer, value, single, vectors, rest, positions } = accumulator;
  if (reducer === 'argmax') return positions[0]!;
  if (vectors.length === 0) return single!;
  const type = value.type;
  if (vectors.length > 1) emitThroughMemory(code, vectors, thread);
  const all = rest === undefined ? vectors : [...vectors, rest];
  for (let width = all.length; width > 1; width = Math.ceil(width / 2)) {
    const half = Math.ceil(width / 2);
    for (let u = 0; u + half < width; u++) {
      code.get(all[u]!).get(all[u + half]!);
      emitCombine(code, reducer, type, 'vector');
      code.set(all[u]!);
    }
  }
  const total = vectors[0]!;
  const halves: readonly [number, number, number, number][] = [
    [2, 3, 0, 1],
    [1, 0, 3, 2],
  ];
  for (const swap of halves) {
    code
      .get(total)
      .get(total)
      .get(total)
      .shuffle(...swap);
    emitCombine(code, reducer, type, 'vector');
    code.set(total);
  }
  const result = single ?? code.local(type === 'f32' ? 'f32' : 'i32');
  code.get(total).lane(type === 'f32' ? 'f32x4.extract_lane' : 'i32x4.extract_lane', 0);
  if (type === 'bool') code.i32(1).op('i32.and');
  if (single !== undefined) {
    code.get(single);
    emitCombine(code, reducer, type, 'scalar');
  }
  code.set(result);
  return result;
}

function emitThroughMemory(code: Code, vectors: readonly Local[], thread: Local): void {
  const pointer = code.local('i32');
  code.get(thread).i32(CONTROL.lanesBytes).op('i32.mul').set(pointer);
  vectors.forEach((local, u) => {
    code
      .get(pointer)
      .get(local)
      .memory('v128.store', CONTROL.lanes + 16 * u, 4);
  });
  vectors.forEach((local, u) => {
    code
      .get(pointer)
      .memory('v128.load', CONTROL.lanes + 16 * u, 4)
      .set(local);
  });
}

function emitCombine(code: Code, reducer: Reducer, type: ScalarType, form: Form): void {
  const op = combineOpcode(reducer, type, form);
  if (op !== undefined) code.op(op);
  else {
    // Scalar integers have no minimum or maximum.
    const [a, b] = [code.local('i32'), code.local('i32')];
    const below: Opcode = type === 'i32' ? 'i32.lt_s' : 'i32.lt_u';
    code.set(b).set(a);
    if (reducer === 'min') code.get(a).get(b);
    else code.get(b).get(a);
    code.get(a).get(b).op(below).op('select');
  }
}

function combineOpcode(reducer: Reducer, type: ScalarType, form: Form): Opcode | undefined {
  const lanes = form === 'vector';
  if (type === 'bool') {
    const all = reducer === 'min';
    return lanes ? (all ? 'v128.and' : 'v128.or') : all ? 'i32.and' : 'i32.or';
  }
  if (type === 'f32') {
    if (reducer === 'sum') return lanes ? 'f32x4.add' : 'f32.add';
    if (reducer === 'max') return lanes ? 'f32x4.max' : 'f32.max';
    return lanes ? 'f32x4.min' : 'f32.min';
  }
  if (reducer === 'sum') return lanes ? 'i32x4.add' : 'i32.add';
  if (!lanes) return undefined;
  const unsigned = type === 'u32';
  if (reducer === 'max') return unsigned ? 'i32x4.max_u' : 'i32x4.max_s';
  return unsigned ? 'i32x4.min_u' : 'i32x4.min_s';
}
