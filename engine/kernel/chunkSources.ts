/** What a chunk reads of a value of all steps: its part of it, or its part of what the value is made of, which the chunk makes again. */
import type { GraphNode, NodeId } from '../ir/graph.ts';
import type { GraphBuilder, Value } from '../ops/builder.ts';
import { primitive } from '../ops/registry.ts';
import { bytesOf } from './memory.ts';

/** The body of a loop over chunks, and how it gets at values of the graph around it. */
export interface ChunkLeaves {
  readonly b: GraphBuilder;
  readonly body: GraphBuilder;
  /** Of all chunks, and of each. */
  readonly length: number;
  readonly steps: number;
  /** Of a value [T, …] its part, [steps, …]. */
  readonly part: (value: Value) => Value;
  readonly constant: (value: Value) => Value;
}

/** A recipe for a chunk's part. */
interface Source {
  readonly make: () => Value;
  /** Of all that is held for it, by value. */
  readonly held: ReadonlyMap<NodeId, number>;
}

/** The part of `value` [T, …] in a chunk, made there if what it is made of takes less room; each row is made as it was, so that no bit differs. */
export function chunkPart(leaves: ChunkLeaves, value: Value): Value {
  const { make, held } = sourceOf(leaves, value.id);
  const bytes = [...held.values()].reduce((sum, n) => sum + n, 0);
  return bytes < bytesIn(leaves.b.node(value.id)) ? make() : leaves.part(value);
}

/** Bytes of a node's value, whose sizes are known. */
export const bytesIn = ({ type }: GraphNode): number =>
  type.shape.reduce<number>((n, d) => n * Number(d), bytesOf(type.dtype));

const nothing: Source['held'] = new Map();

/** Needs no memory of its own: it is there anyway, or made of indices. */
const isFree = ({ op }: GraphNode): boolean => ['input', 'state', 'constant', 'iota', 'random_bits'].includes(op);

function sourceOf(leaves: ChunkLeaves, id: NodeId): Source {
  const { b, body, length, steps, part, constant } = leaves;
  const node = b.node(id);
  const [first] = node.inputs;
  const shape = [steps, ...node.type.shape.slice(1)];
  const made = (build: (inputs: readonly Value[]) => Value, sources: readonly Source[]): Source => ({
    make: () => body.scoped(again(node.label), () => build(sources.map(({ make }) => make()))),
    held: new Map(sources.flatMap(({ held }) => [...held])),
  });
  const whole = (input: NodeId): Source => ({ make: () => constant(b.value(input)), held: nothing });
  const isStepped = (input: NodeId) => b.node(input).type.shape[0] === length;
  if (node.op === 'constant')
    return made(() => body.constant(Number(node.attributes.value), { ...node.type, shape }), []);
  if (primitive(node.op).lowering.kind === 'elementwise')
    return made(
      inputs => body.copy({ ...node, type: { ...node.type, shape } }, inputs),
      node.inputs.map(input => sourceOf(leaves, input)),
    );
  if (node.op === 'broadcast' && b.node(first!).type.shape.length < node.type.shape.length)
    return made(([x]) => body.broadcast(x!, shape), [whole(first!)]);
  if (node.op === 'take' && isStepped(node.inputs[1]!))
    return made(([table, at]) => body.take(table!, at!), [whole(first!), sourceOf(leaves, node.inputs[1]!)]);
  const rows = node.op === 'reshape' ? productOfRows(leaves, b.node(first!)) : undefined;
  if (rows !== undefined) {
    const { x, width, y, attributes } = rows;
    return made(
      ([left, right]) => body.reshape(body.matmul(body.reshape(left!, [-1, width]), right!, attributes), shape),
      [x, whole(y)],
    );
  }
  const held = isFree(node) ? nothing : new Map([[id, bytesIn(node)]]);
  return { make: () => part(b.value(id)), held };
}

/** Is it a product of rows, so many of each step, with one matrix? */
function productOfRows(leaves: ChunkLeaves, { op, inputs, attributes }: GraphNode) {
  const { b, length, part } = leaves;
  if (op !== 'matmul' || attributes.transposeA === true) return undefined;
  const left = b.node(inputs[0]!);
  const [count, width] = left.type.shape.map(Number) as [number, number];
  if (left.type.shape.length !== 2 || count % length !== 0) return undefined;
  const inner = left.op === 'reshape' ? left.inputs[0]! : undefined;
  const { shape } = b.node(inner ?? inputs[0]!).type;
  const isStepped = inner !== undefined && shape.length > 2 && shape[0] === length && shape.at(-1) === width;
  const stepped = () => part(b.reshape(b.value(inputs[0]!), [length, count / length, width]));
  const x = isStepped
    ? sourceOf(leaves, inner)
    : { make: stepped, held: new Map([[inner ?? inputs[0]!, bytesIn(left)]]) };
  return { x, width, y: inputs[1]!, attributes: attributes as { readonly transposeB?: boolean } };
}

const again = (label: string | undefined): string => (label === undefined ? 'again' : `again(${label})`);
