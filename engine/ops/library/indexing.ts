/** Functions that choose and order elements: by condition, by index, by size, by place. */
import { addDim, type Dim } from '../../dim/dim.ts';
import type { Shape } from '../../ir/graph.ts';
import { broadcastOpenShapes, broadcastRequirements } from '../broadcasting.ts';
import type { GraphBuilder, Value } from '../builder.ts';
import { expectDType } from '../primitives/rules.ts';
import { axisOf, demand, dimension, flag, known, number, operand, tensor, typeOf, widest } from './arguments.ts';
import type { Arguments, SizeRequirement, TensorFunction, TypeArguments } from './function.ts';

interface Along {
  readonly name: string;
  /** In header syntax, with a comma in front. */
  readonly hyperparameters?: string;
  readonly doc: string;
  readonly example?: string;
  /** The new size of the axis; the same unless given. */
  readonly size?: (size: Dim, args: TypeArguments) => Dim;
  /** Of an index the results are none. */
  readonly sums?: true;
  readonly rule: (b: GraphBuilder, x: Value, axis: number, args: Arguments) => Value;
}

/** A function along one axis, the last unless `axis` is given. */
function along({ name, hyperparameters = '', doc, example, size, sums, rule }: Along): TensorFunction {
  return {
    kind: 'function',
    name,
    signature: `${name}(x: [...]${hyperparameters}, axis: int = -1) -> [...]`,
    doc,
    ...(example && { example }),
    type: args => {
      const { dtype, shape } = typeOf(args, 'x');
      const axis = axisOf(name, shape.length, number(args, 'axis'));
      const result = { dtype, shape: size ? shape.with(axis, size(shape[axis]!, args)) : shape };
      return sums ? { ...result, classes: undefined } : result;
    },
    build: ({ b }, args) => {
      const x = tensor(args, 'x');
      return rule(b, x, axisOf(name, x.type.shape.length, number(args, 'axis')), args);
    },
  };
}

/** `by` elements from the end come to the front; the size has to be known, since `by` is taken modulo it. */
function rolled(b: GraphBuilder, x: Value, axis: number, by: number): Value {
  const size = known('roll', x.type.shape[axis]!);
  const front = ((by % size) + size) % size;
  if (front === 0) return x;
  return b.concat([b.sliceAxis(x, axis, size - front, front), b.sliceAxis(x, axis, 0, size - front)], axis);
}

function padded(b: GraphBuilder, x: Value, axis: number, args: Arguments): Value {
  const sizes = ['before', 'after'].map(name => number(args, name));
  demand(
    sizes.every(n => n >= 0),
    'pad',
    'sizes of at least 0',
    Math.min(...sizes),
  );
  const [before, after] = sizes.map(n => x.type.shape.map((_, i) => (i === axis ? n : 0)));
  return b.pad(x, before!, after!, number(args, 'value'));
}

const swapLast = (rank: number, axis: number): number[] =>
  [...Array(rank).keys()].map(i => (i === axis ? rank - 1 : i === rank - 1 ? axis : i));

/** `rule` along the last axis, with `axis` moved there and back. */
function atLast(b: GraphBuilder, x: Value, axis: number, rule: (x: Value) => Value): Value {
  const order = swapLast(x.type.shape.length, axis);
  return b.transpose(rule(b.transpose(x, order)), order);
}

const sorted = (b: GraphBuilder, x: Value, axis: number, descending: boolean): Value =>
  atLast(b, x, axis, v => b.takeLast(v, b.argsort(v, descending)));

const movements = [
  along({ name: 'flip', doc: 'The elements along `axis` in reverse order.', rule: (b, x, axis) => b.flip(x, [axis]) }),
  along({
    name: 'roll',
    hyperparameters: ', by: int',
    doc: 'Every element moved `by` places along `axis`; those that leave at the end come in at the front.',
    example: 'x |> roll(1, axis: 1)',
    rule: (b, x, axis, args) => rolled(b, x, axis, number(args, 'by')),
  }),
  along({
    name: 'pad',
    hyperparameters: ', before: int = 0, after: int = 0, value: float = 0',
    doc: 'x with `before` and `after` elements of `value` added along `axis`.',
    example: 'x |> pad(before: 2, axis: 1)',
    size: (d, args) => addDim(d, addDim(dimension(args, 'before'), dimension(args, 'after'))),
    rule: padded,
  }),
  along({
    name: 'cumsum',
    doc: 'The sum of the elements up to each along `axis`, itself included.',
    sums: true,
    rule: (b, x, axis) => b.cumsum(x, axis),
  }),
  along({
    name: 'sort',
    hyperparameters: ', descending: bool = false',
    doc: 'The elements along `axis` in ascending order; for axes of up to some hundred elements.',
    rule: (b, x, axis, args) => sorted(b, x, axis, flag(args, 'descending')),
  }),
  along({
    name: 'largest',
    hyperparameters: ', k: int',
    doc: 'The k greatest elements along `axis`, in descending order.',
    example: 'scores |> largest(3)',
    size: (_, args) => dimension(args, 'k'),
    rule: (b, x, axis, args) => {
      const [k, size] = [number(args, 'k'), known('largest', x.type.shape[axis]!)];
      demand(k >= 1 && k <= size, 'largest', `a k from 1 to ${size}`, k);
      return atLast(b, x, axis, v => b.topK(v, k).values);
    },
  }),
];

const topK: TensorFunction = {
  kind: 'function',
  name: 'top_k',
  signature: 'top_k(x: [...], k: int, axis: int = -1) -> ([...], int[...])',
  doc: 'The k greatest elements along `axis`, in descending order, and their positions: `values, positions = scores |> top_k(3)`.',
  example: 'values, positions = x |> top_k(3)',
  type: args => {
    const { dtype, shape, classes } = typeOf(args, 'x');
    const axis = axisOf('top_k', shape.length, number(args, 'axis'));
    const found = shape.with(axis, dimension(args, 'k'));
    const values = { dtype, shape: found, ...(classes !== undefined && { classes }) };
    return [values, { dtype: 'i32', shape: found, classes: shape[axis]! }];
  },
  requires: args => {
    const { shape } = typeOf(args, 'x');
    const left = shape[axisOf('top_k', shape.length, number(args, 'axis'))]!;
    return [{ requirement: { kind: 'atLeast', left, right: dimension(args, 'k') } }];
  },
  build: ({ b }, args) => {
    const [x, k] = [tensor(args, 'x'), number(args, 'k')];
    const axis = axisOf('top_k', x.type.shape.length, number(args, 'axis'));
    const order = swapLast(x.type.shape.length, axis);
    demand(k >= 1, 'top_k', 'a k of at least 1', k);
    const { values, positions } = b.topK(b.transpose(x, order), k);
    return [b.transpose(values, order), b.transpose(positions, order)];
  },
};

/** A triangle of the last two axes: elements on one side of a diagonal are 0. */
function triangle(
  name: string,
  doc: string,
  keeps: (b: GraphBuilder, offset: Value, diagonal: number) => Value,
): TensorFunction {
  return {
    kind: 'function',
    name,
    signature: `${name}(x: [..., N, M], diagonal: int = 0) -> [..., N, M]`,
    doc,
    build: ({ b }, args) => {
      const x = tensor(args, 'x');
      const rank = x.type.shape.length;
      const offset = b.sub(b.iota(x.type.shape, rank - 1), b.iota(x.type.shape, rank - 2));
      return b.select(keeps(b, offset, number(args, 'diagonal')), x, 0);
    },
  };
}

function meet(args: TypeArguments, names: readonly string[]): readonly SizeRequirement[] {
  return broadcastRequirements(names.map(name => typeOf(args, name).shape)).map(requirement => ({ requirement }));
}

function broadcast(name: string, doc: string, rule: (b: GraphBuilder, x: Value, y: Value) => Value): TensorFunction {
  return {
    kind: 'function',
    name,
    signature: `${name}(x: [...], y: [...]) -> [...]`,
    doc,
    type: args => {
      const [x, y] = [typeOf(args, 'x'), typeOf(args, 'y')];
      expectDType(name, [x, y], 0, ['f32', 'i32'], ['x', 'y']);
      expectDType(name, [x, y], 1, [x.dtype], ['x', 'y']);
      return { dtype: x.dtype, shape: broadcastOpenShapes(name, [x.shape, y.shape]), ...widest([x, y]) };
    },
    requires: args => meet(args, ['x', 'y']),
    build: ({ b }, args) => rule(b, tensor(args, 'x'), tensor(args, 'y')),
  };
}

const choice: TensorFunction = {
  kind: 'function',
  name: 'select',
  signature: 'select(condition: bool[...], x: [...], y: [...]) -> [...]',
  doc: 'x where the condition holds, else y; all three broadcast together.',
  example: 'select(mask, scores, -1e9)',
  type: args => {
    const names = ['condition', 'x', 'y'];
    const types = names.map(name => typeOf(args, name));
    expectDType('select', types, 0, ['bool'], names);
    expectDType('select', types, 2, [types[1]!.dtype], names);
    const shapes = types.map(t => t.shape);
    return { dtype: types[1]!.dtype, shape: broadcastOpenShapes('select', shapes), ...widest(types.slice(1)) };
  },
  requires: args => meet(args, ['condition', 'x', 'y']),
  build: ({ b }, args) => b.select(tensor(args, 'condition'), operand(args, 'x'), operand(args, 'y')),
};

function takenShape(x: Shape, index: Shape, axis: number): Shape {
  return [...x.slice(0, axis), ...index, ...x.slice(axis + 1)];
}

const take: TensorFunction = {
  kind: 'function',
  name: 'take',
  signature: 'take(x: [...], index: int[...], axis: int = 0) -> [...]',
  doc: 'The entries of x along `axis` at each index, whose axes come in its place; zeros where one is out of range.',
  example: 'vectors |> take(nearest)',
  type: args => {
    const [x, index] = [typeOf(args, 'x'), typeOf(args, 'index')];
    expectDType('take', [x, index], 1, ['i32'], ['x', 'index']);
    const axis = axisOf('take', x.shape.length, number(args, 'axis'));
    return { dtype: x.dtype, shape: takenShape(x.shape, index.shape, axis) };
  },
  build: ({ b }, args) => {
    const [x, index] = [tensor(args, 'x'), tensor(args, 'index')];
    const axis = axisOf('take', x.type.shape.length, number(args, 'axis'));
    const axes = [...x.type.shape.keys()];
    const rows = b.take(b.transpose(x, [axis, ...axes.filter(a => a !== axis)]), index);
    const rank = index.type.shape.length;
    // [...I, ...before, ...after] -> [...before, ...I, ...after]
    const before = Array.from({ length: axis }, (_, i) => rank + i);
    const middle = [...index.type.shape.keys()];
    const after = axes.slice(axis + 1).map(i => rank + i - 1);
    return b.transpose(rows, [...before, ...middle, ...after]);
  },
};

const gather: TensorFunction = {
  kind: 'function',
  name: 'gather',
  signature: 'gather(x: [..., N], index: int[..., K]) -> [..., K]',
  doc: 'In each row of the last axis the elements at the positions that the same row of `index` names.',
  example: 'log_probabilities |> gather(actions)',
  build: ({ b }, args) => b.takeLast(tensor(args, 'x'), tensor(args, 'index')),
};

const scatterAdd: TensorFunction = {
  kind: 'function',
  name: 'scatter_add',
  signature: 'scatter_add(updates: [...], index: int[...], rows: int) -> [...]',
  doc: 'Zeros of `rows` rows, to which each row of `updates` is added at its index; those out of range are dropped.',
  example: 'messages |> scatter_add(receivers, rows: 64)',
  type: args => {
    const [updates, index] = [typeOf(args, 'updates'), typeOf(args, 'index')];
    expectDType('scatter_add', [updates, index], 1, ['i32'], ['updates', 'index']);
    return { dtype: 'f32', shape: [dimension(args, 'rows'), ...updates.shape.slice(index.shape.length)] };
  },
  build: ({ b }, args) => b.scatterAdd(tensor(args, 'index'), tensor(args, 'updates'), dimension(args, 'rows')),
};

const arange: TensorFunction = {
  kind: 'function',
  name: 'arange',
  signature: 'arange(length: int) -> index(length)[length]',
  doc: 'The whole numbers from 0 to length - 1.',
  example: 'positions = arange(T) |> embedding(64)',
  build: ({ b }, args) => b.iota([dimension(args, 'length')]),
};

const diagonalDoc = 'of the last two axes; 0 elsewhere. A positive `diagonal` is that many places to the right.';

export const indexingFunctions: readonly TensorFunction[] = [
  choice,
  take,
  gather,
  scatterAdd,
  arange,
  ...movements,
  topK,
  triangle('tril', `The elements on and below the diagonal ${diagonalDoc}`, (b, offset, d) => b.lessEqual(offset, d)),
  triangle('triu', `The elements on and above the diagonal ${diagonalDoc}`, (b, offset, d) =>
    b.greaterEqual(offset, d),
  ),
  broadcast('maximum', 'The greater of the two, element by element; at a tie the gradient goes to y.', (b, x, y) =>
    b.maximum(x, y),
  ),
  broadcast('minimum', 'The lesser of the two, element by element; at a tie the gradient goes to y.', (b, x, y) =>
    b.minimum(x, y),
  ),
];
