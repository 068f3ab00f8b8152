/** Common-subexpression elimination: nodes that say the same are one node. */
import type { Graph } from '../ir/graph.ts';
import { rewriteGraph } from './rewrite.ts';

/** Ops for which op(x, y) = op(y, x) bit for bit. */
const commutative: ReadonlySet<string> = new Set(['add', 'mul', 'equal', 'not_equal', 'logical_and', 'logical_or']);

/** Shares equal nodes, with the operands of commutative ops in the order of their ids. */
export function cse(graph: Graph): Graph {
  return rewriteGraph(graph, (b, { node, inputs: [x, y] }) => {
    if (x === undefined || y === undefined || x.id <= y.id || !commutative.has(node.op)) return undefined;
    return b.copy(node, [y, x]);
  });
}
