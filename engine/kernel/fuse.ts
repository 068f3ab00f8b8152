/** Merges roots into groups, greedily and in order: consumers into their producers' kernels, equals with equals, small change together. */
import type { Scalar } from '../ir/scalar.ts';
import { flatten } from '../ir/scalars.ts';
import { never } from '../util/errors.ts';
import { product } from './dataflow.ts';
import { type Group, type Member, singleton, squeeze, withFlatMembers } from './group.ts';
import type { Order } from './order.ts';
import { spreadIndex } from './read.ts';
import type { Plan, Root } from './roots.ts';
import { axis } from './scalar.ts';
import { type Sequence, sequenceOf } from './sequence.ts';
import { surveyor } from './survey.ts';

/** A kernel with few rows has no parallelism left for long inner stores. */
const FEW_ROWS = 16;
const LONG_ROW = 4096;
const EPILOGUE_STORES = 5;

export interface Fusion {
  /** Each root is in one of them. */
  readonly groups: readonly Group[];
  /** States that cannot be assigned in place: their kernel reads elements of them that it overwrites at another point. */
  readonly overwritten: ReadonlySet<string>;
}

export function fuseRoots(plan: Plan, order: Order): Fusion {
  const survey = surveyor(plan);
  const singles = new Map(plan.roots.map(root => [root, singleton(plan, root)]));
  const sequence = sequenceOf(order, plan.roots, singles);
  // Groups meet again and again through other members; what did not fit once never will.
  const refused = new Map<Group, Set<Group>>();
  const attempt = (root: Root, with_: Root): void => {
    const [one, other] = [sequence.groupOf(root), sequence.groupOf(with_)];
    if (one === other || refused.get(one)?.has(other)) return;
    const merged = merge(plan, order, one, other);
    if (merged && !sequence.closesCycle(one, other) && survey.legal(merged)) sequence.merge(one, other, merged);
    else refused.set(one, (refused.get(one) ?? new Set()).add(other));
  };
  // First along the data: what a product's epilogue can take in should not be drawn into a kernel of its equals before.
  const peers = peerFinder(plan, order, sequence);
  for (const find of [(root: Root) => producers(order, root), peers]) {
    for (const root of plan.roots) for (const other of find(root)) attempt(root, other);
  }
  const isSmall = (group: Group) => group.kind === 'loop' && outerSize(group) === 1;
  // Kernels of a single point each (counters, schedules, the means of the loss) become one.
  const small = plan.roots.filter(root => isSmall(sequence.groupOf(root)));
  for (const one of small) for (const other of small) attempt(one, other);
  const groups = [...new Set(plan.roots.map(sequence.groupOf))];
  return { groups, overwritten: new Set(groups.flatMap(group => [...survey.overwritten(group)])) };
}

/** Roots that `root` reads from, the latest first. */
function producers(order: Order, root: Root): readonly Root[] {
  return [...order.reads[root.order]!].sort((a, b) => b.order - a.order);
}

/** Finds roots of the same domain that read the same things, and single values with one another. */
function peerFinder({ roots }: Plan, order: Order, sequence: Sequence): (root: Root) => readonly Root[] {
  const domain = (root: Root) => squeeze(root.shape).join();
  const readers = new Map<string, Root[]>();
  for (const root of roots) {
    for (const key of readKeys(order, root, domain(root))) {
      const known = readers.get(key);
      if (known === undefined) readers.set(key, [root]);
      else known.push(root);
    }
  }
  return root => {
    const peers = new Set(readKeys(order, root, domain(root)).flatMap(key => readers.get(key)!));
    if (size(root) === 1) for (const other of roots) if (outerSize(sequence.groupOf(other)) === 1) peers.add(other);
    return [...peers]
      .filter(other => other !== root && !order.reads[root.order]!.has(other))
      .sort((a, b) => a.order - b.order);
  };
}

/** What a root of the domain reads, as keys of roots that read the same. */
function readKeys({ reads, leaves }: Order, { order }: Root, domain: string): string[] {
  return [
    ...[...reads[order]!].map(read => `${domain} ${read.order}`),
    ...[...leaves[order]!].map(leaf => `${domain} ${leaf}`),
  ];
}

const size = (root: Root): number => product(root.shape);
const outerSize = (group: Group): number => product(group.outer);
const equal = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((n, d) => n === b[d]);

/** One kernel for both, if their domains fit; `one` is where new roots come in, `other` what is there. */
function merge(plan: Plan, order: Order, one: Group, other: Group): Group | undefined {
  if ([one, other].some(({ kind }) => kind === 'scatter' || kind === 'scan')) return undefined;
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
  return withFlatMembers(group, [...other.members.keys()], flat, over);
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
