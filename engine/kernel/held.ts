/** What a step holds in memory and for how long, by the nodes of its graph: a forecast of the memory plan that can be taken apart. */
import type { NodeId } from '../ir/graph.ts';
import type { BufferId } from './kernel.ts';
import { bytesOf } from './memory.ts';
import type { Order } from './order.ts';
import type { Plan, Root } from './roots.ts';

/** Values that lie in one buffer. Times are node ids: kernels run in their order. */
export interface Held {
  readonly roots: readonly Root[];
  /** 0 for a persistent buffer. */
  readonly bytes: number;
  readonly first: NodeId;
  /** When the last of them is computed. */
  readonly complete: NodeId;
  /** Ascending. */
  readonly reads: readonly NodeId[];
}

export interface Holdings {
  readonly all: readonly Held[];
  of(root: Root): Held;
}

export function holdings(plan: Plan, order: Order): Holdings {
  const groups = new Map<Root | BufferId, Root[]>();
  const keyOf = (root: Root): Root | BufferId => root.places.find(place => place.base === undefined)?.buffer ?? root;
  for (const root of plan.roots) groups.set(keyOf(root), [...(groups.get(keyOf(root)) ?? []), root]);
  const reads = new Map<Root | BufferId, NodeId[]>();
  for (const reader of plan.roots) {
    for (const key of new Set([...order.reads[reader.order]!].map(keyOf)))
      reads.set(key, [...(reads.get(key) ?? []), reader.node]);
  }
  const bytes = (key: Root | BufferId): number => {
    if (typeof key !== 'number') return plan.flow.size(key.node) * bytesOf(plan.flow.node(key.node).type.dtype);
    const { kind, length, dtype } = plan.buffers[key]!;
    return kind === 'temporary' ? length * bytesOf(dtype) : 0;
  };
  const held = new Map(
    [...groups].map(([key, roots]): [Root | BufferId, Held] => {
      const nodes = roots.map(root => root.node);
      const readers = (reads.get(key) ?? []).toSorted((a, b) => a - b);
      return [
        key,
        { roots, bytes: bytes(key), first: Math.min(...nodes), complete: Math.max(...nodes), reads: readers },
      ];
    }),
  );
  return { all: [...held.values()], of: root => held.get(keyOf(root))! };
}

/** When the value is of no use any more. */
export const lastUse = ({ complete, reads }: Held): NodeId => Math.max(complete, reads.at(-1) ?? complete);

/** The moment at which most is held, and how much that is. */
export function peakOf(all: readonly Held[]): { readonly at: NodeId; readonly bytes: number } {
  const changes = new Map<NodeId, number>();
  const change = (at: NodeId, by: number) => changes.set(at, (changes.get(at) ?? 0) + by);
  for (const each of all) {
    change(each.first, each.bytes);
    change(lastUse(each) + 1, -each.bytes);
  }
  let peak = { at: 0, bytes: 0 };
  let bytes = 0;
  for (const [at, by] of [...changes].sort(([a], [b]) => a - b)) {
    bytes += by;
    if (bytes > peak.bytes) peak = { at, bytes };
  }
  return peak;
}
