/** What type rules and gradients share: checks that throw ShapeError, shapes after a reduction, text of types. */
import { addDim, type Dim, floorDivDim, mulDim, sameDim, sameShape, showShape, subDim } from '../../dim/dim.ts';
import type { Attributes, DType, Shape, TensorType } from '../../ir/graph.ts';
import type { Primitive } from '../primitive.ts';
import { ShapeError } from '../shapeError.ts';

/** Declares a primitive: its attributes' type is inferred from the annotations of its own rules. */
export function define<A extends Attributes>(primitive: Primitive<A>): Primitive<A> {
  return primitive;
}

export function expectInputs(op: string, inputs: readonly TensorType[], count: number): void {
  if (inputs.length !== count) {
    throw new ShapeError({ code: 'bad-attribute', op, expected: `${count} inputs`, found: String(inputs.length) });
  }
}

/** `names`: what a function calls its inputs, which a primitive numbers. */
export function expectDType(
  op: string,
  inputs: readonly TensorType[],
  input: number,
  allowed: readonly DType[],
  names?: readonly string[],
): void {
  const { dtype } = inputs[input]!;
  if (!allowed.includes(dtype)) throw wrongDType(op, allowed, dtype, input, names);
}

function wrongDType(
  op: string,
  allowed: readonly DType[],
  found: DType,
  input: number,
  names: readonly string[] | undefined,
): ShapeError {
  const problem = { code: 'dtype-mismatch', op, found, input } as const;
  const expected = allowed.join(' or ');
  const subject = names?.[input];
  if (subject !== undefined) return new ShapeError({ ...problem, expected, subject });
  return new ShapeError({ ...problem, expected: `${expected} for input ${input + 1}` });
}

/** All inputs from `from` on have one shape. */
export function expectSameShapes(op: string, inputs: readonly TensorType[]): Shape {
  const first = inputs[0]!.shape;
  for (const [input, { shape }] of inputs.entries()) {
    if (sameShape(first, shape)) continue;
    const axis = shape.findIndex((d, i) => first[i] === undefined || !sameDim(d, first[i]));
    const code = shape.length === first.length ? 'shape-mismatch' : 'rank-mismatch';
    throw new ShapeError({
      code,
      op,
      expected: `inputs of one shape ${showShape(first)}`,
      found: showShape(shape),
      axis,
      input,
    });
  }
  return first;
}

export function expectSameDTypes(
  op: string,
  inputs: readonly TensorType[],
  from = 0,
  names?: readonly string[],
): DType {
  const { dtype } = inputs[from]!;
  for (let input = from + 1; input < inputs.length; input++) expectDType(op, inputs, input, [dtype], names);
  return dtype;
}

export function expectRank(op: string, inputs: readonly TensorType[], input: number, least: number): void {
  const { shape } = inputs[input]!;
  if (shape.length >= least) return;
  throw new ShapeError({
    code: 'rank-mismatch',
    op,
    expected: `at least ${least} dimensions for input ${input + 1}`,
    found: showShape(shape),
    input,
  });
}

/** Axes are distinct and lie within the rank. */
export function expectAxes(op: string, axes: readonly number[], shape: Shape): void {
  for (const axis of axes) {
    if (Number.isInteger(axis) && axis >= 0 && axis < shape.length) continue;
    const expected =
      shape.length === 0 ? 'no axis for a scalar' : `axes from 0 to ${shape.length - 1} for ${showShape(shape)}`;
    throw new ShapeError({ code: 'axis-out-of-range', op, expected, found: String(axis), axis });
  }
  if (new Set(axes).size !== axes.length) {
    throw new ShapeError({ code: 'bad-attribute', op, expected: 'axes that differ', found: `[${axes.join(', ')}]` });
  }
}

/** A list attribute has one entry an axis. */
export function expectLength(op: string, name: string, list: readonly unknown[], shape: Shape): void {
  if (list.length === shape.length) return;
  throw new ShapeError({
    code: 'bad-attribute',
    op,
    expected: `${shape.length} ${name} for ${showShape(shape)}`,
    found: String(list.length),
  });
}

/** The shape left when `axes` are reduced: removed, or kept as 1. */
export function reducedShape(shape: Shape, axes: readonly number[], keep: boolean): Dim[] {
  return shape.flatMap((d, i) => (axes.includes(i) ? (keep ? [1] : []) : [d]));
}

/** How many windows of `size` elements, `dilation` apart, fit into `extent`: floor((extent - dilation (size - 1) - 1) / stride) + 1. */
export function windowCount(extent: Dim, size: Dim, stride: Dim, dilation: Dim): Dim {
  const span = addDim(mulDim(subDim(size, 1), dilation), 1);
  return addDim(floorDivDim(subDim(extent, span), stride), 1);
}
