/** Merges roots into groups, greedily and in order: consumers into their producers' kernels, equals with equals, small change together. */
import type { Scalar } from '../ir/scalar.ts';
import { flatten } from '../ir/scalars.ts';
import { product, scalarType } from './dataflow.ts';
import { axesOf, type Group, groupReader, memberScalar, operandScalars, placeIndex, singleton, squeeze, withFlatMember, withMember } from './group.ts';
import type { Order } from './order.ts';
import { spreadIndex } from './read.ts';
import type { Plan, Root } from './roots.ts';
import { axis, constant, load, walkScalar } from './scalar.ts';

/** Persistent buffers a kernel may touch: WebGPU grants 8 bindings, one is the arena. */
const BUFFER_LIMIT = 7;
/** A kernel with few rows has no parallelism left for long inner stores. */
const FEW_ROWS = 16;
const LONG_ROW = 4096;
const EPILOGUE_STORES = 4;

/** The groups of a plan, each root in one of them. */
export function fuseRoots(plan: Plan, order: Order): readonly Group[] {
  const groupOf = new Map<Root, Group>(plan.roots.map(root => [root, singleton(plan, root)]));
  const settle = (group: Group) => {
    for (const root of group.members.keys()) groupOf.set(root, group);
  };
  const attempt = (merged: Group | undefined): boolean => {
    if (!merged || closesCycle(order, groupOf, merged) || !legal(plan, merged)) return false;
    settle(merged);
    return true;
  };
  for (const root of plan.roots) {
    for (const group of candidates(plan, order, groupOf, root)) {
      const own = groupOf.get(root)!;
      if (own.members.size > 1) break;
      if (group !== own && attempt(join(plan, order, group, root))) break;
    }
  }
  mergeSmall(groupOf, attempt);
  return [...new Set(groupOf.values())];
}

/** Groups that `root` might join: those it reads from, the latest first, then earlier ones of the same domain that read the same things. */
function candidates(plan: Plan, order: Order, groupOf: ReadonlyMap<Root, Group>, root: Root): Iterable<Group> {
  const found = new Set<Group>();
  const producers = [...order.reads[root.order]!].sort((a, b) => b.order - a.order);
  for (const producer of producers) found.add(groupOf.get(producer)!);
  for (const other of plan.roots) {
    if (other === root || found.has(groupOf.get(other)!)) continue;
    if (size(root) === 1 && outerSize(groupOf.get(other)!) === 1) found.add(groupOf.get(other)!);
    else if (sameDomain(root, other) && shareReads(order, root, other)) found.add(groupOf.get(other)!);
  }
  return found;
}

const size = (root: Root): number => product(root.shape);
const outerSize = (group: Group): number => product(group.outer);
const equal = (a: readonly number[], b: readonly number[]): boolean => a.length === b.length && a.every((n, d) => n === b[d]);

function sameDomain(a: Root, b: Root): boolean {
  return equal(squeeze(a.shape), squeeze(b.shape));
}

function shareReads({ reads, leaves }: Order, a: Root, b: Root): boolean {
  const common = <T>(x: ReadonlySet<T>, y: ReadonlySet<T>) => [...x].some(item => y.has(item));
  return common(reads[a.order]!, reads[b.order]!) || common(leaves[a.order]!, leaves[b.order]!);
}

/** `group` with `root` in it, if their domains fit. */
function join(plan: Plan, order: Order, group: Group, root: Root): Group | undefined {
  if (root.kind === 'matmul' || root.kind === 'scatter' || group.kind === 'scatter') return undefined;
  if (root.kind === 'reduce') return group.kind === 'loop' ? joinReduction(plan, group, root) : undefined;
  const flat = flatten(group.outer.map((_, n) => axis(n)), group.outer);
  if (group.kind === 'matmul') {
    const reads = [...order.reads[root.order]!].some(r => group.members.has(r));
    const fits = reads && size(root) === outerSize(group) && group.members.size < EPILOGUE_STORES + 2;
    return fits ? withFlatMember(group, root, flat, 'outer') : undefined;
  }
  if (size(root) === outerSize(group)) return withFlatMember(group, root, flat, 'outer');
  if (group.inner.length > 0 && size(root) === outerSize(group) * product(group.inner) && manyRows(group)) {
    return withFlatMember(group, root, rowElement(plan, group), 'inner');
  }
  return undefined;
}

function manyRows(group: Group): boolean {
  return outerSize(group) >= FEW_ROWS || product(group.inner) <= LONG_ROW;
}

/** Row-major number, within the tensor that the group's reductions run over, of the point at hand. */
function rowElement(plan: Plan, group: Group): Scalar {
  const reduction = [...group.members].find(([root]) => root.kind === 'reduce');
  if (!reduction) throw new Error('a loop with inner axes has a reduction');
  const [root, member] = reduction;
  const inner = group.inner.map((_, n) => axis(group.outer.length + n));
  const input = plan.flow.node(root.node).inputs[0]!;
  return flatten(spreadIndex(plan.flow, root.node, member.index, inner), plan.flow.shape(input));
}

function joinReduction(plan: Plan, group: Group, root: Root): Group | undefined {
  const alone = singleton(plan, root);
  if (equal(group.outer, alone.outer) && equal(group.inner, alone.inner)) return withMember(group, root, axesOf(root.shape), 'outer');
  if (group.inner.length > 0) return undefined;
  if (outerSize(group) === 1 && outerSize(alone) === 1) return absorb(alone, group, constant(0), 'outer');
  // A loop over the whole tensor becomes a loop over rows whose stores run along them.
  const trailing = rowsAreContiguous(plan, root);
  if (!trailing || outerSize(group) !== outerSize(alone) * product(alone.inner) || !manyRows(alone)) return undefined;
  return absorb(alone, group, rowElement(plan, alone), 'inner');
}

/** `group` with all members of the loop `other`, each at the element `flat`. */
function absorb(group: Group, other: Group, flat: Scalar, over: 'outer' | 'inner'): Group {
  let merged = group;
  for (const root of other.members.keys()) merged = withFlatMember(merged, root, flat, over);
  return merged;
}

function rowsAreContiguous(plan: Plan, root: Root): boolean {
  const axes = plan.flow.node(root.node).attributes.axes as readonly number[];
  const shape = plan.flow.shape(plan.flow.node(root.node).inputs[0]!);
  const kept = shape.map((n, d) => (axes.includes(d) || n === 1 ? -1 : d));
  const first = shape.findIndex((n, d) => axes.includes(d) && n !== 1);
  return Math.max(...kept, -1) < first;
}

/** Kernels of a single point each (counters, schedules, the means of the loss) become one. */
function mergeSmall(groupOf: ReadonlyMap<Root, Group>, attempt: (merged: Group | undefined) => boolean): void {
  const small = () => [...new Set(groupOf.values())].filter(g => g.kind === 'loop' && outerSize(g) === 1);
  for (const one of small()) {
    for (const other of small()) {
      if (!small().includes(one) || one === other) continue;
      if (other.inner.length === 0) attempt(absorb(one, other, constant(0), 'outer'));
      else if (equal(one.inner, other.inner)) attempt({ ...one, members: new Map([...one.members, ...other.members]) });
    }
  }
}

/** Would the merged kernel have to run both before and after another one? */
function closesCycle({ after }: Order, groupOf: ReadonlyMap<Root, Group>, merged: Group): boolean {
  const seen = new Set<Root>();
  const inside = (root: Root) => merged.members.has(root);
  const visit = (root: Root): boolean => {
    if (seen.has(root)) return false;
    for (const mate of inside(root) ? merged.members.keys() : groupOf.get(root)!.members.keys()) seen.add(mate);
    const mates = inside(root) ? merged.members.keys() : groupOf.get(root)!.members.keys();
    for (const mate of mates) {
      for (const next of after[mate.order]!) {
        if (inside(next) ? !inside(mate) : visit(next)) return true;
      }
    }
    return false;
  };
  const [first] = merged.members.keys();
  return first !== undefined && visit(first);
}

/** Do members read each other, and states they overwrite, only where they stand, and does the kernel fit the bindings of a device? */
function legal(plan: Plan, group: Group): boolean {
  const { reader, buffers } = survey(plan, group);
  if (reader.illegal() || overwrittenStates(plan, group).size > 0) return false;
  const persistent = [...buffers.keys()].filter(b => b >= 0 && plan.buffers[b]!.kind !== 'temporary');
  return persistent.length <= BUFFER_LIMIT;
}

/** States of which the kernel of `group` would read other elements than the one it is about to overwrite. */
export function overwrittenStates(plan: Plan, group: Group): ReadonlySet<string> {
  const { reader, buffers } = survey(plan, group);
  const found = new Set<string>();
  for (const [root, member] of group.members) {
    for (const place of root.places) {
      const at = reader.simplify(placeIndex(plan, reader, place, member.flat));
      if (plan.buffers[place.buffer]!.kind !== 'state') continue;
      for (const read of buffers.get(place.buffer) ?? []) if (read !== at) found.add(plan.buffers[place.buffer]!.name);
    }
  }
  return found;
}

/** Which buffers the kernel touches, and the indices it loads at. Temporaries count as buffer -1. */
function survey(plan: Plan, group: Group) {
  const buffers = new Map<number, Set<Scalar>>();
  const foreign = (node: number, flat: Scalar) => load(-1, flat, scalarType(plan.flow.node(node).type.dtype));
  const reader = groupReader(plan, group, foreign, () => 0);
  const scalars: Scalar[] = [];
  for (const [root, member] of group.members) {
    if (root.kind === 'matmul') scalars.push(...Object.values(operandScalars(plan, reader, root)));
    else if (root.kind !== 'scatter') scalars.push(memberScalar(plan, group, reader, root, member));
    for (const place of root.places) {
      if (!buffers.has(place.buffer)) buffers.set(place.buffer, new Set());
      scalars.push(placeIndex(plan, reader, place, member.flat));
    }
  }
  const seen = new Set<Scalar>();
  const note = (x: Scalar) => {
    if (x.kind === 'load') buffers.set(x.buffer, (buffers.get(x.buffer) ?? new Set()).add(x.at));
  };
  for (const s of scalars) walkScalar(s, note, seen);
  return { reader, buffers };
}
