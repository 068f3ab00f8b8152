/** Facts about a concrete graph that scheduling asks for again and again: what is live, who consumes what, sizes, lowerings. */
import type { DType, Graph, GraphNode, NodeId } from '../ir/graph.ts';
import type { ScalarType } from '../ir/scalar.ts';
import type { Lowering } from '../ops/primitive.ts';
import { primitive } from '../ops/registry.ts';
import { EngineError, never } from '../util/errors.ts';

export type LoweringKind = Lowering<Record<string, never>>['kind'];

export interface Dataflow {
  readonly graph: Graph;
  /** Live nodes that read `id`, each once, in order. Empty for dead nodes. */
  readonly consumers: readonly (readonly NodeId[])[];
  readonly live: readonly boolean[];
  node(id: NodeId): GraphNode;
  shape(id: NodeId): readonly number[];
  size(id: NodeId): number;
  /** The primitive's lowering; a reduction over axes of size 1 alone counts as a view of its input, and so does what f16 is in f32. */
  kind(id: NodeId): LoweringKind;
}

export const product = (shape: readonly number[]): number => shape.reduce((n, d) => n * d, 1);

/** Inputs whose values a node's own is made of: what it only waits for is none of them. */
export const readBy = ({ op, inputs }: GraphNode): readonly NodeId[] => (op === 'after' ? inputs.slice(0, 1) : inputs);

/** The type in which a tensor's elements are computed with: those of u8 are loaded as i32, those of f16 as f32. */
export function scalarType(dtype: DType): ScalarType {
  if (dtype === 'f16') return 'f32';
  return dtype === 'u8' ? 'i32' : dtype;
}

/** Throws EngineError `unsupported` where a live node has a symbolic or empty shape. */
export function dataflow(graph: Graph): Dataflow {
  const live = graph.nodes.map(() => false);
  for (const output of graph.outputs) {
    live[output.value] = true;
    if (output.at !== undefined) live[output.at] = true;
  }
  const consumers = graph.nodes.map((): NodeId[] => []);
  for (let id = graph.nodes.length - 1; id >= 0; id--) {
    if (!live[id]) continue;
    for (const input of new Set(readBy(graph.nodes[id]!))) {
      live[input] = true;
      consumers[input]!.unshift(id);
    }
  }
  const shapes = graph.nodes.map((node, id) => (live[id] ? concrete(node, graph.name) : []));
  const node = (id: NodeId): GraphNode => {
    const found = graph.nodes[id];
    if (!found) throw never('no such node', id);
    return found;
  };
  const kinds = graph.nodes.map((n, id): LoweringKind => {
    const kind = n.op === 'to_f32' ? 'view' : primitive(n.op).lowering.kind;
    return kind === 'reduce' && live[id] && product(shapes[n.inputs[0]!]!) === product(shapes[id]!) ? 'view' : kind;
  });
  return {
    graph,
    live,
    consumers,
    node,
    shape: id => shapes[id]!,
    size: id => product(shapes[id]!),
    kind: id => kinds[id]!,
  };
}

function concrete(node: GraphNode, graph: string): readonly number[] {
  return node.type.shape.map(d => {
    if (typeof d === 'number' && d >= 1) return d;
    const where = node.label ? ` of ${node.label}` : '';
    throw new EngineError(
      'unsupported',
      `expected ${graph} to have sizes of at least 1, found ${String(typeof d === 'number' ? d : d.key)} in ${node.op}${where}`,
    );
  });
}
