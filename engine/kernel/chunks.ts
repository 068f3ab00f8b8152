/** Long loops in chunks: of a forward loop only the states between chunks are held, and the backward loop computes a chunk's steps again when it gets there. */
import type { Graph, GraphNode, NodeId } from '../ir/graph.ts';
import type { GraphBuilder, Value } from '../ops/builder.ts';
import { flopsOf } from '../ops/flops.ts';
import { slotOf, slotsOf } from '../ops/primitives/scanGradient.ts';
import { type ScanAttributes, scanParts, slotAfter } from '../ops/primitives/scanParts.ts';
import { optimize } from '../passes/pipeline.ts';
import { rewriteGraph } from '../passes/rewrite.ts';
import { bytesIn, type ChunkLeaves, chunkPart } from './chunkSources.ts';

/** A loop and the one that walks back over it. */
export interface Chunking {
  readonly forward: Loop;
  readonly backward: Loop;
  /** By number of the backward loop's sequence: the forward loop's result that it is, and from which slot on. */
  readonly read: ReadonlyMap<number, { readonly part: number; readonly first: number }>;
  /** In a chunk. */
  readonly steps: number;
  /** What computing the forward loop again costs. */
  readonly flops: number;
  /** By how many bytes less is held between the two. */
  readonly saved: number;
}

interface Loop {
  readonly id: NodeId;
  readonly node: GraphNode;
  readonly attributes: ScanAttributes;
  readonly reads: ReadonlyMap<GraphNode, Read>;
  /** Results of which someone else than the other loop reads more than the carry after the last step. */
  readonly stacked: readonly number[];
}

/** What a slice cuts out of a result, in elements. */
interface Read {
  readonly part: number;
  readonly at: number;
  readonly size: number;
}

/** All pairs of loops in `graph` that chunks would save memory for. */
export function chunkings(graph: Graph): readonly Chunking[] {
  const scans = [...graph.nodes.keys()].filter(id => graph.nodes[id]!.op === 'scan');
  return scans.flatMap(forward =>
    scans.filter(id => id > forward).flatMap(backward => chunkingOf(graph, forward, backward) ?? []),
  );
}

function chunkingOf(graph: Graph, from: NodeId, to: NodeId): Chunking | undefined {
  const [{ length, reverse, body, carries }, other] = [from, to].map(
    id => graph.nodes[id]!.attributes as ScanAttributes,
  ) as [ScanAttributes, ScanAttributes];
  if (length !== other.length || reverse === other.reverse) return undefined;
  const read = sequencesFrom(graph, from, to);
  const [forward, backward] = [loopOf(graph, from, to), loopOf(graph, to)];
  if (read.size === 0 || forward === undefined || backward === undefined) return undefined;
  const sizes = body.outputs.map(({ value }) => bytesIn(body.nodes[value]!));
  const held = sizes.filter((_, i) => !forward.stacked.includes(i)).reduce((sum, bytes) => sum + bytes, 0);
  const states = sizes.slice(0, carries).reduce((sum, bytes) => sum + bytes, 0);
  const bytes = (steps: number) => steps * held + (length / steps) * states;
  const divisors = [...Array(length).keys()].filter(n => n > 1 && length % n === 0);
  if (divisors.length === 0) return undefined;
  const steps = divisors.reduce((a, b) => (bytes(b) < bytes(a) ? b : a));
  const saved = length * held - bytes(steps);
  const flops = Number(flopsOf(forward.node, graph));
  return saved > 0 ? { forward, backward, read, steps, flops, saved } : undefined;
}

/** Sequences of the loop `to` that are a result of `from` in all its steps. */
function sequencesFrom(graph: Graph, from: NodeId, to: NodeId): Chunking['read'] {
  const { carries, sequences, length } = graph.nodes[to]!.attributes as ScanAttributes;
  const parts = scanParts(graph.nodes[from]!.attributes as ScanAttributes);
  const found = new Map<number, { part: number; first: number }>();
  for (const [n, input] of graph.nodes[to]!.inputs.slice(carries, carries + sequences).entries()) {
    let node = graph.nodes[input]!;
    while (node.op === 'reshape') node = graph.nodes[node.inputs[0]!]!;
    const read = node.op === 'slice' && node.inputs[0] === from ? readOf(node, parts) : undefined;
    const size = read && Number(parts[read.part]!.size);
    if (size && read.size === length * size && read.at % size === 0)
      found.set(n, { part: read.part, first: read.at / size });
  }
  return found;
}

function readOf({ op, attributes, type }: GraphNode, parts: ReturnType<typeof scanParts>): Read | undefined {
  if (op !== 'slice' || attributes.steps !== undefined) return undefined;
  const start = Number((attributes.starts as readonly number[])[0]);
  const size = Number(type.shape[0]);
  const ends = parts.map(p => Number(p.offset) + p.slots * Number(p.size));
  const part = parts.findIndex((p, i) => start >= Number(p.offset) && start + size <= ends[i]!);
  return part < 0 ? undefined : { part, at: start - Number(parts[part]!.offset), size };
}

/** Undefined if it is read by more than slices of single results; what `other` reads as a sequence counts as read by nobody. */
function loopOf(graph: Graph, id: NodeId, other?: NodeId): Loop | undefined {
  const node = graph.nodes[id]!;
  const attributes = node.attributes as ScanAttributes;
  const parts = scanParts(attributes);
  const reads = new Map<GraphNode, Read>();
  const stacked = new Set<number>();
  const isResult = (at: NodeId) => graph.outputs.some(({ value, at: place }) => value === at || place === at);
  const isReadElsewhere = (at: NodeId): boolean =>
    isResult(at) ||
    graph.nodes.some(
      ({ op, inputs }, reader) =>
        inputs.includes(at) && reader !== other && (op !== 'reshape' || isReadElsewhere(reader)),
    );
  if (isResult(id)) return undefined;
  for (const [reader, each] of graph.nodes.entries()) {
    if (!each.inputs.includes(id)) continue;
    const read = readOf(each, parts);
    if (read === undefined) return undefined;
    reads.set(each, read);
    const isLast = isAfterLast(attributes, read);
    if (attributes.last.includes(read.part) && !isLast) return undefined;
    if (!isLast && isReadElsewhere(reader)) stacked.add(read.part);
  }
  return { id, node, attributes, reads, stacked: [...stacked] };
}

/** Is it a carry after the last step? */
function isAfterLast(attributes: ScanAttributes, { part, at, size }: Read): boolean {
  const slot = Number(scanParts(attributes)[part]!.size);
  return part < attributes.carries && size === slot && at === slotAfter(attributes, part, attributes.length) * slot;
}

/** The graph with both loops over chunks: the same numbers. */
export function inChunks(graph: Graph, { forward, backward, read, steps }: Chunking): Graph {
  let outer: Chunked | undefined;
  let given: readonly Value[] = [];
  const results = new Map<GraphNode, Chunked>();
  const chunked = rewriteGraph(graph, (b, { node, inputs }) => {
    if (node === forward.node) {
      given = inputs;
      const chunks = new Chunks(b, forward.attributes.length / steps, steps);
      outer = chunks.results(forward, chunks.inner(chunks.body, forward, inputs), inputs);
      results.set(node, outer);
      return outer.flat;
    }
    if (node === backward.node) {
      const chunks = new Chunks(b, forward.attributes.length / steps, steps);
      const again = chunks.again(forward, outer!, given);
      const found = chunks.results(backward, chunks.inner(chunks.body, backward, inputs, { read, again }), inputs);
      results.set(node, found);
      return found.flat;
    }
    const source = results.get(graph.nodes[node.inputs[0] ?? -1]!);
    return node.op === 'slice' ? source?.read(node) : undefined;
  });
  return optimize(chunked);
}

/** A loop within the body of a loop over chunks. */
interface Inner {
  readonly flat: Value;
  readonly attributes: ScanAttributes;
}

/** The loop over chunks, and what stands in for slices of the loop over steps that it replaces. */
interface Chunked {
  readonly flat: Value;
  readonly attributes: ScanAttributes;
  read(slice: GraphNode): Value | undefined;
}

/** A loop over `count` chunks of `steps` steps each, while its body is put together. */
class Chunks {
  readonly body: GraphBuilder;
  private readonly sequences: Value[] = [];
  private readonly constants: Value[] = [];

  constructor(
    private readonly b: GraphBuilder,
    private readonly count: number,
    private readonly steps: number,
  ) {
    this.body = b.fresh();
  }

  private leaf(kind: 'sequence' | 'constant', value: Value): Value {
    const list = kind === 'sequence' ? this.sequences : this.constants;
    const known = list.findIndex(({ id }) => id === value.id);
    const at = known >= 0 ? known : list.push(value) - 1;
    const { dtype, shape } = value.type;
    return this.body.input(`${kind}${at}`, { dtype, shape: kind === 'sequence' ? shape.slice(1) : shape });
  }

  /** Of [T, …], a chunk's part. */
  private part(value: Value): Value {
    return this.leaf('sequence', this.b.reshape(value, [this.count, this.steps, ...value.type.shape.slice(1)]));
  }

  private leaves(): ChunkLeaves {
    const { b, body, steps, count } = this;
    const part = (value: Value) => this.part(value);
    return { b, body, steps, length: count * steps, part, constant: value => this.leaf('constant', value) };
  }

  /** `loop` over the steps of a chunk, from the carries of the loop over chunks on, or from `initial`. */
  inner(
    body: GraphBuilder,
    { attributes, node }: Pick<Loop, 'attributes' | 'node'>,
    inputs: readonly Value[],
    from?: { readonly read: Chunking['read']; readonly again: Inner },
    initial?: readonly Value[],
  ): Inner {
    const { carries, sequences } = attributes;
    const own = { ...attributes, length: this.steps };
    const before = initial ?? inputs.slice(0, carries).map(({ type }, i) => body.input(`carry${i}`, type));
    const parts = from && scanParts(from.again.attributes);
    const steps = inputs.slice(carries, carries + sequences).map((value, n) => {
      const known = from?.read.get(n);
      if (known === undefined) return initial === undefined ? this.part(value) : chunkPart(this.leaves(), value);
      const { shape } = value.type;
      const all = slotsOf(body, from!.again.flat, parts![known.part]!, known.first, this.steps);
      return body.reshape(all, [this.steps, ...shape.slice(1)]);
    });
    const constants = inputs.slice(carries + sequences).map(value => this.leaf('constant', value));
    return { flat: body.op('scan', [...before, ...steps, ...constants], own, node.label), attributes: own };
  }

  /** The forward loop over a chunk's steps once more, from the states that the loop over chunks has left before it. */
  again({ attributes, node }: Loop, { flat, attributes: outer }: Chunked, inputs: readonly Value[]): Inner {
    const parts = scanParts(outer);
    const states = inputs
      .slice(0, attributes.carries)
      .map((_, i) => this.leaf('sequence', slotsOf(this.b, flat, parts[i]!, outer.reverse ? 1 : 0, this.count)));
    const nodes = attributes.body.nodes.map(labelled);
    const relabelled = { ...attributes, body: { ...attributes.body, nodes } };
    return this.inner(this.body, { attributes: relabelled, node: labelled(node) }, inputs, undefined, states);
  }

  /** Makes the loop over chunks of one whose body holds `inner`, the steps of `loop`. */
  results({ attributes, stacked, reads }: Loop, inner: Inner, inputs: readonly Value[]): Chunked {
    const { carries, reverse } = attributes;
    const parts = scanParts(inner.attributes);
    const { body, b, steps, count } = this;
    const first = (part: number) => (part < carries && !reverse ? 1 : 0);
    const after = parts
      .slice(0, carries)
      .map((part, i) => slotOf(body, inner.flat, part, slotAfter(inner.attributes, i, steps)));
    const outputs = stacked.map(i => slotsOf(body, inner.flat, parts[i]!, first(i), steps));
    const named = (kind: string, values: readonly Value[]) =>
      values.map((value, i) => ({ name: `${kind}${i}`, value }));
    const outer: ScanAttributes = {
      body: body.finish('chunk', [...named('carry', after), ...named('output', outputs)]),
      length: count,
      carries,
      sequences: this.sequences.length,
      reverse,
      last: [],
    };
    const flat = b.op('scan', [...inputs.slice(0, carries), ...this.sequences, ...this.constants], outer);
    const layout = scanParts(outer);
    const vector = (value: Value) => b.reshape(value, [-1]);
    const read = ({ part, at, size }: Read): Value | undefined => {
      if (isAfterLast(attributes, { part, at, size }))
        return vector(slotOf(b, flat, layout[part]!, slotAfter(outer, part, count)));
      const place = stacked.indexOf(part);
      if (place < 0) return undefined;
      const all = vector(slotsOf(b, flat, layout[carries + place]!, 0, count));
      const skipped = first(part) * Number(parts[part]!.size);
      if (part >= carries || (at >= skipped && at - skipped + size <= Number(all.type.shape[0])))
        return b.slice(all, [at - skipped], [size]);
      const start = vector(inputs[part]!);
      return b.slice(b.concat(reverse ? [all, start] : [start, all]), [at], [size]);
    };
    return {
      flat,
      attributes: outer,
      // A slice that only the other loop reads is of nothing any more, and read by nobody.
      read: slice => {
        const found = reads.get(slice);
        return found && (read(found) ?? b.constant(0, slice.type));
      },
    };
  }
}

/** A node that is computed a second time. */
export const labelled = (node: GraphNode): GraphNode =>
  node.label === undefined ? node : { ...node, label: `again(${node.label})` };
