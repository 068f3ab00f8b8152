/** The text form of graphs: what `--emit graph` shows, what tests compare, and what Programs carry over the wire. Read back by parse.ts. */
import { showDim, showShape } from '../dim/dim.ts';
import { never } from '../util/errors.ts';
import { type Attribute, type Graph, type GraphNode, type GraphOutput, isGraph, type TensorType } from './graph.ts';

/**
 * One node a line:
 * ```
 * graph train {
 *   %0 = input {name: "image"} : f32[B, 784]
 *   %2 = matmul(%0, %1) {transposeB: true} : f32[B, 128]  // net.fc1
 *   result loss = %7
 *   assign params = %9
 *   write ring[%12] = %11
 * }
 * ```
 * The bodies of a loop stand below its line, each behind the name of the attribute: `body: graph step {`.
 */
export function printGraph(graph: Graph): string {
  return [...linesOf(graph), ''].join('\n');
}

function linesOf(graph: Graph): string[] {
  const lines = graph.nodes.flatMap((node, id) => [`  %${id} = ${printNode(node)}`, ...bodiesOf(node)]);
  const outputs = graph.outputs.map(output => `  ${printOutput(output)}`);
  return [`graph ${graph.name} {`, ...lines, ...outputs, '}'];
}

function bodiesOf({ attributes }: GraphNode): string[] {
  return Object.entries(attributes).flatMap(([name, value]) => {
    if (!isGraph(value)) return [];
    const [first, ...rest] = linesOf(value);
    return [`${name}: ${first}`, ...rest].map(line => `    ${line}`);
  });
}

/** `f32[B, 784]`. */
export function printType(type: TensorType): string {
  return type.dtype + showShape(type.shape);
}

function printNode(node: GraphNode): string {
  const inputs = node.inputs.length === 0 ? '' : `(${node.inputs.map(id => `%${id}`).join(', ')})`;
  const label = node.label === undefined ? '' : `  // ${node.label}`;
  return `${node.op}${inputs}${printAttributes(node)} : ${printType(node.type)}${label}`;
}

function printAttributes({ attributes }: GraphNode): string {
  const entries = Object.entries(attributes).filter(([, value]) => !isGraph(value));
  if (entries.length === 0) return '';
  return ` {${entries.map(([name, value]) => `${name}: ${printAttribute(value)}`).join(', ')}}`;
}

/** Strings are JSON; numbers JavaScript's (so `Infinity` and `-0` survive); symbolic dimensions stand between backquotes. */
function printAttribute(value: Attribute): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'number') return Object.is(value, -0) ? '-0' : String(value);
  if (typeof value === 'boolean') return String(value);
  if (isGraph(value)) throw never('a body stands on lines of its own');
  const items = value.map(item => (typeof item === 'object' ? `\`${showDim(item)}\`` : printAttribute(item)));
  return `[${items.join(', ')}]`;
}

function printOutput(output: GraphOutput): string {
  const place = output.kind === 'write' ? `${output.name}[%${output.at}]` : output.name;
  return `${output.kind} ${place} = %${output.value}`;
}
