/** Where the results of a loop lie, and how its carries get there before the first step. */
import type { NodeId } from '../ir/graph.ts';
import { type ScanAttributes, scanParts, slotAfter } from '../ops/primitives/scanParts.ts';
import { never } from '../util/errors.ts';
import { newBuffer } from './buffers.ts';
import type { Dataflow } from './dataflow.ts';
import type { Buffer, BufferId } from './kernel.ts';
import type { Place, Root } from './roots.ts';
import { add, constant } from './scalar.ts';

export interface ScanPlace {
  /** One buffer a result, in the order of the loop's value. */
  readonly parts: readonly { readonly buffer: BufferId; readonly start: number; readonly size: number }[];
  readonly writers: readonly Root[];
}

export function scanAttributes(flow: Dataflow, id: NodeId): ScanAttributes {
  return flow.node(id).attributes as ScanAttributes;
}

/** What a leaf or result of a body is by its name. */
export function leafOf(name: string): { readonly kind: string; readonly at: number } {
  const [, kind, at] = /^(\D+)(\d+)$/.exec(name) ?? [];
  if (kind === undefined) throw never('a body has a leaf of another name', name);
  return { kind, at: Number(at) };
}

/** The sequence or constant around the loop that a leaf of its body is read from; undefined for a carry. */
export function leafSource(flow: Dataflow, id: NodeId, name: string): NodeId | undefined {
  const { carries, sequences } = scanAttributes(flow, id);
  const { kind, at } = leafOf(name);
  if (kind === 'carry') return undefined;
  return flow.node(id).inputs[carries + (kind === 'sequence' ? at : sequences + at)];
}

/** A buffer for each result. `store` has the carries before the first step written into their slots, and tells who does that beside their own kernels. */
export function placeScan(
  flow: Dataflow,
  id: NodeId,
  buffers: Buffer[],
  store: (value: NodeId, place: Place) => Root | undefined,
): ScanPlace {
  const attributes = scanAttributes(flow, id);
  const { label, inputs } = flow.node(id);
  const layout = scanParts(attributes);
  const parts = layout.map(part => {
    const size = part.slots * Number(part.size);
    const buffer = newBuffer(buffers, label ?? 'scan', 'temporary', 'f32', size);
    return { buffer, start: Number(part.offset), size };
  });
  const writers = inputs.slice(0, attributes.carries).map((input, i) => {
    const size = flow.size(input);
    const first = slotAfter(attributes, i, 0) * size;
    return store(input, { buffer: parts[i]!.buffer, at: flat => add(flat, constant(first)), size });
  });
  return { parts, writers: writers.filter(w => w !== undefined) };
}
