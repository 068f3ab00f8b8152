/** Building loops over time from a function that builds one step. */
import { sameShape } from '../dim/dim.ts';
import type { GraphNode, NodeId, Shape, TensorType } from '../ir/graph.ts';
import type { GraphBuilder, Value } from './builder.ts';
import { slotOf, slotsOf } from './primitives/scanGradient.ts';
import { isWorthKeeping } from './primitives/scanKept.ts';
import { type ScanAttributes, scanParts, slotAfter } from './primitives/scanParts.ts';

export interface ScanSpec {
  /** Before the first step; f32. */
  readonly carries: readonly Value[];
  /** [T, …] each. */
  readonly sequences: readonly Value[];
  /** T. */
  readonly length: number;
  /** From the last step to the first. Default false. */
  readonly reverse?: boolean;
}

/** The carries after a step, and what else it hands out; f32. */
export interface ScanStep {
  readonly carries: readonly Value[];
  readonly outputs: readonly Value[];
}

/**
 * Declares one more carry, behind those of the spec, from what `initial` gives outside the loop; gives its value before the step. Both are
 * asked anew whenever they are needed, for nodes of a step are taken back and built again.
 */
export type DeclareCarry = (initial: () => Value) => () => Value;

/** The results, those of declared carries behind those of the spec's. */
export interface ScanResults {
  /** After each step, in the order of time: [T, …]. */
  readonly carries: readonly Value[];
  /** After the last step. */
  readonly last: readonly Value[];
  /** [T, …] */
  readonly outputs: readonly Value[];
}

/**
 * Runs `step` once, on `b` itself, takes what it built there back, and makes a loop of it: what depends on neither carries nor sequences is
 * computed once, outside, and so are products of sequences with what is constant, and rows looked up by them: one for all steps. Random bits
 * that it draws are drawn ahead for all steps too: a stream's first rows are those of time 0. Undefined, with `b` as it was, if a result of the step is no f32, or a carry comes out of another type.
 */
export function buildScan(
  b: GraphBuilder,
  spec: ScanSpec,
  step: (carries: readonly Value[], steps: readonly Value[], declare: DeclareCarry) => ScanStep | undefined,
): ScanResults | undefined {
  const { sequences, length, reverse = false } = spec;
  const mark = b.size;
  const leaves = new Map<string, string>();
  const leaf = (kind: string, type: TensorType, i: number) => {
    const name = `${kind}${i} from ${mark}`;
    leaves.set(name, `${kind}${i}`);
    return () => b.input(name, type);
  };
  const starts = spec.carries.map(value => () => value);
  const declare: DeclareCarry = initial => leaf('carry', initial().type, starts.push(initial) - 1);
  const before = spec.carries.map(({ type }, i) => leaf('carry', type, i)());
  const parts = sequences.map(({ type: { dtype, shape } }, i) =>
    leaf('sequence', { dtype, shape: shape.slice(1) }, i)(),
  );
  let result: ScanStep | undefined;
  let traced = b;
  try {
    result = step(before, parts, declare);
    traced = b.fork();
  } finally {
    b.rewind(mark);
  }
  const carries = starts.map(start => start());
  if (result === undefined || !isLoop(carries, result)) {
    b.rewind(mark);
    return undefined;
  }
  const extracted = new Extraction(b, traced, mark, leaves, sequences, length);
  const own = result.outputs.filter(({ id }) => !result.carries.some(carry => carry.id === id));
  extracted.take([...result.carries, ...result.outputs].map(({ id }) => id));
  const named = (kind: string, values: readonly Value[]) =>
    values.map((value, i) => ({ name: `${kind}${i}`, value: extracted.inBody(value.id) }));
  const results = [...named('carry', result.carries), ...named('output', own)];
  const kept = extracted.kept(results.map(({ value }) => value.id));
  const outputs = [...results, ...kept.map((value, i) => ({ name: `output${own.length + i}`, value }))];
  const attributes: ScanAttributes = {
    body: extracted.body.finish('step', outputs),
    length,
    carries: carries.length,
    sequences: extracted.sequences.length,
    reverse,
    last: [],
  };
  const flat = b.op('scan', [...carries, ...extracted.sequences, ...extracted.constants], attributes);
  return resultsOf(b, flat, attributes, result, own);
}

function resultsOf(
  b: GraphBuilder,
  flat: Value,
  attributes: ScanAttributes,
  { carries, outputs }: ScanStep,
  own: readonly Value[],
): ScanResults {
  const { length, reverse } = attributes;
  const layout = scanParts(attributes);
  const after = carries.map((_, i) => slotsOf(b, flat, layout[i]!, reverse ? 0 : 1, length));
  return {
    carries: after,
    last: carries.map((_, i) => slotOf(b, flat, layout[i]!, slotAfter(attributes, i, length))),
    outputs: outputs.map(({ id }) => {
      const twin = carries.findIndex(carry => carry.id === id);
      const at = own.findIndex(output => output.id === id);
      return twin >= 0 ? after[twin]! : slotsOf(b, flat, layout[carries.length + at]!, 0, length);
    }),
  };
}

function isLoop(before: readonly Value[], { carries, outputs }: ScanStep): boolean {
  const keepsType = carries.every(({ type }, i) => sameShape(type.shape, before[i]!.type.shape));
  return keepsType && [...before, ...carries, ...outputs].every(({ type }) => type.dtype === 'f32');
}

/** Takes apart what a step has built: what belongs in the body, and what comes from outside. */
class Extraction {
  readonly body: GraphBuilder;
  /** Of the graph around the loop, in the order of the leaves `constant0` …. */
  readonly constants: Value[] = [];
  /** Those that were given, then what is computed from them ahead of the loop. */
  readonly sequences: Value[];
  private readonly copies = new Map<NodeId, Value>();
  private readonly outside = new Map<NodeId, Value>();
  private readonly varying = new Set<NodeId>();

  constructor(
    private readonly b: GraphBuilder,
    private readonly traced: GraphBuilder,
    private readonly mark: number,
    /** The body's names of leaves, by those they were traced with. */
    private readonly leaves: ReadonlyMap<string, string>,
    sequences: readonly Value[],
    private readonly length: number,
  ) {
    this.sequences = [...sequences];
    this.body = b.fresh();
    for (let id = mark; id < traced.size; id++) {
      const node = traced.node(id);
      const differs = node.op === 'random_bits' || this.leafName(node) !== undefined;
      if (differs || node.inputs.some(input => this.varying.has(input))) this.varying.add(id);
    }
  }

  private leafName({ op, attributes }: GraphNode): string | undefined {
    return op === 'input' ? this.leaves.get(String(attributes.name)) : undefined;
  }

  /** Copies what `results` need, in the order in which it was built. */
  take(results: readonly NodeId[]): void {
    const needed = new Set(results);
    for (const id of needed)
      if (this.isOwn(id) && this.ahead(id) === undefined)
        for (const input of this.traced.node(id).inputs) needed.add(input);
    for (const id of [...needed].sort((x, y) => x - y)) if (this.isOwn(id)) this.inBody(id);
  }

  /** What is repeated outside has a gradient of each repetition; repeated in the body, theirs is a sum. */
  private isOwn(id: NodeId): boolean {
    const { op } = this.traced.node(id);
    return this.varying.has(id) || op === 'constant' || op === 'broadcast';
  }

  inBody(id: NodeId): Value {
    const known = this.copies.get(id) ?? this.copied(id);
    this.copies.set(id, known);
    return known;
  }

  private copied(id: NodeId): Value {
    const node = this.traced.node(id);
    const name = this.leafName(node);
    if (name !== undefined) return this.body.input(name, node.type);
    const early = this.ahead(id);
    if (early !== undefined) return this.body.input(`sequence${this.sequences.push(early) - 1}`, node.type);
    if (this.isOwn(id))
      return this.body.copy(
        node,
        node.inputs.map(input => this.inBody(input)),
      );
    const at = this.constants.push(this.fromOutside(id)) - 1;
    return this.body.input(`constant${at}`, node.type);
  }

  /** A value of all steps at once, [T, …], where it is a sequence, random bits, or a product with or row of something constant. */
  private ahead(id: NodeId): Value | undefined {
    const node = this.traced.node(id);
    const given = /^sequence(\d+)$/.exec(this.leafName(node) ?? '');
    if (given !== null) return this.sequences[Number(given[1])];
    const make = node.op === 'random_bits' ? this.bitsAhead(node) : this.productAhead(node);
    return make && (node.label === undefined ? make() : this.b.scoped(node.label, make));
  }

  private bitsAhead({ inputs, attributes: { shape, stream } }: GraphNode): (() => Value) | undefined {
    if (inputs.some(input => this.varying.has(input))) return undefined;
    const [seed, step] = inputs.map(input => this.fromOutside(input));
    return () => this.b.randomBits(seed!, step!, [this.length, ...(shape as Shape)], Number(stream));
  }

  private productAhead({ op, inputs, attributes }: GraphNode): (() => Value) | undefined {
    const [x, y] = op === 'take' ? [inputs[1], inputs[0]] : inputs;
    if ((op !== 'take' && op !== 'matmul') || this.varying.has(y!) || attributes.transposeA === true) return undefined;
    if (op === 'matmul' && this.traced.value(y!).type.shape.length !== 2) return undefined;
    const steps = this.ahead(x!);
    if (steps === undefined) return undefined;
    const constant = this.fromOutside(y!);
    return () => (op === 'take' ? this.b.take(constant, steps) : this.b.matmul(steps, constant, attributes));
  }

  private fromOutside(id: NodeId): Value {
    if (id < this.mark) return this.b.value(id);
    const node = this.traced.node(id);
    const known =
      this.outside.get(id) ??
      this.b.copy(
        node,
        node.inputs.map(input => this.fromOutside(input)),
      );
    this.outside.set(id, known);
    return known;
  }

  /** What the gradient of the body may want to read, beside the results. */
  kept(results: readonly NodeId[]): readonly Value[] {
    const ids = [...Array(this.body.size).keys()];
    return ids.filter(id => isWorthKeeping(this.body.node(id)) && !results.includes(id)).map(id => this.body.value(id));
  }
}
