/** Bodies of loops with other leaves and results. */
import type { Graph, TensorType } from '../ir/graph.ts';
import { GraphBuilder, type Value } from '../ops/builder.ts';
import { dce } from './dce.ts';

/** What takes the place of a leaf: a number, or another leaf, which may have to be repeated. */
export type BodyChange = { readonly literal: number } | { readonly name: string; readonly broadcast?: TensorType };

/** Names of the leaves that the results of `body` depend on. */
export function leavesOf(body: Graph): ReadonlySet<string> {
  const leaves = dce(body).nodes.filter(({ op }) => op === 'input');
  return new Set(leaves.map(({ attributes }) => String(attributes.name)));
}

/** `body` with its leaves changed and of its outputs those in `results`, the first `carries` of which are carries. */
export function changedBody(
  body: Graph,
  leaves: ReadonlyMap<string, BodyChange>,
  results: readonly string[],
  carries: number,
): Graph {
  const b = new GraphBuilder();
  const value = new Map(body.outputs.map(output => [output.name, output.value]));
  const kept = dce({ ...body, outputs: results.map(name => ({ name, kind: 'result', value: value.get(name)! })) });
  const copies: Value[] = [];
  for (const node of kept.nodes) {
    const change = node.op === 'input' ? leaves.get(String(node.attributes.name)) : undefined;
    const inputs = node.inputs.map(id => copies[id]!);
    copies.push(change === undefined ? b.copy(node, inputs) : leafOf(b, change, node.type));
  }
  return b.finish(
    body.name,
    kept.outputs.map((output, i) => ({
      name: i < carries ? `carry${i}` : `output${i - carries}`,
      value: copies[output.value]!,
    })),
  );
}

function leafOf(b: GraphBuilder, change: BodyChange, type: TensorType): Value {
  if ('literal' in change) return b.constant(change.literal, type);
  return b.broadcast(b.input(change.name, change.broadcast ?? type), type.shape);
}
