/** Rebuilds a graph node by node, giving each node the chance to become another value. */
import type { Graph, GraphNode } from '../ir/graph.ts';
import { GraphBuilder, type Value } from '../ops/builder.ts';

/** A node about to be appended: its inputs are already values of the new graph. */
export interface Candidate {
  readonly node: GraphNode;
  readonly inputs: readonly Value[];
}

/** The value that takes the candidate's place, of the same type, or undefined to keep it. */
export type Rewriter = (b: GraphBuilder, candidate: Candidate) => Value | undefined;

/** Rebuilt from the first node that changes on, sharing what is equal; `graph` itself if none does. What becomes unused stays for `dce`. */
export function rewriteGraph(graph: Graph, rewriter: Rewriter): Graph {
  const b = new GraphBuilder();
  const values: Value[] = [];
  let isSame = true;
  for (const [id, node] of graph.nodes.entries()) {
    const inputs = node.inputs.map(i => values[i]!);
    const make = () => rewriter(b, { node, inputs });
    const replacement = node.label === undefined ? make() : b.scoped(node.label, make);
    isSame &&= replacement === undefined && b.size === id;
    values.push(replacement ?? (isSame ? b.adopt(node) : b.copy(node, inputs)));
  }
  if (isSame) return graph;
  return b.finish(
    graph.name,
    graph.outputs.map(({ value, at, ...rest }) => ({
      ...rest,
      value: values[value]!,
      ...(at !== undefined && { at: values[at]! }),
    })),
  );
}
