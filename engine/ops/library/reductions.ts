/** Reductions over one axis or all of them. */
import type { DType, Shape } from '../../ir/graph.ts';
import type { GraphBuilder, ReduceOptions, Value } from '../builder.ts';
import { axisOf, flag, known, number, optionalNumber, tensor, typeOf } from './arguments.ts';
import type { ResultType, TensorFunction, TypeArguments } from './function.ts';
import { cosineSimilarity } from './losses.ts';
import { mean } from './numerics.ts';

/** `shape` without `axis` (all axes where it is undefined), or with 1 in its place. */
function reduced(op: string, shape: Shape, axis: number | undefined, keep: boolean): Shape {
  const gone = axis === undefined ? [...shape.keys()] : [axisOf(op, shape.length, axis)];
  return shape.flatMap((d, i) => (gone.includes(i) ? (keep ? [1] : []) : [d]));
}

/** The mean squared distance from the mean. */
function variance(b: GraphBuilder, x: Value, options: ReduceOptions): Value {
  return mean(b, b.square(b.sub(x, mean(b, x, { ...options, keep: true }))), options);
}

/** m + log sum exp(x - m) with m the greatest, held fixed; an infinite one is left as it is, which gives infinity and not NaN. */
function logSumExp(b: GraphBuilder, x: Value, options: ReduceOptions): Value {
  const greatest = b.detach(b.max(x, { ...options, keep: true }));
  const most = b.select(b.isfinite(greatest), greatest, 0);
  const total = b.log(b.sum(b.exp(b.sub(x, most)), options));
  return b.add(total, b.reshape(most, total.type.shape));
}

/** The square root, whose gradient at 0 is 0. */
function rootOf(b: GraphBuilder, x: Value): Value {
  const positive = b.greater(x, 0);
  return b.select(positive, b.sqrt(b.select(positive, x, 1)), x);
}

/**
 * The product along `axis` of known size, halves by halves: each element's gradient is the product of the others, with no division
 * by one that is 0.
 */
function product(b: GraphBuilder, x: Value, axis: number): Value {
  const size = known('prod', x.type.shape[axis]!);
  if (size === 1) return x;
  const half = Math.floor(size / 2);
  const [first, second] = [0, half].map(start => b.sliceAxis(x, axis, start, half));
  const paired = b.mul(first!, second!);
  const rest = size % 2 === 1 ? [b.sliceAxis(x, axis, size - 1, 1)] : [];
  return product(b, rest.length > 0 ? b.concat([paired, ...rest], axis) : paired, axis);
}

/** `whole`: of whole numbers it is one again. A bool counts as 0 or 1. */
function reduction(
  name: string,
  doc: string,
  rule: (b: GraphBuilder, x: Value, options: ReduceOptions) => Value,
  whole = false,
): TensorFunction {
  const dtypeOf = (dtype: DType): DType => (whole && dtype === 'i32' ? dtype : 'f32');
  return {
    kind: 'function',
    name,
    signature: `${name}(x: [...], axis?: int, keep: bool = false) -> [...]`,
    doc: `${doc} Over all axes unless \`axis\` is given; \`keep\` leaves a 1 in its place.`,
    type: (args: TypeArguments): ResultType => {
      const { dtype, shape } = typeOf(args, 'x');
      const result = {
        dtype: dtypeOf(dtype),
        shape: reduced(name, shape, optionalNumber(args, 'axis'), flag(args, 'keep')),
      };
      return name === 'sum' ? { ...result, classes: undefined } : result;
    },
    build: ({ b }, args) => {
      const axis = optionalNumber(args, 'axis');
      const x = tensor(args, 'x');
      return rule(b, b.cast(x, dtypeOf(x.type.dtype)), {
        keep: flag(args, 'keep'),
        ...(axis !== undefined && { axes: [axis] }),
      });
    },
  };
}

/** Positions along an axis: an index below its size. */
function positionType(name: string, args: TypeArguments): ResultType {
  const { shape } = typeOf(args, 'x');
  const axis = axisOf(name, shape.length, number(args, 'axis'));
  return { dtype: 'i32', shape: shape.toSpliced(axis, 1), classes: shape[axis]! };
}

export const reductions: readonly TensorFunction[] = [
  reduction('sum', 'The sum.', (b, x, options) => b.sum(x, options), true),
  reduction('mean', 'The arithmetic mean.', mean),
  reduction('variance', 'The variance, divided by the count.', variance),
  reduction(
    'std',
    'The standard deviation, divided by the count; of equal numbers the gradient is 0.',
    (b, x, options) => rootOf(b, variance(b, x, options)),
  ),
  reduction('logsumexp', 'log of the sum of exp, without overflow.', logSumExp),
  reduction('norm', 'The root of the sum of squares; at 0 the gradient is 0.', (b, x, options) =>
    b.sqrt(b.maximum(b.sum(b.square(x), options), 1e-24)),
  ),
  reduction(
    'max',
    'The greatest element; of ties the first has the gradient.',
    (b, x, options) => b.max(x, options),
    true,
  ),
  reduction(
    'min',
    'The least element; of ties the first has the gradient.',
    (b, x, options) => b.min(x, options),
    true,
  ),
  {
    kind: 'function',
    name: 'prod',
    signature: 'prod(x: [...], axis: int = -1, keep: bool = false) -> [...]',
    doc: 'The product along `axis`, whose size is known before training; `keep` leaves a 1 in its place.',
    example: 'chances |> prod(axis: 1)',
    type: args => {
      const { dtype, shape } = typeOf(args, 'x');
      const type = { dtype: dtype === 'i32' ? dtype : 'f32', classes: undefined } as const;
      return { ...type, shape: reduced('prod', shape, number(args, 'axis'), flag(args, 'keep')) };
    },
    build: ({ b }, args) => {
      const x = tensor(args, 'x');
      const axis = axisOf('prod', x.type.shape.length, number(args, 'axis'));
      const result = product(b, x.type.dtype === 'i32' ? x : b.cast(x, 'f32'), axis);
      return flag(args, 'keep') ? result : b.squeeze(result, [axis]);
    },
  },
  {
    kind: 'function',
    name: 'argmax',
    signature: 'argmax(x: [...], axis: int = -1) -> int[...]',
    doc: 'The position of the first greatest element along `axis`, an index below the size of that axis.',
    type: args => positionType('argmax', args),
    build: ({ b }, args) => b.argmax(tensor(args, 'x'), { axes: [number(args, 'axis')] }),
  },
  {
    kind: 'function',
    name: 'argmin',
    signature: 'argmin(x: [...], axis: int = -1) -> int[...]',
    doc: 'The position of the first least element along `axis`, an index below the size of that axis.',
    type: args => positionType('argmin', args),
    build: ({ b }, args) => b.argmax(b.neg(tensor(args, 'x')), { axes: [number(args, 'axis')] }),
  },
  {
    kind: 'function',
    name: 'l2_normalize',
    signature: 'l2_normalize(x: [...], axis: int = -1) -> [...]',
    doc: "x over the root of its sum of squares along `axis`, held at 1e-12 or above; PyTorch's F.normalize.",
    example: 'einsum("b d, c d -> b c", x |> l2_normalize, y |> l2_normalize)',
    build: ({ b }, args) => {
      const x = tensor(args, 'x');
      const squares = b.sum(b.square(x), { axes: [number(args, 'axis')], keep: true });
      return b.div(x, b.sqrt(b.maximum(squares, 1e-24)));
    },
  },
  {
    kind: 'function',
    name: 'cosine_similarity',
    signature: 'cosine_similarity(x: [..., D], y: [..., D]) -> [...]',
    doc: 'The cosine of the angle between the vectors of the last axis.',
    build: ({ b }, args) => cosineSimilarity(b, tensor(args, 'x'), tensor(args, 'y')),
  },
];
