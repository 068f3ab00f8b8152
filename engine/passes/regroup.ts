/** Sums of products and sums of sums become one each, over the operands side by side: what a recurrence accumulates step by step is computed at once. */
import type { Graph, NodeId } from '../ir/graph.ts';
import type { GraphBuilder, Value } from '../ops/builder.ts';
import { type Candidate, rewriteGraph } from './rewrite.ts';

/** How much more copying a concatenation may cost than the additions it saves: its pieces are mostly stored in place anyway. */
const COPY_LIMIT = 2;

/** Terms of a sum from which on one reduction over all of them is better than a chain of additions. */
const FEW_TERMS = 3;

/**
 * x1 y1 + x2 y2 = [x1 x2] [y1; y2] where the inner axis is short beside the outer ones, and sum(x1 + x2 + …) = sum([x1; x2; …]) where the
 * terms are stored for others anyway. Terms are added in another order than before, so that results may differ in the last bits.
 */
export function regroup(graph: Graph): Graph {
  const uses = countUses(graph);
  return rewriteGraph(graph, (b, candidate) => {
    const { node, inputs } = candidate;
    if (node.op === 'sum') return oneSum(b, candidate, termsOf(b, graph, uses, node.inputs[0]!, inputs[0]!));
    return node.op === 'add' && node.inputs.every(id => uses[id] === 1) ? oneProduct(b, candidate) : undefined;
  });
}

function countUses({ nodes, outputs }: Graph): Uint32Array {
  const uses = new Uint32Array(nodes.length);
  const read = [...nodes.flatMap(n => n.inputs), ...outputs.flatMap(({ value, at = value }) => [value, at])];
  for (const id of read) uses[id]!++;
  return uses;
}

/** Gradients are accumulated from the last step to the first: the later term comes first, so that the pieces are in order of time. */
function oneProduct(b: GraphBuilder, { inputs }: Candidate): Value | undefined {
  const [later, first] = inputs.map(input => b.node(input.id));
  if (later!.op !== 'matmul' || first!.op !== 'matmul') return undefined;
  const { transposeA, transposeB } = first!.attributes;
  if (later!.attributes.transposeA !== transposeA || later!.attributes.transposeB !== transposeB) return undefined;
  const [m, n] = inputs[0]!.type.shape;
  if (inputs[0]!.type.shape.length !== 2 || typeof m !== 'number' || typeof n !== 'number') return undefined;
  const axes = [transposeA ? 0 : 1, transposeB ? 1 : 0] as const;
  const k = b.value(first!.inputs[0]!).type.shape[axes[0]];
  if (typeof k !== 'number' || k * (m + n) > COPY_LIMIT * m * n) return undefined;
  const operands = axes.map((axis, i) => b.concat([b.value(first!.inputs[i]!), b.value(later!.inputs[i]!)], axis));
  return b.op('matmul', operands, first!.attributes);
}

/** The values that a chain of additions, which nobody else reads, adds up; the last one first. None if one of them would not be stored. */
function termsOf(b: GraphBuilder, graph: Graph, uses: Uint32Array, id: NodeId, value: Value): readonly Value[] {
  const terms: Value[] = [];
  const visit = (old: NodeId, current: Value): boolean => {
    const [node, now] = [graph.nodes[old]!, b.node(current.id)];
    if (node.op === 'add' && now.op === 'add' && uses[old] === 1) {
      return [1, 0].every(i => visit(node.inputs[i]!, b.value(now.inputs[i]!)));
    }
    terms.push(current);
    return uses[old]! > 1;
  };
  return visit(id, value) ? terms : [];
}

function oneSum(b: GraphBuilder, { node, inputs }: Candidate, terms: readonly Value[]): Value | undefined {
  const [axis] = node.attributes.axes as readonly number[];
  if (axis === undefined || terms.length < FEW_TERMS || inputs[0]!.type.dtype !== 'f32') return undefined;
  return b.op('sum', [b.concat(terms, axis)], node.attributes);
}
