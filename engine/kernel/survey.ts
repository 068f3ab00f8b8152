/** What the kernel of a group would touch, and whether it may: found out member by member, and remembered from trial to trial. */

import type { Scalar } from '../ir/scalar.ts';
import { scalarType } from './dataflow.ts';
import { extentsOf, type Group, groupReader, type Member, memberScalar, operandScalars, placeIndex } from './group.ts';
import type { Order } from './order.ts';
import type { Plan, Root } from './roots.ts';
import { load, scalarId, walkScalar } from './scalar.ts';

/** Persistent buffers a kernel may touch: WebGPU grants 8 bindings, one is the arena. */
const BUFFER_LIMIT = 7;

interface Touched {
  readonly buffer: number;
  readonly at: Scalar;
}

interface Findings {
  /** It reads another member's element from a different point. */
  readonly illegal: boolean;
  /** Temporaries count as buffer -1. */
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

/** Findings about a member are those of an earlier trial where it stands as it did, and so do the members whose values it takes in. */
export function surveyor(plan: Plan, order: Order): Surveyor {
  const known = new Map<string, Findings>();
  const findings = (group: Group): readonly (readonly [Root, Findings])[] => {
    const extents = extentsOf(group).join();
    return [...group.members].map(([root, member]) => {
      const key = `${extents}|${standing(order, group, root, member)}`;
      const found = known.get(key) ?? examine(plan, group, root, member);
      known.set(key, found);
      return [root, found];
    });
  };
  const isPersistent = ({ buffer }: Touched) => buffer >= 0 && plan.buffers[buffer]!.kind !== 'temporary';
  return {
    legal(group) {
      const all = findings(group);
      if (all.some(([, { illegal }]) => illegal) || misread(plan, all).size > 0) return false;
      const touched = all.flatMap(([, { loads, stores }]) => [...loads, ...stores]).filter(isPersistent);
      return new Set(touched.map(({ buffer }) => buffer)).size <= BUFFER_LIMIT;
    },
    overwritten: group => misread(plan, findings(group)),
  };
}

/** Where a member and all members that it may read, through others too, stand. */
function standing({ reads }: Order, group: Group, root: Root, member: Member): string {
  const seen = new Set<Root>([root]);
  for (const each of seen) for (const read of reads[each.order]!) if (group.members.has(read)) seen.add(read);
  const flat = (each: Root) => `${each.order}@${scalarId(group.members.get(each)!.flat)}`;
  return `${member.over} ${member.index.map(scalarId).join()} ${[...seen].map(flat).join()}`;
}

function examine(plan: Plan, group: Group, root: Root, member: Member): Findings {
  if (root.kind === 'scan') return { illegal: false, loads: [], stores: [] };
  const foreign = (node: number, flat: Scalar) => load(-1, flat, scalarType(plan.flow.node(node).type.dtype));
  const reader = groupReader(plan, group, foreign, () => 0);
  const scalars: Scalar[] = [];
  if (root.kind === 'matmul') scalars.push(...Object.values(operandScalars(plan, reader, root)));
  else if (root.kind !== 'scatter') scalars.push(memberScalar(plan, group, reader, root, member));
  const stores = root.places.map(place => {
    const at = placeIndex(plan, reader, place, member.flat);
    return { buffer: place.buffer, at: reader.simplify(at) };
  });
  const loads: Touched[] = [];
  const seen = new Set<Scalar>();
  const note = (x: Scalar) => {
    if (x.kind === 'load') loads.push(x);
  };
  for (const s of [...scalars, ...stores.map(({ at }) => at)]) walkScalar(s, note, seen);
  return { illegal: reader.illegal(), loads, stores };
}

function misread(plan: Plan, all: readonly (readonly [Root, Findings])[]): ReadonlySet<string> {
  const states = (touched: readonly Touched[]) =>
    touched.filter(({ buffer }) => plan.buffers[buffer]?.kind === 'state');
  const loads = all.flatMap(([, found]) => states(found.loads));
  const found = new Set<string>();
  for (const { buffer, at } of all.flatMap(([, { stores }]) => states(stores))) {
    if (loads.some(read => read.buffer === buffer && read.at !== at)) found.add(plan.buffers[buffer]!.name);
  }
  return found;
}
