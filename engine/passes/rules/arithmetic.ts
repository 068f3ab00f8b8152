/** Rules of elementwise arithmetic, selection and conversion. */
import { sameShape } from '../../dim/dim.ts';
import type { GraphBuilder, Value } from '../../ops/builder.ts';
import { primitive } from '../../ops/registry.ts';
import { beside, literalOf, type Match, type Rule } from './rule.ts';

/** The operand of a negation. */
function negated(b: GraphBuilder, x: Value): Value | undefined {
  const node = b.node(x.id);
  return node.op === 'neg' ? b.value(node.inputs[0]!) : undefined;
}

/** 1 / x is exact for powers of two well inside the range of f32. */
function isPowerOfTwo(x: number): boolean {
  const exponent = Math.log2(Math.abs(x));
  return Number.isInteger(exponent) && Math.abs(exponent) < 100;
}

export const arithmeticRules: readonly Rule[] = [
  beside('x + 0 = x', ['add'], (_, x, c) => (c === 0 ? x : undefined)),
  beside('x * 1 = x', ['mul'], (_, x, c) => (c === 1 ? x : undefined)),
  beside('x * -1 = -x', ['mul'], (b, x, c) => (c === -1 && x.type.dtype !== 'u32' ? b.neg(x) : undefined)),
  {
    equation: 'x - 0 = x, 0 - x = -x',
    ops: ['sub'],
    rewrite: (b, { inputs: [x, y], literal }) => {
      if (literal(1) === 0) return x;
      return literal(0) === 0 && x!.type.dtype !== 'u32' ? b.neg(y!) : undefined;
    },
  },
  {
    equation: 'x / 1 = x, x / 2^n = x * 2^-n',
    ops: ['div'],
    rewrite: (b, { inputs: [x], literal }) => {
      const divisor = literal(1);
      if (divisor === 1) return x;
      if (divisor === undefined || x!.type.dtype !== 'f32' || !isPowerOfTwo(divisor)) return undefined;
      return b.mul(x!, 1 / divisor);
    },
  },
  {
    equation: '-(-x) = x',
    ops: ['neg'],
    rewrite: (b, { inputs: [x] }) => negated(b, x!),
  },
  {
    equation: 'x + -y = x - y, -x + y = y - x',
    ops: ['add'],
    rewrite: (b, { inputs: [x, y] }) => {
      const right = negated(b, y!);
      if (right !== undefined) return b.sub(x!, right);
      const left = negated(b, x!);
      return left === undefined ? undefined : b.sub(y!, left);
    },
  },
  {
    equation: 'x - -y = x + y',
    ops: ['sub'],
    rewrite: (b, { inputs: [x, y] }) => {
      const right = negated(b, y!);
      return right === undefined ? undefined : b.add(x!, right);
    },
  },
  {
    equation: 'pow(x, 1) = x, pow(x, 2) = x * x',
    ops: ['pow'],
    rewrite: (b, { inputs: [x], literal }) => {
      if (literal(1) === 1) return x;
      return literal(1) === 2 ? b.square(x!) : undefined;
    },
  },
  {
    equation: 'minimum(x, x) = maximum(x, x) = x and x = x or x = x',
    ops: ['minimum', 'maximum', 'logical_and', 'logical_or'],
    rewrite: (_, { inputs: [x, y] }) => (x!.id === y!.id ? x : undefined),
  },
  beside('x and true = x, x and false = false', ['logical_and'], (b, x, c) => (c === 0 ? b.fill(0, x) : x)),
  beside('x or false = x, x or true = true', ['logical_or'], (b, x, c) => (c === 0 ? x : b.fill(1, x))),
  {
    equation: 'not not x = x',
    ops: ['logical_not'],
    rewrite: (b, { from }) => (from(0).op === 'logical_not' ? b.value(from(0).inputs[0]!) : undefined),
  },
  {
    equation: 'select(true, x, y) = x, select(false, x, y) = y, select(c, x, x) = x',
    ops: ['select'],
    rewrite: (_, { inputs: [, x, y], literal }) => {
      if (x!.id === y!.id) return x;
      const condition = literal(0);
      return condition === undefined ? undefined : condition === 0 ? y : x;
    },
  },
  {
    equation: 'select(not c, x, y) = select(c, y, x)',
    ops: ['select'],
    rewrite: (b, { inputs: [, x, y], from }) =>
      from(0).op === 'logical_not' ? b.select(b.value(from(0).inputs[0]!), y!, x!) : undefined,
  },
  {
    equation: 'cast(x, dtype of x) = x',
    ops: ['cast'],
    rewrite: (_, { inputs: [x], attributes }) => (x!.type.dtype === attributes.dtype ? x : undefined),
  },
  {
    equation: 'detach(x) = x, once gradients are taken',
    ops: ['detach'],
    rewrite: (_, { inputs: [x] }) => x,
  },
  {
    equation: 'f(broadcast(x), broadcast(y), constant) = broadcast(f(x, y, constant)), for x and y of one shape',
    ops: 'all',
    rewrite: hoistBroadcast,
  },
];

/** Computes a value once instead of once an element of the shape it is repeated to. */
function hoistBroadcast(b: GraphBuilder, { op, inputs, attributes, type, from }: Match): Value | undefined {
  if (inputs.length === 0 || primitive(op).lowering.kind !== 'elementwise') return undefined;
  const sources = inputs.map((_, i) => {
    const node = from(i);
    return node.op === 'broadcast' ? b.value(node.inputs[0]!) : literalOf(node);
  });
  const repeated = sources.filter(s => typeof s === 'object');
  const shape = repeated[0]?.type.shape;
  if (shape === undefined || sources.includes(undefined)) return undefined;
  if (!repeated.every(s => sameShape(s.type.shape, shape))) return undefined;
  const operands = sources.map((s, i) =>
    typeof s === 'object' ? s : b.constant(s!, { dtype: inputs[i]!.type.dtype, shape }),
  );
  return b.broadcast(b.op(op as Parameters<GraphBuilder['op']>[0], operands, attributes), type.shape);
}
