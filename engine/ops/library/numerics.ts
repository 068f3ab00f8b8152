/** Building blocks that several families share: means over symbolic sizes, stable softmax and logarithms, normal numbers. */
import { type Dim, isConstant, sizeOf } from '../../dim/dim.ts';
import type { GraphBuilder, Operand, ReduceOptions, Value } from '../builder.ts';
import type { BuildContext } from './function.ts';

/** Far below any score or log-probability; finite, so that no difference of two is NaN. */
export const MASKED = -1e30;

/** The product of `dims` as an f32 scalar. Symbolic sizes are counted on the graph, where binding turns the count into a constant. */
export function countOf(b: GraphBuilder, dims: readonly Dim[]): Operand {
  const size = sizeOf(dims);
  return isConstant(size) ? size : b.sum(b.constant(1, { dtype: 'f32', shape: dims }));
}

/** f32 mean over `axes` (all by default): sum / count, as PyTorch. */
export function mean(b: GraphBuilder, x: Value, options: ReduceOptions = {}): Value {
  const { shape } = x.type;
  const reduced = options.axes?.map(a => b.axis(x, a)) ?? [...shape.keys()];
  const total = b.sum(x, options);
  return b.div(
    total,
    countOf(
      b,
      reduced.map(axis => shape[axis]!),
    ),
  );
}

/** The mean of the elements where `where` (bool, of the shape of x) holds, 0 where it never does; of all if it is left out. */
export function meanWhere(b: GraphBuilder, x: Value, where: Value | undefined): Value {
  if (where === undefined) return mean(b, x);
  return b.div(b.sum(b.select(where, x, 0)), b.maximum(b.sum(b.cast(where, 'f32')), 1));
}

/** x minus its greatest along `axis`: exponentials of it can't overflow, and the shift has no gradient of its own. */
function shifted(b: GraphBuilder, x: Value, axis: number): Value {
  return b.sub(x, b.detach(b.max(x, { axes: [axis], keep: true })));
}

/** (x - max) - log sum exp(x - max) along `axis`. */
export function logSoftmax(b: GraphBuilder, x: Value, axis = -1): Value {
  const z = shifted(b, x, axis);
  return b.sub(z, b.log(b.sum(b.exp(z), { axes: [axis], keep: true })));
}

/** log(1 + exp(x)) = m + log(exp(-m) + exp(x - m)) with m = max(x, 0) held fixed: nothing overflows, and the gradient is sigmoid(x) at 0 too. */
export function softplus(b: GraphBuilder, x: Value): Value {
  const m = b.detach(b.maximum(x, 0));
  return b.add(m, b.log(b.add(b.exp(b.neg(m)), b.exp(b.sub(x, m)))));
}

/** True at the position of `index` (i32 [...]) along a new last axis of `size`. */
export function hits(b: GraphBuilder, index: Value, size: Dim): Value {
  const shape = [...index.type.shape, size];
  return b.equal(b.iota(shape, shape.length - 1), b.unsqueeze(index, -1));
}

/** Standard normal numbers of `shape`, by Box and Muller: sqrt(-2 ln(1 - u)) cos(2 pi v). */
export function normal(context: BuildContext, shape: readonly Dim[]): Value {
  const { b } = context;
  const radius = b.sqrt(b.mul(b.log(b.sub(1, context.uniform(shape))), -2));
  return b.mul(radius, b.cos(b.mul(context.uniform(shape), 2 * Math.PI)));
}
