/** The growing list of nodes beneath the builder: types checked as it grows, equal nodes shared, leaves, labels, other graphs taken in. */
import { sameShape, showShape } from '../dim/dim.ts';
import type { Attributes, Graph, GraphNode, GraphOutput, NodeId, Shape, TensorType } from '../ir/graph.ts';
import { never } from '../util/errors.ts';
import { nodeKey } from './nodeKey.ts';
import { type PrimitiveName, primitive } from './registry.ts';
import { ShapeError } from './shapeError.ts';

/** A node of a graph under construction. */
export interface Value {
  readonly id: NodeId;
  readonly type: TensorType;
}

export interface OutputSpec {
  readonly name: string;
  readonly value: Value;
  /** Default `result`. */
  readonly kind?: GraphOutput['kind'];
  /** Element offset of a `write`. */
  readonly at?: Value;
}

export function isValue(x: unknown): x is Value {
  return typeof x === 'object' && x !== null && 'id' in x && 'type' in x;
}

const scalarShape: Shape = [];

/** The nodes of a graph under construction: append-only, and equal nodes are one. */
export class NodeBuilder {
  private readonly nodes: GraphNode[] = [];
  /** Of the first nodes, as many as have been needed. */
  private readonly known = new Map<string, NodeId>();
  private keyed = 0;
  private label: string | undefined;

  /** Takes over a node of a graph whose nodes before it are those of this one. */
  adopt(node: GraphNode): Value {
    return { id: this.nodes.push(node) - 1, type: node.type };
  }

  /** Takes over the nodes of another builder, and its label; for a builder that is still empty. */
  protected follow(other: NodeBuilder): void {
    for (const node of other.nodes) this.nodes.push(node);
    for (const [key, id] of other.known) this.known.set(key, id);
    this.keyed = other.keyed;
    this.label = other.label;
  }

  /** Forgets the nodes from number `size` on: values of theirs mean nothing any more. */
  rewind(size: number): void {
    for (const node of this.nodes.splice(size)) this.known.delete(nodeKey(node));
    this.keyed = Math.min(this.keyed, size);
  }

  /** The value of a node that exists. */
  value(id: NodeId): Value {
    return { id, type: this.node(id).type };
  }

  node(id: NodeId): GraphNode {
    const node = this.nodes[id];
    if (node === undefined) throw never('no such node', id);
    return node;
  }

  get size(): number {
    return this.nodes.length;
  }

  /** Applies a primitive: checks its type rule (ShapeError), shares a node that already says the same. */
  op(name: PrimitiveName, inputs: readonly Value[], attributes: Attributes = {}, label?: string): Value {
    const types = inputs.map(v => v.type);
    return this.append(
      name,
      inputs.map(v => v.id),
      attributes,
      primitive(name).type(types, attributes),
      label,
    );
  }

  /** Nodes made by `make` get `label` (the innermost scope wins): the place in the source they stem from, `net.fc1`. */
  scoped<T>(label: string, make: () => T): T {
    const outer = this.label;
    this.label = label;
    try {
      return make();
    } finally {
      this.label = outer;
    }
  }

  /** The graph so far. */
  finish(name: string, outputs: readonly OutputSpec[]): Graph {
    return {
      name,
      nodes: [...this.nodes],
      outputs: outputs.map(({ name: output, value, kind, at }) => ({
        name: output,
        value: value.id,
        kind: kind ?? 'result',
        ...(at && { at: at.id }),
      })),
    };
  }

  /**
   * Copies `graph` into this one and returns its outputs by name. Inputs and states whose name is in `leaves` become that value
   * (of the same type); the others are copied, so that equal names are one leaf.
   */
  inline(graph: Graph, leaves: Readonly<Record<string, Value>> = {}): Readonly<Record<string, Value>> {
    const copies: Value[] = [];
    for (const node of graph.nodes) {
      const replaced = node.op === 'input' || node.op === 'state' ? leaves[String(node.attributes.name)] : undefined;
      if (replaced && !(replaced.type.dtype === node.type.dtype && sameShape(replaced.type.shape, node.type.shape))) {
        const expected = `${node.type.dtype}${showShape(node.type.shape)} for ${String(node.attributes.name)}`;
        const found = replaced.type.dtype + showShape(replaced.type.shape);
        throw new ShapeError({ code: 'shape-mismatch', op: graph.name, expected, found });
      }
      const inputs = node.inputs.map(i => copies[i]!);
      copies.push(replaced ?? this.copy(node, inputs));
    }
    return Object.fromEntries(graph.outputs.map(o => [o.name, copies[o.value]!]));
  }

  /** Appends a node of another graph as it is, with `inputs` of this one. */
  copy(node: GraphNode, inputs: readonly Value[]): Value {
    return this.append(
      node.op,
      inputs.map(v => v.id),
      node.attributes,
      node.type,
      node.label,
    );
  }

  // Leaves

  input(name: string, type: TensorType): Value {
    return this.append('input', [], { name }, type);
  }

  state(name: string, type: TensorType): Value {
    return this.append('state', [], { name }, type);
  }

  /** A tensor filled with `value`; an f32 scalar unless `type` says otherwise. */
  constant(value: number, type: TensorType = { dtype: 'f32', shape: scalarShape }): Value {
    return this.append('constant', [], { value }, type);
  }

  /** A constant of the type of `like`. */
  fill(value: number, like: Value): Value {
    return this.constant(value, like.type);
  }

  private append(
    op: string,
    inputs: readonly NodeId[],
    attributes: Attributes,
    type: TensorType,
    label = this.label,
  ): Value {
    const node: GraphNode = { op, inputs, attributes, type, ...(label !== undefined && { label }) };
    for (; this.keyed < this.nodes.length; this.keyed++) this.known.set(nodeKey(this.nodes[this.keyed]!), this.keyed);
    const key = nodeKey(node);
    const found = this.known.get(key);
    if (found !== undefined) return { id: found, type };
    this.known.set(key, this.keyed++);
    return this.adopt(node);
  }
}
