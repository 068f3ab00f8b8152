/** Transposes move towards the end, past whatever works element by element: a value keeps the order in which it was computed. */
import type { Shape } from '../../ir/graph.ts';
import type { GraphBuilder, Value } from '../../ops/builder.ts';
import { primitive } from '../../ops/registry.ts';
import { literalOf, type Match, type Rule } from './rule.ts';

type Permutation = readonly number[];
type BuilderOp = Parameters<GraphBuilder['op']>[0];

/** x and p where input `i` is transpose(x, p). */
function transposed(b: GraphBuilder, { from }: Match, i: number): { x: Value; p: Permutation } | undefined {
  const node = from(i);
  if (node.op !== 'transpose') return undefined;
  return { x: b.value(node.inputs[0]!), p: node.attributes.permutation as Permutation };
}

const inverse = (p: Permutation): number[] => p.map((_, axis) => p.indexOf(axis));
const same = (p: Permutation, q: Permutation): boolean => p.every((axis, i) => axis === q[i]);

/** `list`, an entry an axis of transpose(x, p), as entries for the axes of x. */
function before<T>(p: Permutation, list: readonly T[]): T[] {
  return inverse(p).map(i => list[i]!);
}

export const transposeRules: readonly Rule[] = [
  {
    equation: 'f(transpose(x), transpose(y), broadcast(z)) = transpose(f(x, y, broadcast(z))), and where most are',
    ops: 'all',
    rewrite: pastElementwise,
  },
  {
    equation: 'sum(transpose(x)) = transpose(sum(x)) where the order of the terms stays, and so for max and min',
    ops: ['sum', 'max', 'min'],
    rewrite: pastReduction,
  },
  {
    equation: 'pad(transpose(x)) = transpose(pad(x)), and so for slice',
    ops: ['pad', 'slice'],
    rewrite: (b, match) => {
      const found = transposed(b, match, 0);
      if (found === undefined) return undefined;
      const entries = Object.entries(match.attributes);
      const attributes = entries.map(([name, v]) => [name, Array.isArray(v) ? before(found.p, v) : v]);
      return b.transpose(b.op(match.op as BuilderOp, [found.x], Object.fromEntries(attributes)), found.p);
    },
  },
  {
    equation: 'reshape(transpose(x)) = transpose(reshape(x)) where it joins and splits what is neighbours in x',
    ops: ['reshape'],
    rewrite: pastReshape,
  },
  {
    equation: 'transpose(take(x, i)) = take(x, transpose(i)) where only axes of i move',
    ops: ['transpose'],
    rewrite: (b, { attributes, from }) => {
      const node = from(0);
      if (node.op !== 'take') return undefined;
      const [table, indices] = node.inputs.map(id => b.value(id));
      const p = attributes.permutation as Permutation;
      const rank = indices!.type.shape.length;
      if (p.some((axis, i) => i >= rank && axis !== i)) return undefined;
      return b.take(table!, b.transpose(indices!, p.slice(0, rank)));
    },
  },
];

function pastElementwise(b: GraphBuilder, match: Match): Value | undefined {
  const { op, inputs, attributes, type, from } = match;
  if (primitive(op).lowering.kind !== 'elementwise') return undefined;
  const found = inputs.map((_, i) => transposed(b, match, i));
  const p = found.find(each => each !== undefined)?.p;
  if (p === undefined || found.some(each => each !== undefined && !same(each.p, p))) return undefined;
  const isFree = (i: number) => from(i).op === 'broadcast' || literalOf(from(i)) !== undefined;
  const plain = inputs.filter((_, i) => found[i] === undefined && !isFree(i));
  if (plain.length > 0 && (plain.length > inputs.length / 2 || !precedes(inverse(p), p))) return undefined;
  const shape = before(p, type.shape);
  const operands = inputs.map((input, i) => {
    const literal = literalOf(from(i));
    if (literal !== undefined) return b.constant(literal, { dtype: input.type.dtype, shape });
    if (from(i).op === 'broadcast') return b.broadcast(reordered(b, b.value(from(i).inputs[0]!), p), shape);
    return found[i]?.x ?? b.transpose(input, inverse(p));
  });
  return b.transpose(b.op(op as BuilderOp, operands, attributes), p);
}

/** Of two orders that are as good, one must give way, so that values don't go back and forth. */
function precedes(p: Permutation, q: Permutation): boolean {
  const apart = p.findIndex((axis, i) => axis !== q[i]);
  return apart >= 0 && p[apart]! < q[apart]!;
}

/** What is repeated to transpose(x, p), with its axes in the order of x. */
function reordered(b: GraphBuilder, z: Value, p: Permutation): Value {
  const leading = Array.from({ length: p.length - z.type.shape.length }, () => 1);
  const full: Shape = [...leading, ...z.type.shape];
  if (full.every(d => d === 1)) return b.reshape(z, full);
  return b.transpose(b.reshape(z, full), inverse(p));
}

function pastReduction(b: GraphBuilder, match: Match): Value | undefined {
  const found = transposed(b, match, 0);
  if (found === undefined) return undefined;
  const { x, p } = found;
  const axes = match.attributes.axes as readonly number[];
  const moved = [...axes].sort((a, c) => a - c).map(axis => p[axis]!);
  const isOrdered = moved.every((axis, i) => i === 0 || axis > moved[i - 1]!);
  if (match.op === 'sum' && !isOrdered) return undefined;
  const reduced = b.op(match.op as BuilderOp, [x], { ...match.attributes, axes: moved });
  if (match.attributes.keep === true) return b.transpose(reduced, p);
  const kept = p.filter((_, axis) => !axes.includes(axis));
  return b.transpose(reduced, ranks(kept));
}

/** Position of each number among all of them by size. */
function ranks(numbers: readonly number[]): number[] {
  const sorted = [...numbers].sort((a, c) => a - c);
  return numbers.map(n => sorted.indexOf(n));
}

function pastReshape(b: GraphBuilder, match: Match): Value | undefined {
  const found = transposed(b, match, 0);
  if (found === undefined) return undefined;
  const groups = pair(match.inputs[0]!.type.shape, match.type.shape);
  if (groups === undefined) return undefined;
  const { x, p } = found;
  const long = x.type.shape.flatMap((d, axis) => (d === 1 ? [] : [axis]));
  const sources = groups.map(group => group.from.map(axis => long.indexOf(p[axis]!)));
  if (!sources.every(list => list.every((at, i) => i === 0 || at === list[i - 1]! + 1))) return undefined;
  const order = [...groups.keys()].sort((m, n) => sources[m]![0]! - sources[n]![0]!);
  const axes = order.flatMap(n => groups[n]!.to);
  const shape = axes.map(axis => match.type.shape[axis]!);
  return b.transpose(b.reshape(x, shape), inverse(axes));
}

interface Pairing {
  /** Axes of the input, without those of size 1. */
  readonly from: number[];
  readonly to: number[];
}

/** The smallest runs of axes of `input` and `output` that hold the same elements; undefined for symbolic sizes and for single elements. */
function pair(input: Shape, output: Shape): Pairing[] | undefined {
  if (![...input, ...output].every(d => typeof d === 'number')) return undefined;
  const [from, to] = [input, output].map(shape => [...shape.keys()].filter(axis => shape[axis] !== 1));
  const groups: Pairing[] = [];
  const product = (shape: Shape, axes: readonly number[]) => axes.reduce((n, axis) => n * (shape[axis] as number), 1);
  while (from!.length > 0) {
    const group: Pairing = { from: [from!.shift()!], to: [] };
    for (;;) {
      const [have, want] = [product(output, group.to), product(input, group.from)];
      if (have === want) break;
      const next = have < want ? to!.shift() : from!.shift();
      if (next === undefined) return undefined;
      (have < want ? group.to : group.from).push(next);
    }
    groups.push(group);
  }
  const ones = [...output.keys()].filter(axis => output[axis] === 1);
  groups[0]?.to.unshift(...ones);
  return groups.length > 0 ? groups : undefined;
}
