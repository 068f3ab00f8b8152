/** Values that are wanted in another order of their axes only: they are stored in that order, where their kernels can. */
import type { NodeId } from '../ir/graph.ts';
import type { Scalar } from '../ir/scalar.ts';
import { flatten, unflatten } from '../ir/scalars.ts';
import type { Dataflow } from './dataflow.ts';
import { axis, linear, walkScalar } from './scalar.ts';
import { simplifier } from './simplify.ts';

/** Where the element `flat` of a value lies in a view of it. */
export type Position = (flat: Scalar) => Scalar;

/** The value that a reshape or a transpose shows, and where its elements are in that; undefined for other nodes. */
function step(flow: Dataflow, id: NodeId): { readonly source: NodeId; readonly at: Position } | undefined {
  const { op, inputs, attributes } = flow.node(id);
  const source = inputs[0]!;
  if (op === 'reshape') return { source, at: flat => flat };
  if (op !== 'transpose') return undefined;
  const permutation = attributes.permutation as readonly number[];
  const at = (flat: Scalar): Scalar => {
    const index = unflatten(flat, flow.shape(source));
    return flatten(
      permutation.map(from => index[from]!),
      flow.shape(id),
    );
  };
  return { source, at };
}

/** The value that `id` is, in another order perhaps, if nobody else wants it in its own: its kernel can store it where `id` belongs. */
export function ownerOf(flow: Dataflow, id: NodeId): { readonly owner: NodeId; readonly at: Position } {
  let best: { owner: NodeId; at: Position } = { owner: id, at: flat => flat };
  let at: Position = flat => flat;
  for (let node = id; ; ) {
    const view = step(flow, node);
    if (view === undefined) return best;
    const behind = at;
    at = flat => behind(view.at(flat));
    const moves = flow.node(node).op === 'transpose';
    if (moves && flow.consumers[view.source]!.length > 1) return best;
    node = view.source;
    if (keepsRows(flow, node, at)) best = { owner: node, at };
  }
}

/** Where elements of `id` are stored if it has a buffer to itself: as all its readers want them. */
export function storedOrder(flow: Dataflow, id: NodeId): Position {
  let best: Position = flat => flat;
  let at = best;
  for (let node = id; flow.consumers[node]!.length === 1; ) {
    const [next] = flow.consumers[node]!;
    const view = step(flow, next!);
    if (view === undefined) break;
    const before = at;
    at = flat => view.at(before(flat));
    if (keepsRows(flow, id, at)) best = at;
    node = next!;
  }
  return best;
}

/** Are neighbours along the last axis of `id` stored side by side? */
function keepsRows(flow: Dataflow, id: NodeId, at: Position): boolean {
  const shape = flow.shape(id);
  const last = shape.findLastIndex(n => n > 1);
  if (last < 0) return true;
  const index = shape.map((_, d) => axis(d));
  const place = simplifier(shape)(at(flatten(index, shape)));
  return [...linear(place).terms].every(([atom, factor]) =>
    atom === axis(last) ? factor === 1 : !mentions(atom, last),
  );
}

function mentions(s: Scalar, n: number): boolean {
  let found = false;
  walkScalar(s, x => {
    found ||= x.kind === 'axis' && x.axis === n;
  });
  return found;
}
