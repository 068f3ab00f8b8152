/** Groups of roots that become one kernel: their common axes, and the scalars each member computes on them. */
import type { NodeId } from '../ir/graph.ts';
import type { Scalar } from '../ir/scalar.ts';
import { flatten, unflatten } from '../ir/scalars.ts';
import { scalarType } from './dataflow.ts';
import { type Reader, reader, spreadIndex } from './read.ts';
import type { Place, Plan, Root } from './roots.ts';
import { apply, axis, constant, load, reduced } from './scalar.ts';
import { simplifier } from './simplify.ts';

export interface Group {
  readonly kind: 'loop' | 'matmul' | 'scatter' | 'scan';
  /** Sizes of the axes; no axis of size 1 but a product's, whose outer axes are batch, m, n and whose inner one is k. */
  readonly outer: readonly number[];
  readonly inner: readonly number[];
  readonly members: ReadonlyMap<Root, Member>;
}

export interface Member {
  /** Index of the value in terms of the group's axes. */
  readonly index: readonly Scalar[];
  /** The same, row-major; equal for equal elements. */
  readonly flat: Scalar;
  readonly over: 'outer' | 'inner';
}

export const squeeze = (shape: readonly number[]): number[] => shape.filter(n => n !== 1);

/** The axes of `shape` numbered from `first`; 0 for those of size 1. */
export function axesOf(shape: readonly number[], first = 0): Scalar[] {
  let next = first;
  return shape.map(n => (n === 1 ? constant(0) : axis(next++)));
}

/** The group of one root alone. */
export function singleton(plan: Plan, root: Root): Group {
  const { flow } = plan;
  if (root.kind === 'matmul') {
    const [m, n] = root.shape.slice(-2) as [number, number];
    const batch = root.shape.slice(0, -2).reduce((a, b) => a * b, 1);
    const left = flow.node(root.node);
    const k = flow.shape(left.inputs[0]!).at(left.attributes.transposeA ? -2 : -1)!;
    const shape: Group = { kind: 'matmul', outer: [batch, m, n], inner: [k], members: new Map() };
    const index = [...unflatten(axis(0), root.shape.slice(0, -2)), axis(1), axis(2)];
    return withMember(shape, root, index, 'outer');
  }
  if (root.kind === 'reduce') {
    const axes = flow.node(root.node).attributes.axes as readonly number[];
    const input = flow.shape(flow.node(root.node).inputs[0]!);
    const inner = squeeze(input.filter((_, d) => axes.includes(d)));
    const shape: Group = { kind: 'loop', outer: squeeze(root.shape), inner, members: new Map() };
    return withMember(shape, root, axesOf(root.shape), 'outer');
  }
  if (root.kind === 'scatter') {
    const updates = flow.shape(flow.node(root.node).inputs[1]!);
    const nowhere: Member = { index: [], flat: constant(-1), over: 'outer' };
    return { kind: 'scatter', outer: squeeze(updates), inner: [], members: new Map([[root, nowhere]]) };
  }
  const kind = root.kind === 'scan' ? 'scan' : 'loop';
  const shape: Group = { kind, outer: squeeze(root.shape), inner: [], members: new Map() };
  return withMember(shape, root, axesOf(root.shape), 'outer');
}

/** `group` with `root`, whose value has `index` on the group's axes. */
export function withMember(group: Group, root: Root, index: readonly Scalar[], over: Member['over']): Group {
  return { ...group, members: new Map([...group.members, [root, memberOf(group, root, index, over)]]) };
}

/** `group` with `roots` indexed by the row-major number `flat` of a point of the group. */
export function withFlatMembers(group: Group, roots: readonly Root[], flat: Scalar, over: Member['over']): Group {
  const added = roots.map(root => [root, memberOf(group, root, unflatten(flat, root.shape), over)] as const);
  return { ...group, members: new Map([...group.members, ...added]) };
}

function memberOf(group: Group, root: Root, index: readonly Scalar[], over: Member['over']): Member {
  const simplify = simplifier(extentsOf(group));
  return { index: index.map(simplify), flat: simplify(flatten(index, root.shape)), over };
}

export function extentsOf(group: Group): readonly number[] {
  return [...group.outer, ...group.inner];
}

export interface GroupReader extends Reader {
  /** Set when a member reads another member's element from a different point. */
  readonly illegal: () => boolean;
}

/**
 * A reader for scalars of `group`: members' values are used where they are computed, others are loaded from where `primary` says.
 * `slotOf` numbers the reductions.
 */
export function groupReader(
  plan: Plan,
  group: Group,
  primary: (node: NodeId, flat: Scalar) => Scalar,
  slotOf: (root: Root) => number,
): GroupReader {
  let illegal = false;
  const { flow, rootOf, concats } = plan;
  const stored = (node: NodeId, flat: Scalar): Scalar | undefined => {
    const { op, type, attributes } = flow.node(node);
    if (op === 'input' || op === 'state')
      return load(plan.leaves.get(String(attributes.name))!, flat, scalarType(type.dtype));
    if (concats.get(node)?.writers.some(w => group.members.has(w))) illegal = true;
    const root = rootOf.get(node);
    if (!root) return concats.has(node) ? base.simplify(primary(node, flat)) : undefined;
    const member = group.members.get(root);
    if (!member) return base.simplify(primary(node, flat));
    if (member.flat !== flat) illegal = true;
    if (root.kind === 'scatter') illegal = true;
    return illegal ? constant(0, scalarType(type.dtype)) : memberValue(root, member);
  };
  const base = reader({ flow, extents: extentsOf(group), stored });
  const memberValue = (root: Root, member: Member): Scalar => {
    const type = scalarType(flow.node(root.node).type.dtype);
    return root.kind === 'loop' ? base.define(root.node, member.index) : reduced(slotOf(root), type);
  };
  return { ...base, illegal: () => illegal };
}

/** What a loop member or a copy stores, or what a reduction runs over. */
export function memberScalar(plan: Plan, group: Group, reader: Reader, root: Root, member: Member): Scalar {
  if (root.kind === 'copy') return reader.read(root.node, member.index);
  if (root.kind === 'loop') return reader.define(root.node, member.index);
  const input = plan.flow.node(root.node).inputs[0]!;
  const inner = group.inner.map((_, n) => axis(group.outer.length + n));
  return reader.read(input, spreadIndex(plan.flow, root.node, member.index, inner));
}

/** The operands of a product on the axes 0 = batch, 1 = m, 2 = n, 3 = k. */
export function operandScalars(plan: Plan, reader: Reader, root: Root): { readonly a: Scalar; readonly b: Scalar } {
  const { inputs, attributes } = plan.flow.node(root.node);
  const batch = unflatten(axis(0), root.shape.slice(0, -2));
  const [m, n, k] = [axis(1), axis(2), axis(3)];
  return {
    a: reader.read(inputs[0]!, [...batch, ...(attributes.transposeA ? [k, m] : [m, k])]),
    b: reader.read(inputs[1]!, [...batch, ...(attributes.transposeB ? [n, k] : [k, n])]),
  };
}

/** Index at which element `flat` of a root is stored; a computed base is kept where the whole value fits. */
export function placeIndex(plan: Plan, reader: Reader, place: Place, flat: Scalar): Scalar {
  const at = place.at(flat);
  if (place.base === undefined) return reader.simplify(at);
  const last = plan.buffers[place.buffer]!.length - place.size;
  const base = apply('min', [apply('max', [reader.read(place.base, []), constant(0)], 'i32'), constant(last)], 'i32');
  return reader.simplify(apply('add', [base, at], 'i32'));
}
