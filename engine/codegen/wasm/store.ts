/** Writes the results of a phase: all values first, then all stores, so that a buffer may be read and replaced in place. */
import type { Scalar } from '../../ir/scalar.ts';
import type { Store } from '../../kernel/kernel.ts';
import { bytesOf } from './access.ts';
import type { Local } from './encoder.ts';
import { emitEncodeHalf, emitSaturate } from './half.ts';
import type { MemoryOpcode } from './opcodes.ts';
import type { Mode, Values } from './values.ts';

export function emitStores(values: Values, stores: readonly Store[], mode: Mode): void {
  const { code } = values;
  if (stores.length === 1 && mode.form === 'scalar') {
    const [store] = stores;
    emitAddress(values, store!);
    values.emit(store!.value, 'scalar');
    if (isHalf(values, store!)) code.call(values.library.get('encode_f16'));
    code.memory(storeOpcode(values, store!), offsetOf(values, store!));
    return;
  }
  const results = stores.map(store =>
    Array.from({ length: mode.unroll }, (_, u) => {
      const local = code.local(mode.form === 'vector' ? 'v128' : store.value.type === 'f32' ? 'f32' : 'i32');
      values.emit(store.value, mode.form, u);
      code.set(local);
      return local;
    }),
  );
  stores.forEach((store, i) => {
    if (mode.form === 'vector' && isHalf(values, store) && access(values, store).stride === 1) {
      emitHalves(values, store, results[i]!);
      return;
    }
    results[i]!.forEach((local, u) => {
      if (mode.form === 'scalar') emitElement(values, store, local);
      else emitVector(values, store, local, u);
    });
  });
}

function access(values: Values, { buffer, at }: Store) {
  return values.access(buffer, at);
}

function offsetOf(values: Values, store: Store): number {
  return access(values, store).offset;
}

function storeOpcode(values: Values, { buffer, value }: Store): MemoryOpcode {
  const { dtype } = values.nest.places[buffer]!;
  if (dtype === 'f16') return 'i32.store16';
  if (dtype === 'u8') return 'i32.store8';
  return value.type === 'f32' ? 'f32.store' : 'i32.store';
}

function emitAddress(values: Values, store: Store): void {
  values.emit(access(values, store).address, 'scalar');
}

function isHalf(values: Values, { buffer }: Store): boolean {
  return values.nest.places[buffer]!.dtype === 'f16';
}

function emitElement(values: Values, store: Store, local: Local): void {
  emitAddress(values, store);
  values.code.get(local);
  if (isHalf(values, store)) values.code.call(values.library.get('encode_f16'));
  values.code.memory(storeOpcode(values, store), offsetOf(values, store));
}

/** Neighbouring vectors two by two. */
function emitHalves(values: Values, store: Store, locals: readonly Local[]): void {
  const { code } = values;
  const { offset } = access(values, store);
  for (let u = 0; u < locals.length; u += 2) {
    const pair = locals.slice(u, u + 2);
    for (const local of pair) {
      code.get(local);
      emitEncodeHalf(code);
      code.set(local);
    }
    emitAddress(values, store);
    code.get(pair[0]!).get(pair.at(-1)!).op('i16x8.narrow_i32x4_u');
    if (u + 1 < locals.length) code.memory('v128.store', offset + 8 * u, 1);
    else code.memoryLane('v128.store64_lane', 0, offset + 8 * u, 1);
  }
}

function emitVector(values: Values, store: Store, local: Local, u: number): void {
  const { code } = values;
  const { stride, offset } = access(values, store);
  const bytes = bytesOf(values.nest.places[store.buffer]!.dtype);
  if (stride === 1 && bytes === 4) {
    emitAddress(values, store);
    code.get(local);
    if (store.value.type === 'bool') code.i32x4(1).op('v128.and');
    code.memory('v128.store', offset + 16 * u, 2);
    return;
  }
  const half = isHalf(values, store);
  if (half) {
    code.get(local);
    emitEncodeHalf(code);
    emitSaturate(code);
    code.set(local);
  }
  const step = (stride ?? 0) * bytes;
  for (let lane = 0; lane < 4; lane++) {
    emitAddress(values, store);
    if (step < 0) code.i32(step * (4 * u + lane)).op('i32.add');
    code.get(local).lane(half ? 'i32x4.extract_lane' : laneOf(store.value), lane);
    if (store.value.type === 'bool') code.i32(1).op('i32.and');
    const behind = step < 0 ? 0 : step * (4 * u + lane);
    code.memory(storeOpcode(values, store), offset + behind);
  }
}

function laneOf(value: Scalar) {
  return value.type === 'f32' ? 'f32x4.extract_lane' : 'i32x4.extract_lane';
}
