/** The identity of a node: equal keys mean equal values, so that builders and passes can share them. */
import { type Dim, showDim } from '../dim/dim.ts';
import type { Attribute, GraphNode } from '../ir/graph.ts';

/** Text of everything but the label. */
export function nodeKey(node: GraphNode): string {
  const attributes = Object.entries(node.attributes)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}=${showAttribute(value)}`);
  return `${node.op}(${node.inputs.join()};${attributes.join(';')}):${node.type.dtype}[${node.type.shape.map(showDim).join()}]`;
}

function showAttribute(value: Attribute): string {
  if (Array.isArray(value)) return `[${value.map(showElement).join()}]`;
  return showElement(value as string | number | boolean | Dim);
}

function showElement(value: string | number | boolean | Dim): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'object') return showDim(value);
  // -0 and 0 are different constants.
  return Object.is(value, -0) ? '-0' : String(value);
}
