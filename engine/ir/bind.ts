/** Turns a symbolic graph into a concrete one: the batch size gets its number. */
import { type Dim, substituteDim } from '../dim/dim.ts';
import { never } from '../util/errors.ts';
import { type Attribute, type Attributes, type Graph, isGraph, type TensorType } from './graph.ts';

/** The graph with `sizes` in place of dimension variables, in types and in attributes. */
export function bindGraph(graph: Graph, sizes: Readonly<Record<string, number>>): Graph {
  return bind(graph, new Map<string, Dim>(Object.entries(sizes)));
}

function bind(graph: Graph, bindings: ReadonlyMap<string, Dim>): Graph {
  return {
    ...graph,
    nodes: graph.nodes.map(node => ({
      ...node,
      attributes: bindAttributes(node.attributes, bindings),
      type: { dtype: node.type.dtype, shape: node.type.shape.map(d => substituteDim(d, bindings)) },
    })),
  };
}

/** The shape of a bound type as plain numbers; a symbolic dimension here is our bug. */
export function concreteShape(type: TensorType): readonly number[] {
  for (const d of type.shape) if (typeof d !== 'number') throw never('symbolic dimension in a bound graph', d.key);
  return type.shape as readonly number[];
}

function bindAttributes(attributes: Attributes, bindings: ReadonlyMap<string, Dim>): Attributes {
  return Object.fromEntries(Object.entries(attributes).map(([name, value]) => [name, bindAttribute(value, bindings)]));
}

function bindAttribute(value: Attribute, bindings: ReadonlyMap<string, Dim>): Attribute {
  if (isGraph(value)) return bind(value, bindings);
  if (!Array.isArray(value)) return value;
  return value.map(item => (typeof item === 'object' ? substituteDim(item, bindings) : item)) as Attribute;
}
