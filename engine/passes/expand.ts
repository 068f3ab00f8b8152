/** Replaces composite ops (convolution, cumulative sums, sorting) by the primitives that their lowering names. */
import type { Graph } from '../ir/graph.ts';
import { primitive } from '../ops/registry.ts';
import { rewriteGraph } from './rewrite.ts';

/** The graph without composite ops, itself if it has none. An expansion may hold composite ops of its own. */
export function expand(graph: Graph): Graph {
  const composite = graph.nodes.some(node => primitive(node.op).lowering.kind === 'expand');
  if (!composite) return graph;
  const expanded = rewriteGraph(graph, (b, { node, inputs }) => {
    const { lowering } = primitive(node.op);
    return lowering.kind === 'expand' ? lowering.build(b, inputs, node.attributes) : undefined;
  });
  return expand(expanded);
}
