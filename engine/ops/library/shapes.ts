/** Functions that move elements without computing: flatten, reshape, transpose, concat, stack, squeeze, one_hot. */
import { addDim, type Dim, floorDivDim, isConstant, sameDim, showShape, sizeOf } from '../../dim/dim.ts';
import { decide, type Requirement } from '../../dim/facts.ts';
import type { Shape } from '../../ir/graph.ts';
import { equalities } from '../broadcasting.ts';
import type { Value } from '../builder.ts';
import { expectSameDTypes, expectSameShapes } from '../primitives/rules.ts';
import { ShapeError } from '../shapeError.ts';
import { axisOf, demand, dimension, number, shapeOf, tensor, typeOf, widest } from './arguments.ts';
import type { Arguments, ResultType, SizeRequirement, TensorFunction, TypeArguments } from './function.ts';
import { hits } from './numerics.ts';

/** [B, ...rest] as [B, product of rest]. */
function flattened(shape: Shape): Shape {
  const [first, ...rest] = shape;
  return first === undefined ? [1] : [first, sizeOf(rest)];
}

/** `wanted` with its -1 inferred from the size of `from`; ShapeError where the sizes can't be the same. */
export function reshaped(from: Shape, wanted: readonly Dim[]): Shape {
  const requirement = reshapeRequirement(from, wanted);
  if (decide(requirement) !== 'fails') {
    const hole = wanted.indexOf(-1);
    return hole < 0 ? wanted : wanted.with(hole, floorDivDim(requirement.left, requirement.right));
  }
  const expected = `a shape of ${showShape([sizeOf(from)])} elements for ${showShape(from)}`;
  throw new ShapeError({ code: 'shape-mismatch', op: 'reshape', expected, found: showShape(wanted) });
}

/** As many elements, or with a -1 a number that the others divide; sizes that both have say nothing. */
function reshapeRequirement(from: Shape, wanted: readonly Dim[]): Requirement {
  const left = [...from];
  const right = wanted.filter(d => {
    const at = left.findIndex(other => sameDim(other, d));
    if (at >= 0) left.splice(at, 1);
    return at < 0 && d !== -1;
  });
  return { kind: wanted.includes(-1) ? 'divides' : 'equal', left: sizeOf(left), right: sizeOf(right) };
}

function swapped(rank: number, first: number, second: number): readonly number[] {
  const [a, c] = [axisOf('transpose', rank, first), axisOf('transpose', rank, second)];
  return [...Array(rank).keys()].map(i => (i === a ? c : i === c ? a : i));
}

/** Names of the tensors that concat and stack take: two, and up to four more. */
const parts = ['x', 'y', 'z', 'u', 'v', 'w'] as const;
const partsHeader = parts.map((name, i) => `${name}${i < 2 ? '' : '?'}: [...]`).join(', ');

function partTypes(args: TypeArguments): readonly ResultType[] {
  return parts.filter(name => args[name] !== undefined).map(name => typeOf(args, name));
}

function partValues(args: Arguments): readonly Value[] {
  return parts.filter(name => args[name] !== undefined).map(name => tensor(args, name));
}

/** What must be equal for two parts to lie side by side; undefined where it isn't. A size that is still open is the callers' matter. */
function agreement(x: Shape, y: Shape): readonly SizeRequirement[] | undefined {
  if (x.length !== y.length) return undefined;
  return equalities(x.map((left, i) => [left, y[i]!]))?.map(requirement => ({ requirement }));
}

function joined(x: Shape, y: Shape, axis: number): Shape {
  const at = axisOf('concat', x.length, axis);
  if (agreement(x.toSpliced(at, 1), y.toSpliced(at, 1)) === undefined) {
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

const concat: TensorFunction = {
  kind: 'function',
  name: 'concat',
  signature: `concat(${partsHeader}, axis: int = -1) -> [...]`,
  doc: 'Joins up to six tensors that agree outside `axis` along it.',
  example: 'concat(image_features, table_features)',
  type: args => {
    const types = partTypes(args);
    const dtype = expectSameDTypes('concat', types, 0, parts);
    const shape = types.map(t => t.shape).reduce((a, c) => joined(a, c, number(args, 'axis')));
    return { dtype, shape, ...widest(types) };
  },
  requires: args => {
    const [first = [], ...others] = partTypes(args).map(({ shape }) =>
      shape.toSpliced(axisOf('concat', shape.length, number(args, 'axis')), 1),
    );
    return others.flatMap(shape => agreement(first, shape) ?? []);
  },
  build: ({ b }, args) => b.concat(partValues(args), number(args, 'axis')),
};

const stack: TensorFunction = {
  kind: 'function',
  name: 'stack',
  signature: `stack(${partsHeader}, axis: int = 0) -> [...]`,
  doc: 'Up to six tensors of one shape along a new axis before `axis` of the result.',
  example: 'stack(left, right, axis: 1)',
  type: args => {
    const types = partTypes(args);
    const [{ shape }] = types as readonly [ResultType];
    if (types.some(t => agreement(shape, t.shape) === undefined)) expectSameShapes('stack', types);
    const axis = axisOf('stack', shape.length + 1, number(args, 'axis'));
    const dtype = expectSameDTypes('stack', types, 0, parts);
    return { dtype, shape: shape.toSpliced(axis, 0, types.length), ...widest(types) };
  },
  requires: args => {
    const [first = [], ...others] = partTypes(args).map(t => t.shape);
    return others.flatMap(shape => agreement(first, shape) ?? []);
  },
  build: ({ b }, args) => {
    const values = partValues(args);
    return b.stack(values, axisOf('stack', values[0]!.type.shape.length + 1, number(args, 'axis')));
  },
};

/** More results than anyone would name. */
const MOST_PARTS = 64;

/** Sizes of the parts along the axis that is divided. */
type Division = (size: Dim, args: TypeArguments) => readonly Dim[];

const equalParts: Division = (size, args) => {
  const parts = number(args, 'parts');
  demand(parts >= 1 && parts <= MOST_PARTS, 'chunk', `a number of parts from 1 to ${MOST_PARTS}`, parts);
  return Array.from({ length: parts }, () => floorDivDim(size, parts));
};

const statedParts: Division = (_, args) => {
  const sizes = shapeOf(args, 'sizes');
  const least = sizes.find(d => isConstant(d) && d < 1);
  demand(sizes.length <= MOST_PARTS, 'split', `at most ${MOST_PARTS} parts`, sizes.length);
  demand(least === undefined, 'split', 'parts of at least 1', showShape(sizes));
  return sizes;
};

/** A function with as many results as parts, which lie behind each other along `axis`. */
function divided(
  name: string,
  parameter: string,
  doc: string,
  example: string,
  parts: Division,
  holds: (size: Dim, args: TypeArguments) => Requirement,
): TensorFunction {
  const sizeAt = (args: TypeArguments, { shape }: ResultType) =>
    shape[axisOf(name, shape.length, number(args, 'axis'))]!;
  return {
    kind: 'function',
    name,
    signature: `${name}(x: [...], ${parameter}, axis: int = -1) -> [...]`,
    doc,
    example,
    type: args => {
      const x = typeOf(args, 'x');
      const axis = axisOf(name, x.shape.length, number(args, 'axis'));
      return parts(x.shape[axis]!, args).map(d => ({ ...x, shape: x.shape.with(axis, d) }));
    },
    requires: args => [{ requirement: holds(sizeAt(args, typeOf(args, 'x')), args) }],
    build: ({ b }, args) => {
      const x = tensor(args, 'x');
      const types = args as TypeArguments;
      const axis = axisOf(name, x.type.shape.length, number(args, 'axis'));
      let start: Dim = 0;
      return parts(x.type.shape[axis]!, types).map(size => {
        const part = b.sliceAxis(x, axis, start, size);
        start = addDim(start, size);
        return part;
      });
    },
  };
}

const chunk = divided(
  'chunk',
  'parts: int',
  '`parts` equal parts of x along `axis`, one result each: `q, k, v = x |> chunk(3)`.',
  'left, right = x |> chunk(2)',
  equalParts,
  (left, args) => ({ kind: 'divides', left, right: number(args, 'parts') }),
);

const split = divided(
  'split',
  'sizes: shape',
  'Parts of x of the given sizes along `axis`, one result each; the sizes add up to that of the axis.',
  'head, tail = x |> split([4, 12])',
  statedParts,
  (right, args) => ({ kind: 'equal', left: shapeOf(args, 'sizes').reduce<Dim>((sum, d) => addDim(sum, d), 0), right }),
);

const squeeze: TensorFunction = {
  kind: 'function',
  name: 'squeeze',
  signature: 'squeeze(x: [...], axis: int = -1) -> [...]',
  doc: 'x without `axis`, whose size is 1.',
  type: args => {
    const { dtype, shape } = typeOf(args, 'x');
    const axis = axisOf('squeeze', shape.length, number(args, 'axis'));
    if (equalities([[shape[axis]!, 1]]) !== undefined) return { dtype, shape: shape.toSpliced(axis, 1) };
    const expected = `a size of 1 at axis ${axis}`;
    throw new ShapeError({ code: 'shape-mismatch', op: 'squeeze', expected, found: showShape(shape), axis });
  },
  requires: args => {
    const { shape } = typeOf(args, 'x');
    const left = shape[axisOf('squeeze', shape.length, number(args, 'axis'))]!;
    return [{ requirement: { kind: 'equal', left, right: 1 } }];
  },
  build: ({ b }, args) => b.squeeze(tensor(args, 'x'), [number(args, 'axis')]),
};

const unsqueeze: TensorFunction = {
  kind: 'function',
  name: 'unsqueeze',
  signature: 'unsqueeze(x: [...], axis: int = -1) -> [...]',
  doc: 'x with a new axis of size 1 before `axis` of the result, at the end by default.',
  type: args => {
    const { dtype, shape } = typeOf(args, 'x');
    return { dtype, shape: shape.toSpliced(axisOf('unsqueeze', shape.length + 1, number(args, 'axis')), 0, 1) };
  },
  build: ({ b }, args) => b.unsqueeze(tensor(args, 'x'), number(args, 'axis')),
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
    example: 'x |> reshape([B, -1, 16])',
    type: args => ({ ...typeOf(args, 'x'), shape: reshaped(typeOf(args, 'x').shape, shapeOf(args, 'shape')) }),
    requires: args => [{ requirement: reshapeRequirement(typeOf(args, 'x').shape, shapeOf(args, 'shape')) }],
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
  concat,
  stack,
  chunk,
  split,
  squeeze,
  unsqueeze,
  oneHot,
];
