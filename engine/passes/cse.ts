/** Common-subexpression elimination: nodes that say the same are one node. */
import type { Graph, GraphNode, NodeId } from '../ir/graph.ts';
import { nodeKey } from '../ops/nodeKey.ts';
import { rewriteGraph } from './rewrite.ts';

/** Ops for which op(x, y) = op(y, x) bit for bit. */
const commutative: ReadonlySet<string> = new Set(['add', 'mul', 'equal', 'not_equal', 'logical_and', 'logical_or']);

/**
 * Shares equal nodes, with the operands of commutative ops in the order of their ids, constants last: layers that do the same then have
 * kernels that are the same, whichever of them was the first to need the constant.
 */
export function cse(graph: Graph): Graph {
  const keys = new Set<string>();
  const nodeAt = (id: NodeId) => graph.nodes[id]!;
  const isDone = graph.nodes.every(
    ({ op, inputs }, id) => isOrdered(op, inputs, nodeAt) && keys.size < keys.add(nodeKey(nodeAt(id))).size,
  );
  if (isDone) return graph;
  return rewriteGraph(graph, (b, { node, inputs }) => {
    const [x, y] = inputs;
    const ids = inputs.map(({ id }) => id);
    return b.copy(node, isOrdered(node.op, ids, id => b.node(id)) ? inputs : [y!, x!]);
  });
}

function isOrdered(op: string, [x, y]: readonly NodeId[], nodeAt: (id: NodeId) => GraphNode): boolean {
  if (x === undefined || y === undefined || !commutative.has(op)) return true;
  const [first, second] = [x, y].map(id => nodeAt(id).op === 'constant');
  return first === second ? x <= y : second!;
}
