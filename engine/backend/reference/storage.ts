/** What the reference backend's buffers are: typed arrays of their dtypes, f16 as its bits. */
import type { DType } from '../../ir/graph.ts';
import { floatsOfHalves, halfBits, halvesOf } from '../../util/half.ts';
import type { HostArray } from '../backend.ts';

export type Storage = HostArray | Uint16Array;

export const storageTypes = {
  f32: Float32Array,
  i32: Int32Array,
  u32: Uint32Array,
  bool: Uint32Array,
  u8: Uint8Array,
  f16: Uint16Array,
} as const satisfies Record<DType, unknown>;

/** What a buffer holds of a value: f16 the bits of the nearest one. */
export function stored(data: Storage, value: () => number): () => number {
  return data instanceof Uint16Array ? () => halfBits(value()) : value;
}

/** Copies `from` into a buffer of its dtype. */
export function putAll(data: Storage, from: HostArray, offset: number): void {
  data.set(data instanceof Uint16Array ? halvesOf(from) : from, offset);
}

/** A copy of the elements as the host has them: f16 comes as f32. */
export function copyOf(data: Storage, from: number, to: number | undefined): HostArray {
  const part = data.slice(from, to);
  return part instanceof Uint16Array ? floatsOfHalves(part) : part;
}
