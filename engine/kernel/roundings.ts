/** Roundings to f16 that no kernel would store, which cost accuracy and arithmetic and save nothing. */
import type { Graph, NodeId } from '../ir/graph.ts';
import { rewriteGraph } from '../passes/rewrite.ts';
import { type Dataflow, dataflow } from './dataflow.ts';
import { chooseRoots } from './realize.ts';
import { pinnedNodes } from './roots.ts';

/** The graph without the roundings that its schedule would make in passing; those of operands of products stay, stored or not. */
export function withoutPassingRoundings(graph: Graph): Graph {
  if (!graph.nodes.some(({ op }) => op === 'to_f16')) return graph;
  const flow = dataflow(graph);
  const stored = chooseRoots(flow, pinnedNodes(flow));
  const passing = new Set<NodeId>();
  for (const [id, { op }] of graph.nodes.entries()) {
    if (op !== 'to_f16' || !flow.live[id] || stored.has(id)) continue;
    if (flow.consumers[id]!.every(reader => flow.node(reader).op === 'to_f32' && !feedsProduct(flow, reader)))
      passing.add(id);
  }
  const inputOf = (id: NodeId) => graph.nodes[id]!.inputs[0]!;
  let next = 0;
  return rewriteGraph(graph, (b, { node, inputs }) => {
    const id = next++;
    if (node.op !== 'to_f32' || !passing.has(inputOf(id))) return undefined;
    const { inputs: from } = b.node(inputs[0]!.id);
    return b.value(from[0]!);
  });
}

function feedsProduct(flow: Dataflow, id: NodeId): boolean {
  return flow.consumers[id]!.some(
    reader => flow.kind(reader) === 'matmul' || (flow.kind(reader) === 'view' && feedsProduct(flow, reader)),
  );
}
