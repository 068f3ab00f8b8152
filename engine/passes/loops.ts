/** Loops without what nobody reads: their bodies optimised, their inputs and results fewer. */
import { type Dim, mulDim, sameDim, subDim } from '../dim/dim.ts';
import type { Graph, GraphNode, NodeId } from '../ir/graph.ts';
import type { GraphBuilder, Value } from '../ops/builder.ts';
import { type ScanAttributes, scanParts, slotAfter } from '../ops/primitives/scanParts.ts';
import { type BodyChange, changedBody, leavesOf } from './loopBody.ts';
import { rewriteGraph } from './rewrite.ts';
import { literalOf } from './rules/rule.ts';

/**
 * Of each loop: results that no slice reads go, and carries that no other result needs; carries of which only the last value is read are no
 * longer stacked; of equal results and inputs one stays; inputs that are equal in all steps become constants, numbers part of the body.
 */
export function loops(graph: Graph, optimize: (body: Graph) => Graph): Graph {
  const scans = [...graph.nodes.entries()].filter(([, { op }]) => op === 'scan');
  if (scans.length === 0) return graph;
  const trims = new Map(scans.map(([id, node]) => [node, trimOf(graph, id, optimize)]));
  return rewriteGraph(graph, (b, { node, inputs }) => {
    const trim = trims.get(node);
    if (trim !== undefined) return rebuilt(b, node, inputs, trim);
    const source = node.op === 'slice' ? trims.get(graph.nodes[node.inputs[0]!]!) : undefined;
    const start = source?.moved?.((node.attributes.starts as readonly Dim[])[0]!);
    return start === undefined ? undefined : b.slice(inputs[0]!, [start], node.type.shape);
  });
}

interface Trim {
  readonly body: Graph;
  /** Numbers of the results that stay, in order. */
  readonly carries: readonly number[];
  readonly outputs: readonly number[];
  readonly last: readonly number[];
  /** Where the element of the loop's value now is; undefined if all results stay where they are. */
  readonly moved: ((start: Dim) => Dim) | undefined;
}

interface Slice {
  readonly part: number;
  readonly first: Dim;
  readonly size: Dim;
}

function trimOf(graph: Graph, id: NodeId, optimize: (body: Graph) => Graph): Trim {
  const node = graph.nodes[id]!;
  const attributes = node.attributes as ScanAttributes;
  const body = optimize(attributes.body);
  const { carries, length, last } = attributes;
  const parts = scanParts(attributes);
  const every = { body, carries: range(carries), outputs: range(parts.length - carries), last, moved: undefined };
  const slices = slicesOf(graph, id, attributes);
  if (slices === undefined) return every;
  const twins = twinsOf(body, carries, last);
  const asked = slices.map(slice => ({ ...slice, ...atTwin(slice, twins, attributes) }));
  const live = liveResults(body, carries, new Set(asked.map(({ part }) => part)));
  const isLastOnly = (i: number) =>
    asked.every(
      ({ part, first, size }) =>
        part !== i || (first === slotAfter(attributes, i, length) && sameDim(size, parts[i]!.size)),
    );
  const kept = every.carries.filter(i => live.has(i));
  const only = kept.flatMap((i, at) => (last.includes(i) || (length > 1 && isLastOnly(i)) ? [at] : []));
  const outputs = every.outputs.filter(j => live.has(carries + j));
  const isSame = kept.length === carries && outputs.length === every.outputs.length && only.length === last.length;
  if (isSame) return every;
  const trim = { body, carries: kept, outputs, last: only };
  return { ...trim, moved: mover(attributes, trim, twins) };
}

const range = (count: number): number[] => [...Array(count).keys()];

/** What is read of the loop, undefined if it is read by more than slices of single results. */
function slicesOf({ nodes, outputs }: Graph, id: NodeId, attributes: ScanAttributes): readonly Slice[] | undefined {
  const parts = scanParts(attributes);
  if (outputs.some(({ value }) => value === id)) return undefined;
  const found: Slice[] = [];
  for (const { op, inputs, attributes: own, type } of nodes) {
    if (!inputs.includes(id)) continue;
    const [start] = (own.starts ?? []) as readonly Dim[];
    const [size] = type.shape;
    if (op !== 'slice' || own.steps !== undefined || typeof start !== 'number' || typeof size !== 'number')
      return undefined;
    const part = parts.findIndex(
      p => start >= Number(p.offset) && start + size <= Number(p.offset) + p.slots * Number(p.size),
    );
    if (part < 0) return undefined;
    found.push({ part, first: (start - Number(parts[part]!.offset)) / Number(parts[part]!.size), size });
  }
  return found;
}

/** By the number of a result, the one that holds the same: an earlier output, or a stacked carry from its first step on. */
function twinsOf(body: Graph, carries: number, last: readonly number[]): ReadonlyMap<number, number> {
  const twins = new Map<number, number>();
  for (const [i, { value }] of body.outputs.entries()) {
    if (i < carries) continue;
    const twin = body.outputs.findIndex((other, at) => other.value === value && !last.includes(at));
    if (twin < i) twins.set(i, twin);
  }
  return twins;
}

function atTwin(
  { part, first }: Slice,
  twins: ReadonlyMap<number, number>,
  attributes: ScanAttributes,
): Pick<Slice, 'part' | 'first'> {
  const twin = twins.get(part);
  if (twin === undefined) return { part, first };
  const offset = twin < attributes.carries && !attributes.reverse ? 1 : 0;
  return { part: twin, first: (first as number) + offset };
}

/** The results in `asked`, and the carries that those of later steps depend on. */
function liveResults(body: Graph, carries: number, asked: ReadonlySet<number>): ReadonlySet<number> {
  const live = new Set(asked);
  const seen = new Set<NodeId>();
  const visit = (id: NodeId): void => {
    if (seen.has(id)) return;
    seen.add(id);
    const { op, inputs, attributes } = body.nodes[id]!;
    inputs.forEach(visit);
    const carry = op === 'input' ? /^carry(\d+)$/.exec(String(attributes.name)) : null;
    if (carry !== null) live.add(Number(carry[1]));
  };
  for (const i of live) if (i < carries || asked.has(i)) visit(body.outputs[i]!.value);
  return live;
}

function mover(
  before: ScanAttributes,
  trim: Omit<Trim, 'moved'>,
  twins: ReadonlyMap<number, number>,
): (start: Dim) => Dim {
  const { carries, length } = before;
  const old = scanParts(before);
  const outputs = [...trim.carries, ...trim.outputs.map(j => carries + j)];
  const after = {
    ...before,
    carries: trim.carries.length,
    last: trim.last,
    body: { ...before.body, outputs: outputs.map(i => before.body.outputs[i]!) },
  };
  const fresh = scanParts(after);
  return start => {
    const part = old.findIndex(
      p => start >= p.offset && (start as number) < Number(p.offset) + p.slots * Number(p.size),
    );
    const slot = Number(subDim(start, old[part]!.offset)) / Number(old[part]!.size);
    const at = atTwin({ part, first: slot, size: 0 }, twins, before);
    const i = outputs.indexOf(at.part);
    const isDropped = i < after.carries && trim.last.includes(i) && !before.last.includes(at.part);
    const first = isDropped ? slotAfter(after, i, length) : (at.first as number);
    return Number(fresh[i]!.offset) + Number(mulDim(first, fresh[i]!.size));
  };
}

function rebuilt(b: GraphBuilder, node: GraphNode, inputs: readonly Value[], trim: Trim): Value | undefined {
  const attributes = node.attributes as ScanAttributes;
  const { carries, sequences } = attributes;
  const read = leavesOf(trim.body);
  const change = new InputChange(b, read);
  for (const i of trim.carries) change.carry(i, inputs[i]!);
  for (const i of range(sequences)) change.sequence(i, inputs[carries + i]!);
  for (const i of range(inputs.length - carries - sequences)) change.constant(i, inputs[carries + sequences + i]!);
  const isSame = trim.moved === undefined && change.count === inputs.length;
  if (isSame && trim.body === attributes.body) return undefined;
  const results = [...trim.carries.map(i => `carry${i}`), ...trim.outputs.map(j => `output${j}`)];
  const body = isSame ? trim.body : changedBody(trim.body, change.leaves, results, trim.carries.length);
  const counts = { carries: trim.carries.length, sequences: change.sequences.length };
  return b.op('scan', change.inputs(), { ...attributes, ...counts, body, last: trim.last });
}

/** The inputs of the new loop, and what its body's leaves become. */
class InputChange {
  readonly leaves = new Map<string, BodyChange>();
  readonly sequences: Value[] = [];
  private readonly carries: Value[] = [];
  private readonly constants: Value[] = [];

  constructor(
    private readonly b: GraphBuilder,
    private readonly read: ReadonlySet<string>,
  ) {}

  get count(): number {
    return this.inputs().length;
  }

  inputs(): readonly Value[] {
    return [...this.carries, ...this.sequences, ...this.constants];
  }

  carry(i: number, value: Value): void {
    this.leaves.set(`carry${i}`, { name: `carry${this.carries.push(value) - 1}` });
  }

  sequence(i: number, value: Value): void {
    const name = `sequence${i}`;
    if (!this.read.has(name)) return;
    const node = this.b.node(value.id);
    const literal = literalOf(node);
    const source = node.op === 'broadcast' ? this.b.value(node.inputs[0]!) : undefined;
    if (literal !== undefined) this.leaves.set(name, { literal });
    else if (source !== undefined && source.type.shape.length < value.type.shape.length)
      this.leaves.set(name, { name: `constant${place(this.constants, source)}`, broadcast: source.type });
    else this.leaves.set(name, { name: `sequence${place(this.sequences, value)}` });
  }

  constant(i: number, value: Value): void {
    const name = `constant${i}`;
    if (!this.read.has(name)) return;
    const literal = literalOf(this.b.node(value.id));
    this.leaves.set(name, literal === undefined ? { name: `constant${place(this.constants, value)}` } : { literal });
  }
}

/** Number of `value` in the list, put there if it is new. */
function place(list: Value[], value: Value): number {
  const known = list.findIndex(({ id }) => id === value.id);
  return known >= 0 ? known : list.push(value) - 1;
}
