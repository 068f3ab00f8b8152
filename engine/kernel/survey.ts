/** What the kernel of a group would touch, and whether it may: found out once for each place in which a root may stand. */

import type { NodeId } from '../ir/graph.ts';
import type { Scalar } from '../ir/scalar.ts';
import { scalarType } from './dataflow.ts';
import { extentsOf, type Group, type Member, memberScalar, operandScalars, placeIndex } from './group.ts';
import { reader } from './read.ts';
import { boundBy, boundByValue, type Plan, type Root } from './roots.ts';
import { load, scalarId, walkScalar } from './scalar.ts';

/** Persistent buffers a kernel may touch: WebGPU grants 8 bindings, one is the arena. */
const BUFFER_LIMIT = 7;

interface Touched {
  readonly buffer: number;
  readonly at: Scalar;
}

/** What a root touches where it stands, whoever else is in its group. */
interface Findings {
  /** Values of other roots, and concatenations, that it reads, each with the element. */
  readonly values: readonly { readonly node: NodeId; readonly flat: Scalar }[];
  /** Inputs and states. */
  readonly loads: readonly Touched[];
  /** Where it stores, in the order of its root's places. */
  readonly stores: readonly Touched[];
}

export interface Surveyor {
  /** Do members read each other, and states they overwrite, only where they stand, and does the kernel fit the bindings of a device? */
  legal(group: Group): boolean;
  /** States of which the kernel of `group` would read other elements than the one it is about to overwrite. */
  overwritten(group: Group): ReadonlySet<string>;
}

export function surveyor(plan: Plan): Surveyor {
  const known = new Map<string, Findings>();
  const findings = (group: Group): readonly (readonly [Root, Findings])[] => {
    const extents = extentsOf(group).join();
    return [...group.members].map(([root, member]) => {
      const key = `${root.order} ${extents} ${member.index.map(scalarId).join()} ${scalarId(member.flat)}`;
      const found = known.get(key) ?? examine(plan, group, root, member);
      known.set(key, found);
      return [root, found];
    });
  };
  const isState = ({ buffer }: { readonly buffer: number }) => plan.buffers[buffer]!.kind === 'state';
  const misread = (all: readonly (readonly [Root, Findings])[]): ReadonlySet<string> => {
    const found = new Set<string>();
    for (const { buffer, at } of all.flatMap(([, { stores }]) => stores.filter(isState))) {
      const isRead = all.some(([, { loads }]) => loads.some(read => read.buffer === buffer && read.at !== at));
      if (isRead) found.add(plan.buffers[buffer]!.name);
    }
    return found;
  };
  return {
    legal(group) {
      const all = findings(group);
      if (all.some(([, { values }]) => values.some(value => isElsewhere(plan, group, value)))) return false;
      if (misread(all).size > 0) return false;
      const touched = all.flatMap(([, { loads, stores }]) => [...loads, ...stores]);
      const read = all.flatMap(([, { values }]) => values).filter(({ node }) => !isMember(plan, group, node));
      const bound = new Set([
        ...touched.flatMap(({ buffer }) => boundBy(plan, buffer)),
        ...read.flatMap(({ node }) => [...boundByValue(plan, node)]),
      ]);
      return bound.size <= BUFFER_LIMIT;
    },
    overwritten(group) {
      const stores = [...group.members.keys()].some(root => root.places.some(isState));
      return stores ? misread(findings(group)) : new Set();
    },
  };
}

const isMember = ({ rootOf }: Plan, { members }: Group, node: NodeId): boolean => {
  const root = rootOf.get(node);
  return root !== undefined && members.has(root);
};

/** Is it the value of a member, but not the element that the member computes at the same point? */
function isElsewhere(
  { rootOf, concats }: Plan,
  { members }: Group,
  { node, flat }: Findings['values'][number],
): boolean {
  const root = rootOf.get(node);
  if (root === undefined) return concats.get(node)!.writers.some(writer => members.has(writer));
  return members.has(root) && (root.kind === 'scatter' || members.get(root)!.flat !== flat);
}

function examine(plan: Plan, group: Group, root: Root, member: Member): Findings {
  if (root.kind === 'scan') return { values: [], loads: [], stores: [] };
  const { flow } = plan;
  const values: { node: NodeId; flat: Scalar }[] = [];
  const stored = (node: NodeId, flat: Scalar): Scalar | undefined => {
    const { op, type, attributes } = flow.node(node);
    if (op === 'input' || op === 'state')
      return load(plan.leaves.get(String(attributes.name))!, flat, scalarType(type.dtype));
    if (!plan.rootOf.has(node) && !plan.concats.has(node)) return undefined;
    values.push({ node, flat });
    return load(-1 - node, flat, scalarType(type.dtype));
  };
  const read = reader({ flow, extents: extentsOf(group), stored });
  const scalars: Scalar[] = [];
  if (root.kind === 'matmul') scalars.push(...Object.values(operandScalars(plan, read, root)));
  else if (root.kind !== 'scatter') scalars.push(memberScalar(plan, group, read, root, member));
  const stores = root.places.map(place => ({ buffer: place.buffer, at: placeIndex(plan, read, place, member.flat) }));
  const loads: Touched[] = [];
  const seen = new Set<Scalar>();
  const note = (x: Scalar) => {
    if (x.kind === 'load' && x.buffer >= 0) loads.push(x);
  };
  for (const s of [...scalars, ...stores.map(({ at }) => at)]) walkScalar(s, note, seen);
  return { values, loads, stores };
}
