/** What of a forward step the backward one reads, and what it computes anew from that. */
import type { GraphNode } from '../../ir/graph.ts';
import type { NodeBuilder } from '../nodes.ts';

/** Ops that cost no more than reading their result would: they are repeated where their operands are at hand. */
const cheap: ReadonlySet<string> = new Set([
  ...[
    'neg',
    'abs',
    'sign',
    'floor',
    'ceil',
    'round',
    'cast',
    'detach',
    'add',
    'sub',
    'mul',
    'div',
    'minimum',
    'maximum',
  ],
  ...['broadcast', 'reshape', 'transpose', 'slice', 'pad', 'flip', 'select'],
]);

/** Nothing but another place for the same elements. */
const views: ReadonlySet<string> = new Set(['broadcast', 'reshape', 'transpose', 'slice', 'pad', 'flip', 'detach']);

/** True for values that a forward loop should hand out, in case its gradient reads them. */
export function isWorthKeeping({ op, type }: GraphNode): boolean {
  return type.dtype === 'f32' && !views.has(op) && op !== 'input' && op !== 'constant' && op !== 'state';
}

/**
 * Of the nodes below `forward` that the values `asked` need, those to be taken from the loop's results (`results` has them): what costs more
 * than a few additions, and what couldn't be had from leaves and such results by way of cheap ops alone.
 */
export function keptNodes(
  graph: NodeBuilder,
  forward: number,
  asked: readonly number[],
  results: ReadonlyMap<number, string>,
): ReadonlySet<number> {
  const needed = new Set<number>();
  const visit = (id: number): void => {
    if (needed.has(id)) return;
    needed.add(id);
    const { op, inputs, type } = graph.node(id);
    const isRepeated = id >= forward || views.has(op) || type.dtype !== 'f32';
    if (isRepeated) inputs.forEach(visit);
  };
  asked.forEach(visit);
  const first = [...needed].filter(id => id < forward).sort((x, y) => x - y);
  const kept = new Set(first.filter(id => results.has(id) && !cheap.has(graph.node(id).op)));
  const free = new Map<number, boolean>();
  const isFree = (id: number): boolean => {
    const { op, inputs, type } = graph.node(id);
    const known =
      free.get(id) ??
      (kept.has(id) || inputs.length === 0 || ((cheap.has(op) || type.dtype !== 'f32') && inputs.every(isFree)));
    free.set(id, known);
    return known;
  };
  for (const id of first) {
    if (isFree(id)) continue;
    free.clear();
    if (results.has(id)) kept.add(id);
  }
  return new Set([...kept, ...[...results.keys()].filter(id => !cheap.has(graph.node(id).op))]);
}
