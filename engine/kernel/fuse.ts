/** Merges roots into groups, greedily and in order: consumers into their producers' kernels, equals with equals, small change together. */
import type { Scalar } from '../ir/scalar.ts';
import { flatten } from '../ir/scalars.ts';
import { never } from '../util/errors.ts';
import { product, scalarType } from './dataflow.ts';
import {
  type Group,
  groupReader,
  type Member,
  memberScalar,
  operandScalars,
  placeIndex,
  singleton,
  squeeze,
  withFlatMember,
} from './group.ts';
import type { Order } from './order.ts';
import { spreadIndex } from './read.ts';
import type { Plan, Root } from './roots.ts';
import { axis, load, walkScalar } from './scalar.ts';

/** Persistent buffers a kernel may touch: WebGPU grants 8 bindings, one is the arena. */
const BUFFER_LIMIT = 7;
/** A kernel with few rows has no parallelism left for long inner stores. */
const FEW_ROWS = 16;
const LONG_ROW = 4096;
const EPILOGUE_STORES = 4;

/** The groups of a plan, each root in one of them. */
export function fuseRoots(plan: Plan, order: Order): readonly Group[] {
  const groupOf = new Map<Root, Group>(plan.roots.map(root => [root, singleton(plan, root)]));
  // Groups meet again and again through other members; what did not fit once never will.
  const refused = new Map<Group, Set<Group>>();
  const attempt = (one: Group, other: Group): void => {
    if (one === other || refused.get(one)?.has(other)) return;
    const merged = merge(plan, order, one, other);
    if (!merged || closesCycle(order, groupOf, merged) || !legal(plan, merged)) {
      refused.set(one, (refused.get(one) ?? new Set()).add(other));
      return;
    }
    for (const root of merged.members.keys()) groupOf.set(root, merged);
  };
  // First along the data: what a product's epilogue can take in should not be drawn into a kernel of its equals before.
  const peers = peerFinder(plan, order, groupOf);
  for (const find of [(root: Root) => producers(order, root), peers]) {
    for (const root of plan.roots) {
      for (const other of find(root)) attempt(groupOf.get(root)!, groupOf.get(other)!);
    }
  }
  mergeSmall(groupOf, attempt);
  return [...new Set(groupOf.values())];
}

/** Roots that `root` reads from, the latest first. */
function producers(order: Order, root: Root): readonly Root[] {
  return [...order.reads[root.order]!].sort((a, b) => b.order - a.order);
}

/** Finds roots of the same domain that read the same things, and single values with one another. */
function peerFinder({ roots }: Plan, order: Order, groupOf: ReadonlyMap<Root, Group>): (root: Root) => readonly Root[] {
  const byDomain = new Map<string, Root[]>();
  const domain = (root: Root) => squeeze(root.shape).join();
  for (const root of roots) byDomain.set(domain(root), []);
  for (const root of roots) byDomain.get(domain(root))!.push(root);
  return root => {
    const own = byDomain.get(domain(root))!;
    return (size(root) === 1 ? roots : own).filter(other => {
      if (other === root || order.reads[root.order]!.has(other)) return false;
      if (size(root) === 1 && outerSize(groupOf.get(other)!) === 1) return true;
      return (size(root) > 1 || own.includes(other)) && shareReads(order, root, other);
    });
  };
}

const size = (root: Root): number => product(root.shape);
const outerSize = (group: Group): number => product(group.outer);
const equal = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((n, d) => n === b[d]);

function shareReads({ reads, leaves }: Order, a: Root, b: Root): boolean {
  return overlaps(reads[a.order]!, reads[b.order]!) || overlaps(leaves[a.order]!, leaves[b.order]!);
}

function overlaps<T>(x: ReadonlySet<T>, y: ReadonlySet<T>): boolean {
  const [few, many] = x.size <= y.size ? [x, y] : [y, x];
  for (const item of few) if (many.has(item)) return true;
  return false;
}

/** One kernel for both, if their domains fit; `one` is where new roots come in, `other` what is there. */
function merge(plan: Plan, order: Order, one: Group, other: Group): Group | undefined {
  if (one.kind === 'scatter' || other.kind === 'scatter') return undefined;
  if (one.kind === 'matmul' || other.kind === 'matmul') {
    const [product, loop] = one.kind === 'matmul' ? [one, other] : [other, one];
    const room = product.members.size + loop.members.size <= EPILOGUE_STORES + 2;
    if (loop.kind === 'matmul' || loop.inner.length > 0 || !room || !readsFrom(order, loop, product)) return undefined;
    return outerSize(loop) === outerSize(product) ? absorb(product, loop, point(product), 'outer') : undefined;
  }
  if (one.inner.length > 0 && other.inner.length > 0) {
    if (!equal(one.outer, other.outer) || !equal(one.inner, other.inner)) return undefined;
    return { ...other, members: new Map([...other.members, ...one.members]) };
  }
  return one.inner.length > 0 ? mergeLoop(plan, order, one, other) : mergeLoop(plan, order, other, one);
}

/** `group` with the plain loop `loop`: as values of its rows, or as elements along them. */
function mergeLoop(plan: Plan, order: Order, group: Group, loop: Group): Group | undefined {
  if (outerSize(loop) === outerSize(group)) {
    const related = equal(loop.outer, group.outer) || readsFrom(order, loop, group) || readsFrom(order, group, loop);
    return related ? absorb(group, loop, point(group), 'outer') : undefined;
  }
  if (group.inner.length === 0 || outerSize(loop) !== outerSize(group) * product(group.inner)) return undefined;
  // A kernel with few rows has no parallelism left for long stores; elements of scattered rows are better stored by a kernel of their own.
  const parallel = outerSize(group) >= FEW_ROWS || product(group.inner) <= LONG_ROW;
  if (!parallel || !(rowsAreContiguous(plan, group) || readsFrom(order, loop, group))) return undefined;
  return absorb(group, loop, rowElement(plan, group), 'inner');
}

/** `group` with all members of the loop `other`, each at the element `flat`. */
function absorb(group: Group, other: Group, flat: Scalar, over: 'outer' | 'inner'): Group {
  let merged = group;
  for (const root of other.members.keys()) merged = withFlatMember(merged, root, flat, over);
  return merged;
}

function readsFrom(order: Order, reader: Group, from: Group): boolean {
  return [...reader.members.keys()].some(root => [...order.reads[root.order]!].some(read => from.members.has(read)));
}

/** Row-major number of an outer point. */
function point(group: Group): Scalar {
  return flatten(
    group.outer.map((_, n) => axis(n)),
    group.outer,
  );
}

function reductionOf(group: Group): readonly [Root, Member] {
  const found = [...group.members].find(([root]) => root.kind === 'reduce');
  if (!found) throw never('a loop with inner axes has a reduction');
  return found;
}

/** Row-major number, within the tensor that the group's reductions run over, of the point at hand. */
function rowElement({ flow }: Plan, group: Group): Scalar {
  const [root, member] = reductionOf(group);
  const inner = group.inner.map((_, n) => axis(group.outer.length + n));
  return flatten(spreadIndex(flow, root.node, member.index, inner), flow.shape(flow.node(root.node).inputs[0]!));
}

function rowsAreContiguous({ flow }: Plan, group: Group): boolean {
  const node = flow.node(reductionOf(group)[0].node);
  const axes = node.attributes.axes as readonly number[];
  const shape = flow.shape(node.inputs[0]!);
  const kept = shape.map((n, d) => (axes.includes(d) || n === 1 ? -1 : d));
  return Math.max(...kept, -1) < shape.findIndex((n, d) => axes.includes(d) && n !== 1);
}

/** Kernels of a single point each (counters, schedules, the means of the loss) become one. */
function mergeSmall(groupOf: ReadonlyMap<Root, Group>, attempt: (one: Group, other: Group) => void): void {
  const small = [...groupOf.keys()].filter(
    root => outerSize(groupOf.get(root)!) === 1 && groupOf.get(root)!.kind === 'loop',
  );
  for (const one of small) for (const other of small) attempt(groupOf.get(one)!, groupOf.get(other)!);
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
  const found = survey(plan, group);
  if (found.reader.illegal() || misread(plan, group, found).size > 0) return false;
  const persistent = [...found.buffers.keys()].filter(b => b >= 0 && plan.buffers[b]!.kind !== 'temporary');
  return persistent.length <= BUFFER_LIMIT;
}

/** States of which the kernel of `group` would read other elements than the one it is about to overwrite. */
export function overwrittenStates(plan: Plan, group: Group): ReadonlySet<string> {
  return misread(plan, group, survey(plan, group));
}

function misread(plan: Plan, group: Group, { reader, buffers }: ReturnType<typeof survey>): ReadonlySet<string> {
  const found = new Set<string>();
  for (const [root, member] of group.members) {
    for (const place of root.places) {
      if (plan.buffers[place.buffer]!.kind !== 'state') continue;
      const at = reader.simplify(placeIndex(plan, reader, place, member.flat));
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
