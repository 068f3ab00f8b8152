/** Groups to kernels: which values are stored where, the phases of a loop, the operands of a product. */
import type { NodeId } from '../ir/graph.ts';
import type { Reducer, Scalar } from '../ir/scalar.ts';
import { flatten } from '../ir/scalars.ts';
import { never } from '../util/errors.ts';
import { newBuffer } from './buffers.ts';
import { scalarType } from './dataflow.ts';
import {
  axesOf,
  extentsOf,
  type Group,
  type GroupReader,
  groupReader,
  type Member,
  memberScalar,
  operandScalars,
  placeIndex,
} from './group.ts';
import type { Kernel, LoopKernel, MatmulKernel, Phase, ScatterKernel, Store } from './kernel.ts';
import type { Order } from './order.ts';
import { storedOrder } from './permuted.ts';
import type { Plan, Root } from './roots.ts';
import { add, constant, mapScalar, mul, reduced, walkScalar } from './scalar.ts';
import { loadStored } from './stored.ts';

export interface EmitOptions {
  /** The kernels of a loop. */
  readonly scan: (plan: Plan, root: Root) => readonly Kernel[];
  /** What becomes of the other kernels. */
  readonly finish: (kernel: Kernel) => Kernel;
}

/** One kernel a group but for loops, in an order that respects `order`; temporaries are added to the plan's buffers. */
export function emitKernels(
  plan: Plan,
  order: Order,
  groups: readonly Group[],
  options: EmitOptions,
): readonly Kernel[] {
  giveTemporaries(plan, order, groups);
  return sortGroups(order, groups).flatMap(group => {
    const [first] = group.members.keys();
    if (group.kind === 'scan') return options.scan(plan, first!);
    const primary = (node: NodeId, flat: Scalar) => loadStored(plan, node, flat, extentsOf(group));
    const reader = groupReader(plan, group, primary, root => root.order);
    const kernel = options.finish(emitGroup(plan, group, reader));
    if (reader.illegal()) throw never('a group reads its own stores');
    return [kernel];
  });
}

function emitGroup(plan: Plan, group: Group, reader: GroupReader): Kernel {
  if (group.kind === 'matmul') return emitMatmul(plan, group, reader);
  return group.kind === 'scatter' ? emitScatter(plan, group, reader) : emitLoop(plan, group, reader);
}

/** What other kernels read and has no readable place yet gets a temporary, and so does every scatter, which clears its whole buffer. */
function giveTemporaries(plan: Plan, order: Order, groups: readonly Group[]): void {
  const needed = new Set<Root>(plan.roots.filter(r => r.kind === 'scatter'));
  for (const { members } of groups) {
    for (const root of members.keys())
      for (const read of order.reads[root.order]!) if (!members.has(read)) needed.add(read);
  }
  for (const root of needed) {
    if (root.kind === 'scan' || root.places.some(p => p.base === undefined)) continue;
    const { type, label, op } = plan.flow.node(root.node);
    const size = plan.flow.size(root.node);
    const buffer = newBuffer(plan.buffers, label ?? op, 'temporary', type.dtype, size);
    root.places.push({ buffer, at: storedOrder(plan.flow, root.node), size });
  }
}

/** Topological, first come first. */
function sortGroups(order: Order, groups: readonly Group[]): readonly Group[] {
  const groupOf = new Map(groups.flatMap(g => [...g.members.keys()].map(root => [root, g] as const)));
  const before = new Map(groups.map(g => [g, new Set<Group>()]));
  for (const [root, from] of groupOf) {
    for (const next of order.after[root.order]!)
      if (groupOf.get(next) !== from) before.get(groupOf.get(next)!)!.add(from);
  }
  const first = (g: Group) => Math.min(...[...g.members.keys()].map(r => r.order));
  const waiting = [...groups].sort((a, b) => first(a) - first(b));
  const sorted: Group[] = [];
  const done = new Set<Group>();
  while (waiting.length > 0) {
    const at = waiting.findIndex(g => [...before.get(g)!].every(b => done.has(b)));
    if (at < 0) throw never('kernels wait for each other');
    const [next] = waiting.splice(at, 1);
    sorted.push(next!);
    done.add(next!);
  }
  return sorted;
}

function storesOf(plan: Plan, reader: GroupReader, root: Root, member: Member, value: Scalar): Store[] {
  return root.places.map(place => ({
    buffer: place.buffer,
    at: placeIndex(plan, reader, place, member.flat),
    value: plan.buffers[place.buffer]!.dtype === 'f16' ? unrounded(value) : value,
  }));
}

/** A store to a buffer of f16 rounds. */
function unrounded(value: Scalar): Scalar {
  return value.kind === 'apply' && value.op === 'round_f16' ? value.args[0]! : value;
}

function emitMatmul(plan: Plan, group: Group, reader: GroupReader): MatmulKernel {
  const [batch, m, n] = group.outer as [number, number, number];
  const root = [...group.members.keys()].find(r => r.kind === 'matmul')!;
  const zero = (s: Scalar) => mapScalar(s, x => (x.kind === 'reduced' ? reduced(0, x.type) : x));
  const stores = [...group.members].flatMap(([r, member]) => {
    const value = r === root ? reduced(0, 'f32') : zero(memberScalar(plan, group, reader, r, member));
    return storesOf(plan, reader, r, member, value);
  });
  return {
    kind: 'matmul',
    name: nameOf(plan, group),
    batch,
    m,
    n,
    k: group.inner[0]!,
    ...operandScalars(plan, reader, root),
    stores,
  };
}

/** Updates at row `indices[i]`: an index out of range lands outside the buffer, below or above, whatever the row's length. */
function emitScatter(plan: Plan, group: Group, reader: GroupReader): ScatterKernel {
  const [root] = group.members.keys();
  const [indices, updates] = plan.flow.node(root!.node).inputs as [NodeId, NodeId];
  const index = axesOf(plan.flow.shape(updates));
  const rank = plan.flow.shape(indices).length;
  const rest = plan.flow.shape(updates).slice(rank);
  const row = mul(reader.read(indices, index.slice(0, rank)), constant(rest.reduce((a, b) => a * b, 1)));
  const at = reader.simplify(add(row, flatten(index.slice(rank), rest)));
  const { buffer } = root!.places[0]!;
  return {
    kind: 'scatter',
    name: nameOf(plan, group),
    axes: group.outer,
    buffer,
    at,
    value: reader.read(updates, index),
  };
}

/** Reductions in as few phases as their dependencies allow, then stores along the rows, then stores of one value a row. */
function emitLoop(plan: Plan, group: Group, reader: GroupReader): LoopKernel {
  const members = [...group.members].sort((a, b) => a[0].order - b[0].order);
  const values = new Map(members.map(([root, member]) => [root, memberScalar(plan, group, reader, root, member)]));
  const level = new Map<number, number>();
  const levels: Root[][] = [];
  for (const [root] of members) {
    if (root.kind !== 'reduce') continue;
    let deepest = -1;
    walkScalar(values.get(root)!, x => {
      if (x.kind === 'reduced') deepest = Math.max(deepest, level.get(x.slot)!);
    });
    level.set(root.order, deepest + 1);
    levels[deepest + 1] = [...(levels[deepest + 1] ?? []), root];
  }
  const slots = new Map(levels.flat().map((root, slot) => [root.order, slot]));
  const seen = new Map<Scalar, Scalar>();
  const renumber = (s: Scalar) =>
    mapScalar(s, x => (x.kind === 'reduced' ? reduced(slots.get(x.slot)!, x.type) : x), seen);

  const phases: Phase[] = levels.map(roots => ({
    kind: 'reduce',
    slots: roots.map(root => ({
      reducer: plan.flow.node(root.node).op as Reducer,
      value: renumber(values.get(root)!),
    })),
  }));
  for (const over of ['inner', 'outer'] as const) {
    const stores = members
      .filter(([, member]) => member.over === over)
      .flatMap(([root, member]) => {
        const type = scalarType(plan.flow.node(root.node).type.dtype);
        const value = root.kind === 'reduce' ? reduced(slots.get(root.order)!, type) : renumber(values.get(root)!);
        return storesOf(plan, reader, root, member, value);
      });
    if (stores.length > 0) phases.push({ kind: 'store', over, stores });
  }
  return { kind: 'loop', name: nameOf(plan, group), axes: group.outer, inner: group.inner, phases };
}

/** What the kernel does and for whom: its main operation, the source label, the states it updates. */
function nameOf(plan: Plan, group: Group): string {
  const roots = [...group.members.keys()];
  const main =
    roots.find(r => r.kind === 'matmul' || r.kind === 'scatter') ?? roots.find(r => r.kind === 'reduce') ?? roots[0]!;
  const node = plan.flow.node(main.node);
  const label = node.label ?? roots.map(r => plan.flow.node(r.node).label).find(l => l !== undefined);
  const places = roots.flatMap(r => r.places.map(p => plan.buffers[p.buffer]!));
  const states = [...new Set(places.filter(b => b.kind === 'state').map(b => b.name))];
  const parts = [
    main.kind === 'copy' ? 'copy' : node.op,
    ...(label ? [label] : []),
    ...(states.length > 0 ? [`-> ${states.join(', ')}`] : []),
  ];
  return parts.join(' ');
}
