/** Turns graph nodes into scalars: the element of a node at a multi-index, with everything that has no kernel of its own inlined. */
import type { NodeId } from '../ir/graph.ts';
import type { Scalar } from '../ir/scalar.ts';
import { flatten, int } from '../ir/scalars.ts';
import type { Lowering } from '../ops/primitive.ts';
import { primitive } from '../ops/registry.ts';
import { never } from '../util/errors.ts';
import { type Dataflow, scalarType } from './dataflow.ts';
import { apply, constant, scalarId } from './scalar.ts';
import { domainOf, type Simplify } from './simplify.ts';

export interface ReaderHost {
  readonly flow: Dataflow;
  /** Sizes of the kernel's axes. */
  readonly extents: readonly number[];
  /** The element `flat` (row-major) of a node that has a kernel or buffer of its own, else undefined. */
  readonly stored: (node: NodeId, flat: Scalar) => Scalar | undefined;
}

export interface Reader {
  /** Element `index` of `node`. */
  read(node: NodeId, index: readonly Scalar[]): Scalar;
  /** The same from the node's definition, though it may be stored. */
  define(node: NodeId, index: readonly Scalar[]): Scalar;
  readonly simplify: Simplify;
}

export function reader({ flow, extents, stored }: ReaderHost): Reader {
  const { range, simplify } = domainOf(extents);
  const known = new Map<string, Scalar>();

  /** Keeps an index inside the tensor where the ranges don't prove it: what is read there is masked, but must not be outside the buffer. */
  const clamp = (index: readonly Scalar[], shape: readonly number[]): Scalar[] =>
    index.map((raw, d) => {
      const i = simplify(raw);
      const [low, high] = range(i);
      const last = shape[d]! - 1;
      if (low >= 0 && high <= last) return i;
      return simplify(apply('min', [apply('max', [i, constant(0)], 'i32'), constant(last)], 'i32'));
    });

  const read = (node: NodeId, index: readonly Scalar[]): Scalar => {
    const at = clamp(index, flow.shape(node));
    const key = `${node}:${at.map(scalarId).join()}`;
    const seen = known.get(key);
    if (seen) return seen;
    const value = stored(node, simplify(flatten(at, flow.shape(node)))) ?? define(node, at);
    known.set(key, value);
    return value;
  };

  const define = (id: NodeId, index: readonly Scalar[]): Scalar => {
    const node = flow.node(id);
    const lowering: Lowering<typeof node.attributes> = primitive(node.op).lowering;
    if (node.op === 'constant') return constant(Number(node.attributes.value), scalarType(node.type.dtype));
    switch (lowering.kind) {
      case 'elementwise':
        return simplify(
          lowering.scalar(
            node.inputs.map(input => read(input, index)),
            node.attributes,
            node.type,
          ),
        );
      case 'generate': {
        const shapes = node.inputs.map(input => flow.shape(input));
        const load = (input: number, at: readonly Scalar[]) => read(node.inputs[input]!, at);
        return simplify(lowering.scalar(index, load, node.attributes, shapes, flow.shape(id)));
      }
      case 'view': {
        const input = node.inputs[0]!;
        const {
          index: at,
          inside,
          fill = 0,
        } = lowering.source(index, node.attributes, flow.shape(input), flow.shape(id));
        const value = read(input, at);
        return inside ? simplify(apply('select', [inside, value, constant(fill, value.type)], value.type)) : value;
      }
      case 'reduce':
        return reduceOfOne(id, index);
      default:
        throw never(`${node.op} has no elementwise definition`);
    }
  };

  /** A reduction over axes of size 1 is its input; the greatest of one is at 0. */
  const reduceOfOne = (id: NodeId, index: readonly Scalar[]): Scalar => {
    if (flow.node(id).op === 'argmax') return constant(0);
    const input = flow.node(id).inputs[0]!;
    return read(input, spreadIndex(flow, id, index, []));
  };

  return { read, define, simplify };
}

/** Index into the input of the reduction `id`: `outer` gives its output's index, `inner` that of the reduced axes larger than 1. */
export function spreadIndex(flow: Dataflow, id: NodeId, outer: readonly Scalar[], inner: readonly Scalar[]): Scalar[] {
  const { attributes, inputs } = flow.node(id);
  const axes = attributes.axes as readonly number[];
  const rest = attributes.keep === true ? outer.filter((_, d) => !axes.includes(d)) : [...outer];
  const reduced = [...inner];
  return flow.shape(inputs[0]!).map((size, d) => {
    if (!axes.includes(d)) return rest.shift() ?? int(0);
    return size === 1 ? int(0) : (reduced.shift() ?? int(0));
  });
}
