/** Common-subexpression elimination: nodes that say the same are one node. */
import type { Graph, GraphNode } from '../ir/graph.ts';
import { nodeKey } from '../ops/nodeKey.ts';
import { rewriteGraph } from './rewrite.ts';

/** Ops for which op(x, y) = op(y, x) bit for bit. */
const commutative: ReadonlySet<string> = new Set(['add', 'mul', 'equal', 'not_equal', 'logical_and', 'logical_or']);

/** Shares equal nodes, with the operands of commutative ops in the order of their ids. */
export function cse(graph: Graph): Graph {
  const keys = new Set<string>();
  const isDone = graph.nodes.every(node => isOrdered(node) && keys.size < keys.add(nodeKey(node)).size);
  if (isDone) return graph;
  return rewriteGraph(graph, (b, { node, inputs }) => {
    const [x, y] = inputs;
    return b.copy(node, isOrdered({ op: node.op, inputs: inputs.map(v => v.id) }) ? inputs : [y!, x!]);
  });
}

function isOrdered({ op, inputs: [x, y] }: Pick<GraphNode, 'op' | 'inputs'>): boolean {
  return x === undefined || y === undefined || x <= y || !commutative.has(op);
}
