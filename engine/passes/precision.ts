/** Mixed precision: which values of a forward graph are kept in f16, what is rounded for that, and which roundings no value needs. */
import type { Graph, GraphNode, NodeId } from '../ir/graph.ts';
import type { GraphBuilder, Value } from '../ops/builder.ts';
import type { HalfRole } from '../ops/primitive.ts';
import { type PrimitiveName, primitive } from '../ops/registry.ts';
import { roundToHalf } from '../util/half.ts';
import { dce } from './dce.ts';
import { type Candidate, rewriteGraph } from './rewrite.ts';

/** What the primitive's own declaration says of f16. */
function roleOf(op: string): HalfRole | undefined {
  return primitive(op).half;
}

/** The largest number of f16. */
const LARGEST = 65504;

/**
 * `half`: kept in f16. `neutral`: fits to either, as weights, constants, masks and what is one number for many elements (a mean, a bias)
 * do. `far`: a constant that f16 doesn't reach. `wide`: f32.
 */
type Kind = 'half' | 'neutral' | 'far' | 'wide';

interface Known {
  readonly kind: Kind;
  /** Each element is a number of f16. */
  readonly exact: boolean;
}

/** What the rest of the graph makes of a node. */
interface Uses {
  /** A product comes after it. */
  readonly leads: boolean;
  /** A product reads its elements, by way of views or not. */
  readonly operand: boolean;
}

/**
 * The graph with what `precision mixed` keeps in f16: the operands of products, and what follows from products elementwise, up to the last
 * of them. What no product comes after is the loss, and of f32. A value that is rounded for a product is kept once: all readers get that.
 */
export function halve(graph: Graph): Graph {
  const uses = usesOf(graph);
  const known: Known[] = [];
  return rewriteGraph(graph, (b, candidate) => {
    const id = known.length;
    const inputs = graph.nodes[id]!.inputs.map(i => known[i]!);
    const { value, ...rest } = halved(b, candidate, inputs, uses(id));
    known.push(rest);
    return value;
  });
}

function usesOf({ nodes }: Graph): (id: NodeId) => Uses {
  const leads = new Set<NodeId>();
  const operands = new Set<NodeId>();
  const source = (id: NodeId): NodeId => {
    const [input] = nodes[id]!.inputs;
    return isMovable(nodes[id]!, input === undefined ? undefined : nodes[input]!) ? source(input!) : id;
  };
  for (let id = nodes.length - 1; id >= 0; id--) {
    const { op, inputs } = nodes[id]!;
    const isProduct = roleOf(op) === 'product';
    if (isProduct) for (const input of inputs) operands.add(source(input));
    if (isProduct || leads.has(id)) for (const input of inputs) leads.add(input);
  }
  return id => ({ leads: leads.has(id), operand: operands.has(id) });
}

function halved(b: GraphBuilder, { node, inputs }: Candidate, known: readonly Known[], { leads, operand }: Uses) {
  const role = roleOf(node.op);
  if (role === 'product') {
    const read = inputs.map((input, i) => (known[i]!.exact ? input : rounded(b, input)));
    return { value: rounded(b, b.copy(node, read)), kind: 'half' as const, exact: true };
  }
  const kind = role === 'pointwise' && !leads ? 'wide' : kindOf(node, known);
  const joined = node.op === 'concat' && kind === 'half' ? joinedHalves(b, node, inputs) : undefined;
  if (joined !== undefined) return { value: joined, kind, exact: true };
  const value = b.copy(node, kind === 'half' ? limited(b, node, inputs, known) : inputs);
  const exact = isExact(node, known);
  // Weights and data stay what they are for all that is no product.
  const isKept = (role === 'pointwise' && kind === 'half') || (operand && primitive(node.op).lowering.kind !== 'leaf');
  if (!isKept || exact || node.type.dtype !== 'f32') return { value, kind, exact };
  if (node.op === 'take' && isSmaller(inputs[0]!, value)) {
    const [table, indices] = inputs as [Value, Value];
    return { value: b.copy(node, [rounded(b, table), indices]), kind, exact: true };
  }
  return { value: rounded(b, value), kind, exact: true };
}

/** True for views that a rounding may change places with: what they read is no larger than what they make. */
function isMovable(view: GraphNode, input: GraphNode | undefined): boolean {
  return input !== undefined && primitive(view.op).lowering.kind === 'view' && !isSmaller(view, input);
}

/** True if `x` has fewer elements. */
function isSmaller(x: Pick<Value, 'type'>, than: Pick<Value, 'type'>): boolean {
  const [few, many] = [x, than].map(({ type }) => type.shape.reduce((n: number, d) => n * Number(d), 1)) as [
    number,
    number,
  ];
  return few < many;
}

function rounded(b: GraphBuilder, value: Value): Value {
  return b.op('to_f32', [b.op('to_f16', [value])]);
}

function kindOf({ op, type, attributes }: GraphNode, known: readonly Known[]): Kind {
  if (type.dtype !== 'f32' || op === 'state' || op === 'cast') return 'neutral';
  if (op === 'constant') return Math.abs(Number(attributes.value)) <= LARGEST ? 'neutral' : 'far';
  const kinds = known.map(({ kind }) => kind);
  switch (roleOf(op)) {
    case 'carries':
      if (op === 'take') return kinds[0] === 'half' ? 'half' : 'wide';
      if (op === 'broadcast' && kinds[0] === 'wide') return 'neutral';
      return together(kinds);
    case 'pointwise': {
      // A constant that stands for "never" or "no limit" may be the nearest number that f16 has.
      const chooses = op === 'select' || op === 'minimum' || op === 'maximum';
      const kind = together(chooses ? kinds.map(each => (each === 'far' ? 'neutral' : each)) : kinds);
      return kind === 'far' ? 'wide' : kind;
    }
    default:
      return 'wide';
  }
}

/** The kind of what is made of these. */
function together(kinds: readonly Kind[]): Kind {
  const has = (kind: Kind) => kinds.includes(kind);
  if (has('wide') || (has('far') && kinds.some(kind => kind !== 'far'))) return 'wide';
  if (has('far')) return 'far';
  return has('half') ? 'half' : 'neutral';
}

function isExact({ op, attributes, type }: GraphNode, known: readonly Known[]): boolean {
  if (type.dtype !== 'f32') return false;
  if (op === 'constant') return isHalf(Number(attributes.value));
  if (op === 'take') return known[0]!.exact;
  if (op === 'pad' && !isHalf(Number(attributes.value ?? 0))) return false;
  return roleOf(op) === 'carries' && known.every(({ exact }) => exact);
}

function isHalf(value: number): boolean {
  return roundToHalf(value) === value;
}

/** The operands of a choice, constants beyond f16 as its largest numbers. */
function limited(b: GraphBuilder, { op }: GraphNode, inputs: readonly Value[], known: readonly Known[]) {
  if (roleOf(op) !== 'pointwise') return inputs;
  return inputs.map((input, i) =>
    known[i]!.kind === 'far' ? b.constant(literal(b, input) < 0 ? -LARGEST : LARGEST, input.type) : input,
  );
}

function literal(b: GraphBuilder, value: Value): number {
  const { op, attributes, inputs } = b.node(value.id);
  if (op === 'constant') return Number(attributes.value);
  const [input] = inputs;
  return input === undefined ? Number.NaN : literal(b, b.value(input));
}

/** A concatenation is stored, so it is one of f16. */
function joinedHalves(b: GraphBuilder, node: GraphNode, inputs: readonly Value[]): Value | undefined {
  const halves: Value[] = [];
  for (const input of inputs) {
    const { op, inputs: from } = b.node(input.id);
    if (op !== 'to_f32') return undefined;
    halves.push(b.value(from[0]!));
  }
  return b.op('to_f32', [b.op('concat', halves, node.attributes)]);
}

/**
 * The step graph, gradients and all, without roundings in the middle of a chain: of a value that one elementwise operation reads, or a
 * concatenation of f32, only what comes out is stored. What the schedule stores depends on the roundings that it sees, so these go first;
 * those that it turns out not to store go by `withoutPassingRoundings`.
 */
export function withoutIdleRoundings(graph: Graph): Graph {
  const clean = dce(rewriteGraph(graph, (b, { node, inputs }) => unrounded(b, node, inputs)));
  const idle = idleRoundings(clean);
  let id = -1;
  const values: Value[] = [];
  return rewriteGraph(clean, (b, { node, inputs }) => {
    id++;
    // The adjoint type stays: to_f32 of an idle rounding is what was rounded.
    const from = node.op === 'to_f32' ? clean.nodes[id]!.inputs[0]! : undefined;
    const value = from !== undefined && idle.has(from) ? values[clean.nodes[from]!.inputs[0]!]! : b.copy(node, inputs);
    values[id] = value;
    return value;
  });
}

/** to_f16(to_f32(x)) = x; and a view is rounded where it comes from, so that what makes that stores f16. */
function unrounded(b: GraphBuilder, { op }: GraphNode, [x]: readonly Value[]): Value | undefined {
  if (op !== 'to_f16') return undefined;
  const half = halfOf(b, x!);
  return b.node(half.id).op === 'to_f16' && b.node(half.id).inputs[0] === x!.id ? undefined : half;
}

/** The value of f16 that `x` is rounded to. */
function halfOf(b: GraphBuilder, x: Value): Value {
  const { op, inputs, attributes } = b.node(x.id);
  if (op === 'to_f32') return b.value(inputs[0]!);
  const isMoved = isMovable(b.node(x.id), inputs[0] === undefined ? undefined : b.node(inputs[0]));
  if (!isMoved || !isHalf(Number(attributes.value ?? 0))) return b.op('to_f16', [x]);
  return b.op(op as PrimitiveName, [halfOf(b, b.value(inputs[0]!))], attributes as never);
}

function idleRoundings({ nodes, outputs }: Graph): ReadonlySet<NodeId> {
  const readers = nodes.map((): NodeId[] => []);
  for (const [id, { inputs }] of nodes.entries()) for (const input of inputs) readers[input]!.push(id);
  const kept = new Set(outputs.flatMap(({ value, at }) => (at === undefined ? [value] : [value, at])));
  const onlyReader = (id: NodeId): NodeId | undefined => {
    const [reader, ...others] = readers[id]!;
    if (reader === undefined || others.length > 0 || kept.has(id)) return undefined;
    return nodes[reader]!.op === 'reshape' || nodes[reader]!.op === 'to_f32' ? onlyReader(reader) : reader;
  };
  const idle = new Set<NodeId>();
  for (const [id, { op }] of nodes.entries()) {
    const reader = op === 'to_f16' ? onlyReader(id) : undefined;
    if (reader === undefined) continue;
    const { op: by, type } = nodes[reader]!;
    if (type.dtype !== 'f16' && (roleOf(by) === 'pointwise' || by === 'concat')) idle.add(id);
  }
  return idle;
}
