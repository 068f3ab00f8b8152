/** Functions that move elements without computing: flatten, reshape, transpose, concat, one_hot. */
import { addDim, type Dim, floorDivDim, sameDim, sameShape, showShape, sizeOf } from '../../dim/dim.ts';
import type { Shape } from '../../ir/graph.ts';
import { ShapeError } from '../shapeError.ts';
import { axisOf, dimension, number, shapeOf, tensor, typeOf } from './arguments.ts';
import type { TensorFunction } from './function.ts';
import { hits } from './numerics.ts';

/** [B, ...rest] as [B, product of rest]. */
function flattened(shape: Shape): Shape {
  const [first, ...rest] = shape;
  return first === undefined ? [1] : [first, sizeOf(rest)];
}

/** `wanted` with its -1 inferred from the size of `from`; ShapeError where the sizes differ. */
export function reshaped(from: Shape, wanted: readonly Dim[]): Shape {
  const hole = wanted.indexOf(-1);
  const rest = sizeOf(wanted.filter((_, i) => i !== hole));
  const filled = hole < 0 ? wanted : wanted.with(hole, floorDivDim(sizeOf(from), rest));
  if (sameDim(sizeOf(filled), sizeOf(from))) return filled;
  const expected = `a shape of ${showShape([sizeOf(from)])} elements for ${showShape(from)}`;
  throw new ShapeError({ code: 'shape-mismatch', op: 'reshape', expected, found: showShape(wanted) });
}

function swapped(rank: number, first: number, second: number): readonly number[] {
  const [a, c] = [axisOf('transpose', rank, first), axisOf('transpose', rank, second)];
  return [...Array(rank).keys()].map(i => (i === a ? c : i === c ? a : i));
}

function joined(x: Shape, y: Shape, axis: number): Shape {
  const at = axisOf('concat', x.length, axis);
  if (x.length !== y.length || !sameShape(x.toSpliced(at, 1), y.toSpliced(at, 1))) {
    const expected = `shapes that agree outside axis ${at}`;
    throw new ShapeError({
      code: 'shape-mismatch',
      op: 'concat',
      expected,
      found: `${showShape(x)} and ${showShape(y)}`,
    });
  }
  return x.with(at, addDim(x[at]!, y[at]!));
}

export const oneHot: TensorFunction = {
  kind: 'function',
  name: 'one_hot',
  signature: 'one_hot(x: index(C)[...]) -> [..., C]',
  doc: 'A new last axis with 1 at the position of the index and 0 elsewhere.',
  build: ({ b }, args) => b.cast(hits(b, tensor(args, 'x'), dimension(args, 'C')), 'f32'),
};

export const shapeFunctions: readonly TensorFunction[] = [
  {
    kind: 'function',
    name: 'flatten',
    signature: 'flatten(x: [B, ...]) -> [B, N]',
    doc: 'All axes but the first folded into one.',
    type: args => ({ ...typeOf(args, 'x'), shape: flattened(typeOf(args, 'x').shape) }),
    build: ({ b }, args) => b.reshape(tensor(args, 'x'), flattened(tensor(args, 'x').type.shape)),
  },
  {
    kind: 'function',
    name: 'reshape',
    signature: 'reshape(x: [...], shape: shape) -> [...]',
    doc: 'The same elements in row-major order in another shape; one size may be -1, which is inferred.',
    type: args => ({ ...typeOf(args, 'x'), shape: reshaped(typeOf(args, 'x').shape, shapeOf(args, 'shape')) }),
    build: ({ b }, args) =>
      b.reshape(tensor(args, 'x'), reshaped(tensor(args, 'x').type.shape, shapeOf(args, 'shape'))),
  },
  {
    kind: 'function',
    name: 'transpose',
    signature: 'transpose(x: [...], first: int = -2, second: int = -1) -> [...]',
    doc: 'Swaps two axes, the last two by default.',
    type: args => {
      const { dtype, shape } = typeOf(args, 'x');
      return { dtype, shape: swapped(shape.length, number(args, 'first'), number(args, 'second')).map(i => shape[i]!) };
    },
    build: ({ b }, args) => {
      const x = tensor(args, 'x');
      return b.transpose(x, swapped(x.type.shape.length, number(args, 'first'), number(args, 'second')));
    },
  },
  {
    kind: 'function',
    name: 'concat',
    signature: 'concat(x: [...], y: [...], axis: int = -1) -> [...]',
    doc: 'Joins two tensors that agree outside `axis` along it.',
    type: args => {
      const [x, y] = [typeOf(args, 'x'), typeOf(args, 'y')];
      return { dtype: x.dtype, shape: joined(x.shape, y.shape, number(args, 'axis')) };
    },
    build: ({ b }, args) => {
      const [x, y] = [tensor(args, 'x'), tensor(args, 'y')];
      joined(x.type.shape, y.type.shape, number(args, 'axis'));
      return b.concat([x, y], number(args, 'axis'));
    },
  },
  oneHot,
];
