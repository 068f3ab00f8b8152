/** Floating-point operations of a node, for outlines and hovers: what is computed, not what is moved. */
import { type Dim, sizeOf } from '../dim/dim.ts';
import type { Graph, GraphNode } from '../ir/graph.ts';
import { primitive } from './registry.ts';

/** A multiplication and an addition are two; an op without a count of its own takes one an element. Symbolic where the shapes are. */
export function flopsOf({ op, inputs, attributes, type }: GraphNode, { nodes }: Pick<Graph, 'nodes'>): Dim {
  const declared = primitive(op);
  const from = inputs.map(id => nodes[id]!.type);
  const counted = declared.flops?.(from, attributes, type);
  if (counted !== undefined) return counted;
  if (op === 'cast' || op === 'detach') return 0;
  if (declared.lowering.kind === 'elementwise') return sizeOf(type.shape);
  return declared.lowering.kind === 'reduce' ? sizeOf(from[0]!.shape) : 0;
}
