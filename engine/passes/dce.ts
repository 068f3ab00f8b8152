/** Dead-code elimination: keeps what the outputs need. */
import type { Graph, GraphNode } from '../ir/graph.ts';

/** The graph without nodes that no output depends on, leaves included, renumbered in the same order. States that outputs store to stay: they say how long the buffer is. */
export function dce(graph: Graph): Graph {
  const alive = new Set(graph.outputs.flatMap(({ value, at }) => (at === undefined ? [value] : [value, at])));
  const stored = new Set(graph.outputs.filter(o => o.kind !== 'result').map(o => o.name));
  for (const [id, { op, attributes }] of graph.nodes.entries()) {
    if (op === 'state' && stored.has(String(attributes.name))) alive.add(id);
  }
  for (let id = graph.nodes.length - 1; id >= 0; id--) {
    if (alive.has(id)) for (const input of graph.nodes[id]!.inputs) alive.add(input);
  }
  if (alive.size === graph.nodes.length) return graph;
  const renumbered = new Map<number, number>();
  const nodes: GraphNode[] = [];
  for (const [id, node] of graph.nodes.entries()) {
    if (!alive.has(id)) continue;
    renumbered.set(id, nodes.length);
    nodes.push({ ...node, inputs: node.inputs.map(i => renumbered.get(i)!) });
  }
  const outputs = graph.outputs.map(output => ({
    ...output,
    value: renumbered.get(output.value)!,
    ...(output.at !== undefined && { at: renumbered.get(output.at)! }),
  }));
  return { name: graph.name, nodes, outputs };
}
