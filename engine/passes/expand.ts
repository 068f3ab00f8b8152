/** Replaces composite ops (convolution, cumulative sums, sorting) by the primitives that their lowering names. */
import { type Graph, isGraph } from '../ir/graph.ts';
import { primitive } from '../ops/registry.ts';
import { rewriteGraph } from './rewrite.ts';

/** The graph without composite ops, the bodies of its loops included; itself if it has none. An expansion may hold composite ops of its own. */
export function expand(graph: Graph): Graph {
  const composite = graph.nodes.some(({ op, attributes }) => {
    const bodies = Object.values(attributes).filter(isGraph);
    return primitive(op).lowering.kind === 'expand' || bodies.some(body => expand(body) !== body);
  });
  if (!composite) return graph;
  const expanded = rewriteGraph(graph, (b, { node, inputs }) => {
    const { lowering } = primitive(node.op);
    if (lowering.kind === 'expand') return lowering.build(b, inputs, node.attributes);
    if (lowering.kind !== 'scan') return undefined;
    const attributes = Object.entries(node.attributes).map(([name, value]) => [
      name,
      isGraph(value) ? expand(value) : value,
    ]);
    return b.copy({ ...node, attributes: Object.fromEntries(attributes) }, inputs);
  });
  return expand(expanded);
}
