/** Floating-point operations of a node, for outlines and hovers: what is computed, not what is moved. */
import { addDim, type Dim, mulDim, sizeOf } from '../dim/dim.ts';
import type { Graph, GraphNode } from '../ir/graph.ts';
import type { ScanAttributes } from './primitives/scanParts.ts';
import { primitive } from './registry.ts';

/** A multiplication and an addition are two; an op without a count of its own takes one an element. Symbolic where the shapes are. */
export function flopsOf({ op, inputs, attributes, type }: GraphNode, { nodes }: Pick<Graph, 'nodes'>): Dim {
  const declared = primitive(op);
  const from = inputs.map(id => nodes[id]!.type);
  const counted = declared.flops?.(from, attributes, type);
  if (counted !== undefined) return counted;
  if (op === 'scan') {
    const { body, length } = attributes as ScanAttributes;
    const step = body.nodes.reduce<Dim>((total, node) => addDim(total, flopsOf(node, body)), 0);
    return mulDim(length, step);
  }
  if (op === 'cast' || op === 'detach') return 0;
  if (declared.lowering.kind === 'elementwise') return sizeOf(type.shape);
  return declared.lowering.kind === 'reduce' ? sizeOf(from[0]!.shape) : 0;
}

export interface Work {
  readonly node: GraphNode;
  readonly flops: Dim;
}

/** The nodes that compute, those of a loop's body in its place, each with how often it runs. */
export function* workOf(graph: Pick<Graph, 'nodes'>, times: Dim = 1): Iterable<Work> {
  for (const node of graph.nodes) {
    const { body, length } = node.attributes as Partial<ScanAttributes>;
    if (node.op === 'scan' && body !== undefined) yield* workOf(body, mulDim(times, length!));
    else yield { node, flops: mulDim(times, flopsOf(node, graph)) };
  }
}
