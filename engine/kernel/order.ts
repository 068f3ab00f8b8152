/** The order between roots: what reads what, and what must have read a state before it is overwritten. */
import type { NodeId } from '../ir/graph.ts';
import { readBy } from './dataflow.ts';
import type { Plan, Root } from './roots.ts';

export interface Order {
  /** Roots that must run after root `order`, or in the same kernel. */
  readonly after: readonly ReadonlySet<Root>[];
  /** Roots whose values root `order` reads. */
  readonly reads: readonly ReadonlySet<Root>[];
  /** Inputs and states that root `order` reads. */
  readonly leaves: readonly ReadonlySet<string>[];
  /** States that can't be assigned in place: a reader of the old value needs something made from the new one. */
  readonly conflicts: ReadonlySet<string>;
}

/** Data and anti-dependencies of the plan's roots; free of cycles unless `conflicts` is not empty. */
export function orderRoots(plan: Plan): Order {
  const found = plan.roots.map(root => dependencies(plan, root));
  const after = plan.roots.map(() => new Set<Root>());
  for (const root of plan.roots) {
    const { roots, waits } = found[root.order]!;
    for (const from of [...roots, ...waits]) if (from !== root) after[from.order]!.add(root);
  }
  const conflicts = new Set<string>();
  for (const [name, buffer] of plan.leaves) {
    const writers = plan.roots.filter(r => r.places.some(p => p.buffer === buffer));
    const readers = plan.roots.filter(r => found[r.order]!.leaves.has(name));
    for (const writer of writers) {
      const later = reachable(after, writer);
      for (const reader of readers) {
        if (reader === writer) continue;
        if (later.has(reader)) conflicts.add(name);
        else after[reader.order]!.add(writer);
      }
    }
  }
  return { after, reads: found.map(f => f.roots), leaves: found.map(f => f.leaves), conflicts };
}

function reachable(after: readonly ReadonlySet<Root>[], from: Root): Set<Root> {
  const seen = new Set<Root>();
  const visit = (root: Root) => {
    for (const next of after[root.order]!) {
      if (seen.has(next)) continue;
      seen.add(next);
      visit(next);
    }
  };
  visit(from);
  return seen;
}

/** What a root reads, and the roots that it waits for without reading them: of a turn that nobody reads, those it would be made of. */
function dependencies({ flow, rootOf, concats, scans }: Plan, root: Root) {
  const leaves = new Set<string>();
  const turns = new Set<NodeId>();
  const rootsBehind = (ids: Iterable<NodeId>): ReadonlySet<Root> => {
    const roots = new Set<Root>();
    const seen = new Set<NodeId>();
    const visit = (id: NodeId): void => {
      if (seen.has(id)) return;
      seen.add(id);
      const [stored, concat] = [rootOf.get(id), concats.get(id)];
      const node = flow.node(id);
      if (stored) roots.add(stored);
      else if (concat) for (const writer of concat.writers) roots.add(writer);
      else if (node.op === 'input' || node.op === 'state') leaves.add(String(node.attributes.name));
      else {
        if (node.op === 'after') turns.add(node.inputs[1]!);
        readBy(node).forEach(visit);
      }
    };
    for (const id of ids) visit(id);
    return roots;
  };
  const bases = root.places.flatMap(({ base }) => base ?? []);
  const own = root.kind === 'copy' ? [root.node] : readBy(flow.node(root.node));
  const pieces = root.kind === 'scan' ? scans.get(root.node)!.writers : [];
  const roots = new Set([...rootsBehind([...own, ...bases]), ...pieces]);
  if (flow.node(root.node).op === 'after') turns.add(flow.node(root.node).inputs[1]!);
  const read = new Set(leaves);
  const waits = new Set([...turns].flatMap(turn => [...rootsBehind([turn])]));
  return { roots, leaves: read, waits };
}
