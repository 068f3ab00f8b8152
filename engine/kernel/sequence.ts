/** Groups in an order in which they could run, kept up while they are merged: where groups stand rules out most cycles. */
import type { Group } from './group.ts';
import type { Order } from './order.ts';
import type { Root } from './roots.ts';

export interface Sequence {
  groupOf(root: Root): Group;
  /** Would another kernel have to run both before and after the two, if they were one? */
  closesCycle(one: Group, other: Group): boolean;
  /** Puts `merged` in the place of both, which close no cycle. */
  merge(one: Group, other: Group, merged: Group): void;
}

/** `singles` holds the group of each root alone. */
export function sequenceOf(order: Order, roots: readonly Root[], singles: ReadonlyMap<Root, Group>): Sequence {
  const groupOf = new Map(singles);
  const sequence: (Group | undefined)[] = sorted(order, roots).map(root => groupOf.get(root)!);
  const position = new Map(sequence.map((group, i) => [group, i]));
  const reaches = reachability(order, roots);
  const inOrder = (a: Group, b: Group) => (position.get(a)! < position.get(b)! ? ([a, b] as const) : ([b, a] as const));
  /** Groups that must run after `first` and stand before `last`; undefined if one of them must run before `last`. */
  const between = (first: Group, last: Group): ReadonlySet<Group> | undefined => {
    const end = position.get(last)!;
    const found = new Set<Group>();
    const waiting = [first];
    for (const group of waiting) {
      for (const next of successors(order, group)) {
        const successor = groupOf.get(next)!;
        if (successor === last && group !== first) return undefined;
        if (successor === group || found.has(successor) || position.get(successor)! >= end) continue;
        found.add(successor);
        waiting.push(successor);
      }
    }
    return found;
  };
  /** Says so at once where the roots' own order does: merging others only adds paths. */
  const joined = (first: Group, last: Group): boolean => {
    for (const next of successors(order, first)) {
      const group = groupOf.get(next)!;
      if (group === first || group === last) continue;
      for (const root of last.members.keys()) if (reaches(next, root)) return true;
    }
    return false;
  };
  const closes = (first: Group, last: Group) => joined(first, last) || between(first, last) === undefined;
  return {
    groupOf: root => groupOf.get(root)!,
    closesCycle: (one, other) => closes(...inOrder(one, other)),
    merge(one, other, merged) {
      const [first, last] = inOrder(one, other);
      const after = between(first, last)!;
      const [start, end] = [position.get(first)!, position.get(last)!];
      const window = sequence.slice(start + 1, end);
      const isAfter = (group: Group | undefined) => group !== undefined && after.has(group);
      const moved = [undefined, ...window.filter(g => !isAfter(g)), merged, ...window.filter(isAfter)];
      for (const [i, group] of moved.entries()) {
        sequence[start + i] = group;
        if (group !== undefined) position.set(group, start + i);
      }
      for (const root of merged.members.keys()) groupOf.set(root, merged);
    },
  };
}

/** Roots of which all pairs are worth a bit each: 32 MiB. */
const MAX_PAIRS = 2 ** 28;

/** Must `to` run after `from`? Found once for all pairs, since each layer of a deep network asks it of every other; false where there are too many. */
function reachability(order: Order, roots: readonly Root[]): (from: Root, to: Root) => boolean {
  if (roots.length ** 2 > MAX_PAIRS) return () => false;
  const words = Math.ceil(roots.length / 32);
  const rows = new Uint32Array(roots.length * words);
  for (const root of sorted(order, roots).toReversed()) {
    const row = root.order * words;
    for (const next of order.after[root.order]!) {
      const other = next.order * words;
      for (let w = 0; w < words; w++) rows[row + w]! |= rows[other + w]!;
      rows[row + (next.order >>> 5)]! |= 1 << (next.order & 31);
    }
  }
  return (from, to) => ((rows[from.order * words + (to.order >>> 5)]! >>> (to.order & 31)) & 1) === 1;
}

function* successors({ after }: Order, { members }: Group): Iterable<Root> {
  for (const root of members.keys()) yield* after[root.order]!;
}

/** Roots with every one behind those it must run after. */
function sorted({ after }: Order, roots: readonly Root[]): readonly Root[] {
  const seen = new Set<Root>();
  const reversed: Root[] = [];
  const visit = (root: Root): void => {
    if (seen.has(root)) return;
    seen.add(root);
    for (const next of after[root.order]!) visit(next);
    reversed.push(root);
  };
  for (const root of roots) visit(root);
  return reversed.reverse();
}
