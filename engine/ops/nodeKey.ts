/** The identity of a node: equal keys mean equal values, so that builders and passes can share them. */
import { type Dim, showDim } from '../dim/dim.ts';
import { type Attribute, type Graph, type GraphNode, isGraph } from '../ir/graph.ts';
import { printGraph } from '../ir/print.ts';

/** Text of everything but the label. The type of a node that has inputs follows from them. */
export function nodeKey({ op, inputs, attributes, type }: GraphNode): string {
  let key = op;
  for (const input of inputs) key += `,${input}`;
  for (const name of namesOf(attributes)) key += `;${name}=${showAttribute(attributes[name]!)}`;
  return inputs.length > 0 ? key : `${key}:${type.dtype}[${type.shape.map(showDim).join()}]`;
}

function namesOf(attributes: GraphNode['attributes']): readonly string[] {
  const names = Object.keys(attributes);
  return names.length > 1 ? names.sort() : names;
}

/** A body is looked at each time its loop is rebuilt, but printed once. */
const bodies = new WeakMap<Graph, string>();

function showBody(body: Graph): string {
  const known = bodies.get(body) ?? printGraph(body);
  bodies.set(body, known);
  return known;
}

function showAttribute(value: Attribute): string {
  if (isGraph(value)) return showBody(value);
  if (Array.isArray(value)) return `[${value.map(showElement).join()}]`;
  return showElement(value as string | number | boolean | Dim);
}

function showElement(value: string | number | boolean | Dim): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'object') return showDim(value);
  // -0 and 0 are different constants.
  return Object.is(value, -0) ? '-0' : String(value);
}
