/** Roundings to f16 that no kernel would store, which cost accuracy and arithmetic and save nothing. */
import type { Graph, NodeId } from '../ir/graph.ts';
import type { Value } from '../ops/builder.ts';
import type { PrimitiveName } from '../ops/registry.ts';
import { rewriteGraph } from '../passes/rewrite.ts';
import { type Dataflow, dataflow } from './dataflow.ts';
import { chooseRoots } from './realize.ts';
import { pinnedNodes } from './roots.ts';

/** The graph without the roundings that its schedule would make in passing; those of operands of products stay, stored or not. */
export function withoutPassingRoundings(graph: Graph): Graph {
  if (!graph.nodes.some(({ op }) => op === 'to_f16')) return graph;
  const flow = dataflow(graph);
  const stored = chooseRoots(flow, pinnedNodes(flow));
  const isPassing = (id: NodeId) => flow.live[id] && !stored.has(id) && isOnlyWidened(flow, stored, id);
  const passing = new Set([...graph.nodes.keys()].filter(id => graph.nodes[id]!.op === 'to_f16' && isPassing(id)));
  /** What is not rounded, by the node that was of f16. */
  const plain = new Map<NodeId, Value>();
  let next = 0;
  return rewriteGraph(graph, (b, { node, inputs }) => {
    const id = next++;
    const value = plain.get(node.inputs[0]!);
    if (passing.has(id)) plain.set(id, inputs[0]!);
    if (value === undefined || node.op === 'to_f32') return value;
    plain.set(id, b.op(node.op as PrimitiveName, [value], node.attributes as never));
    return undefined;
  });
}

/** True if nothing but f32 is made of the value, by way of views or not, and no product reads that. */
function isOnlyWidened(flow: Dataflow, stored: ReadonlySet<NodeId>, id: NodeId): boolean {
  return flow.consumers[id]!.every(reader => {
    if (flow.node(reader).op === 'to_f32') return !feedsProduct(flow, reader);
    return flow.kind(reader) === 'view' && !stored.has(reader) && isOnlyWidened(flow, stored, reader);
  });
}

function feedsProduct(flow: Dataflow, id: NodeId): boolean {
  return flow.consumers[id]!.some(
    reader => flow.kind(reader) === 'matmul' || (flow.kind(reader) === 'view' && feedsProduct(flow, reader)),
  );
}
