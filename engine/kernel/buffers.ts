/** Buffers of a schedule that is being made. */
import type { DType } from '../ir/graph.ts';
import type { Buffer, BufferId } from './kernel.ts';

/** Bytes are for data sets at rest: a u8 value that a kernel stores becomes i32, which every device can write. */
export function newBuffer(
  buffers: Buffer[],
  name: string,
  kind: Buffer['kind'],
  dtype: DType,
  length: number,
): BufferId {
  return buffers.push({ name, kind, dtype: dtype === 'u8' ? 'i32' : dtype, length }) - 1;
}
