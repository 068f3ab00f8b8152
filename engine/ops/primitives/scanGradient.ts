/** The gradient of a loop: a loop in the other direction, over the gradient of its body. */
import { addDim, atLeastDim, type Dim, mulDim } from '../../dim/dim.ts';
import type { Graph, Shape } from '../../ir/graph.ts';
import type { GraphBuilder, Value } from '../builder.ts';
import type { Backpropagate } from '../primitive.ts';
import { keptNodes } from './scanKept.ts';
import { type ScanAttributes, type ScanPart, scanParts, slotAfter } from './scanParts.ts';
import { Totals } from './scanTotals.ts';

interface ScanNode {
  readonly inputs: readonly Value[];
  readonly output: Value;
  readonly attributes: ScanAttributes;
}

/** `count` slots from `first` on of a result within the value `flat` of a loop: [count, …]. */
export function slotsOf(b: GraphBuilder, flat: Value, part: ScanPart, first: number, count: number): Value {
  const start = addDim(part.offset, mulDim(first, part.size));
  return b.reshape(b.slice(flat, [start], [mulDim(count, part.size)]), [count, ...part.shape]);
}

/** The one slot of a result. */
export function slotOf(b: GraphBuilder, flat: Value, part: ScanPart, slot: number): Value {
  return b.reshape(slotsOf(b, flat, part, slot, 1), part.shape);
}

/**
 * With the adjoints of a step's results, its body's gradient gives those of the carries before it, which are the backward loop's carries, and
 * of its part of the sequences, which are outputs. What the body's gradient reads of the forward step it takes from the forward loop's
 * results where they hold it, and computes anew where not. Gradients of constants are not added up step by step if `Totals` knows better.
 */
export function scanGradient(
  b: GraphBuilder,
  node: ScanNode,
  adjoint: Value,
  backpropagate: Backpropagate,
): readonly (Value | undefined)[] {
  const { inputs, attributes } = node;
  const { body, length, carries, sequences, reverse } = attributes;
  const parts = scanParts(attributes);
  const asked = parts.map(part => reaches(b, adjoint, part));
  const gradient = bodyGradient(b.fresh(), body, carries, asked, backpropagate);
  const sources = stepSources(b, node, adjoint, parts);
  const backward = new Backward(b, gradient, sources, length);
  const numbered = (kind: string, count: number) =>
    Array.from({ length: count }, (_, i) => gradient.wrt.get(`${kind}${i}`));
  const before = numbered('carry', carries).map((g, i) => ({ g, zero: b.fill(0, inputs[i]!) }));
  const states = before.map(({ g, zero }) => backward.carry(zero, g));
  const steps = numbered('sequence', sequences).map(g => (g === undefined ? undefined : backward.perStep(g)));
  const totals = numbered('constant', inputs.length - carries - sequences).map(g =>
    g === undefined ? undefined : new Totals(b, backward, length).of(g),
  );
  backward.finish(!reverse);
  return inputs.map((x, at) => {
    if (x.type.dtype !== 'f32') return undefined;
    if (at < carries) return b.add(states[at]!(), slotOf(b, adjoint, parts[at]!, slotAfter(attributes, at, 0)));
    return at < carries + sequences ? steps[at - carries]?.() : totals[at - carries - sequences]?.();
  });
}

interface BodyGradient {
  readonly graph: GraphBuilder;
  /** Nodes below this number are those of the body. */
  readonly forward: number;
  /** By the leaf's name. */
  readonly wrt: ReadonlyMap<string, Value>;
  /** Which of the body's nodes stand for the results of the forward loop, by name. */
  readonly results: ReadonlyMap<number, string>;
}

/** The body, then its gradient with respect to its f32 leaves; the adjoint of a carry after the step is what later steps and other readers ask for. */
function bodyGradient(
  bb: GraphBuilder,
  body: Graph,
  carries: number,
  asked: readonly boolean[],
  backpropagate: Backpropagate,
): BodyGradient {
  const values = bb.inline(body);
  const forward = bb.size;
  const results = new Map(body.outputs.map(({ name }) => [values[name]!.id, name]));
  const seeds = body.outputs.flatMap(({ name }, i) => {
    const value = values[name]!;
    const later = i < carries ? [bb.input(`later ${name}`, value.type)] : [];
    const read = asked[i] ? [bb.input(`adjoint of ${name}`, value.type)] : [];
    return [...later, ...read].map(adjoint => ({ value, adjoint }));
  });
  const leaves = body.nodes.filter(({ op, type }) => op === 'input' && type.dtype === 'f32');
  const wrt = leaves.map(({ attributes, type }) => bb.input(String(attributes.name), type));
  const found = backpropagate(bb, seeds, wrt);
  const names = leaves.map(({ attributes }) => String(attributes.name));
  return { graph: bb, forward, results, wrt: new Map(names.map((name, i) => [name, found[i]!])) };
}

/** False where the adjoint of a result is known to be 0: nobody reads it. An adjoint is a sum of what readers ask for, each among zeros. */
function reaches(b: GraphBuilder, adjoint: Value, part: ScanPart): boolean {
  const { op, inputs, attributes } = b.node(adjoint.id);
  if (op === 'add') return inputs.some(id => reaches(b, b.value(id), part));
  if (op !== 'pad' || attributes.value !== 0) return true;
  const start = (attributes.before as Shape)[0]!;
  const size = b.node(inputs[0]!).type.shape[0]!;
  const end = addDim(part.offset, mulDim(part.slots, part.size));
  return !atLeastDim(start, end) && !atLeastDim(part.offset, addDim(start, size));
}

/** What the leaves and results of a step are in all steps: values [T, …] of the graph around the loop, constants as they are. */
type Sources = ReadonlyMap<string, () => Source>;

interface Source {
  readonly value: Value;
  readonly isConstant?: true;
}

function stepSources(b: GraphBuilder, node: ScanNode, adjoint: Value, parts: readonly ScanPart[]): Sources {
  const { inputs, output, attributes } = node;
  const { body, length, carries, sequences } = attributes;
  const from = (i: number, done: number) =>
    Math.min(slotAfter(attributes, i, done), slotAfter(attributes, i, done + length - 1));
  const sources = new Map<string, () => Source>();
  for (const [i, part] of parts.entries()) {
    const { name } = body.outputs[i]!;
    const first = i < carries ? from(i, 1) : 0;
    sources.set(`result ${name}`, () => ({ value: slotsOf(b, output, part, first, length) }));
    sources.set(`adjoint of ${name}`, () => ({ value: slotsOf(b, adjoint, part, first, length) }));
    if (i < carries) sources.set(`carry${i}`, () => ({ value: slotsOf(b, output, part, from(i, 0), length) }));
  }
  for (const [i, value] of inputs.slice(carries, carries + sequences).entries())
    sources.set(`sequence${i}`, () => ({ value }));
  for (const [i, value] of inputs.slice(carries + sequences).entries())
    sources.set(`constant${i}`, () => ({ value, isConstant: true }));
  return sources;
}

/** The backward loop while it is put together: its body holds what is asked for, and what that needs. */
export class Backward {
  private readonly body: GraphBuilder;
  private readonly copies = new Map<number, Value>();
  private readonly sequences: Value[] = [];
  private readonly constants: Value[] = [];
  private readonly initial: Value[] = [];
  private readonly carries: Value[] = [];
  private readonly outputs: Value[] = [];
  private readonly kept: ReadonlySet<number>;
  private flat: Value | undefined;
  private attributes: ScanAttributes | undefined;
  private readonly later = new Map<string, Value>();
  readonly gradient: GraphBuilder;

  constructor(
    private readonly b: GraphBuilder,
    private readonly from: BodyGradient,
    private readonly sources: Sources,
    private readonly length: number,
  ) {
    this.gradient = from.graph;
    this.body = b.fresh();
    const asked = [...from.wrt.values()].map(v => v.id);
    this.kept = keptNodes(from.graph, from.forward, asked, from.results);
  }

  /** A carry that becomes `next` in each step; gives its value after the last one. */
  carry(initial: Value, next: Value | undefined): () => Value {
    const at = this.initial.push(initial) - 1;
    this.later.set(`later carry${at}`, this.body.input(`carry${at}`, initial.type));
    this.carries.push(next ?? this.gradient.fill(0, initial));
    return () =>
      slotOf(this.b, this.flat!, scanParts(this.attributes!)[at]!, slotAfter(this.attributes!, at, this.length));
  }

  /** A carry to which `term` is added in each step, from 0 on. */
  sum(term: Value): () => Value {
    const zero = this.b.fill(0, term);
    const before = this.gradient.input(`later carry${this.initial.length}`, term.type);
    return this.carry(zero, this.gradient.add(before, term));
  }

  /** Whether the loop hands out that node of the body's gradient already. */
  hasSteps({ id }: Value): boolean {
    return this.outputs.some(output => output.id === id);
  }

  /** The values [T, …] of a node of the body's gradient. */
  perStep(v: Value): () => Value {
    const { op, attributes, inputs } = this.gradient.node(v.id);
    const known = this.outside(v.id);
    if (known !== undefined) {
      const { value, isConstant } = known;
      return () => (isConstant ? this.b.broadcast(value, [this.length, ...value.type.shape]) : value);
    }
    if (op === 'constant')
      return () => this.b.constant(Number(attributes.value), { ...v.type, shape: [this.length, ...v.type.shape] });
    if (op === 'reshape' || op === 'transpose') {
      const inner = this.perStep(this.gradient.value(inputs[0]!));
      const order = (attributes.permutation as readonly number[] | undefined)?.map(axis => axis + 1) ?? [];
      return () =>
        op === 'reshape'
          ? this.b.reshape(inner(), [this.length, ...v.type.shape])
          : this.b.transpose(inner(), [0, ...order]);
    }
    let at = this.outputs.findIndex(output => output.id === v.id);
    if (at < 0) at = this.outputs.push(v) - 1;
    return () => {
      const part = scanParts(this.attributes!)[this.carries.length + at]!;
      return slotsOf(this.b, this.flat!, part, 0, this.length);
    };
  }

  /** The values [T, …] of a node that exist without the loop, or the value of a constant. */
  outside(id: number): Source | undefined {
    const { op, attributes } = this.gradient.node(id);
    const result = this.from.results.get(id);
    if (result !== undefined) return this.sources.get(`result ${result}`)!();
    return op === 'input' ? this.sources.get(String(attributes.name))?.() : undefined;
  }

  /** Makes the loop; what `carry`, `sum` and `perStep` gave may be called from now on. */
  finish(reverse: boolean): void {
    const outputs = [
      ...this.carries.map((value, i) => ({ name: `carry${i}`, value: this.copy(value.id) })),
      ...this.outputs.map((value, i) => ({ name: `output${i}`, value: this.copy(value.id) })),
    ];
    this.attributes = {
      body: this.body.finish('step', outputs),
      length: this.length,
      carries: this.carries.length,
      sequences: this.sequences.length,
      reverse,
      last: [],
    };
    this.flat = this.b.op('scan', [...this.initial, ...this.sequences, ...this.constants], this.attributes);
  }

  /** The node of the backward body for one of the body's gradient. */
  private copy(id: number): Value {
    const known = this.copies.get(id);
    if (known !== undefined) return known;
    const node = this.gradient.node(id);
    const found = this.later.get(String(node.attributes.name)) ?? this.leaf(id);
    const copy =
      found ??
      this.body.copy(
        node,
        node.inputs.map(input => this.copy(input)),
      );
    this.copies.set(id, copy);
    return copy;
  }

  private leaf(id: number): Value | undefined {
    const isRepeated = this.from.results.has(id) && !this.kept.has(id);
    const source = isRepeated ? undefined : this.outside(id);
    if (source === undefined) return undefined;
    const { value, isConstant } = source;
    const list = isConstant ? this.constants : this.sequences;
    const at = list.push(value) - 1;
    const { dtype, shape } = value.type;
    const step: readonly Dim[] = isConstant ? shape : shape.slice(1);
    return this.body.input(`${isConstant ? 'constant' : 'sequence'}${at}`, { dtype, shape: step });
  }
}
