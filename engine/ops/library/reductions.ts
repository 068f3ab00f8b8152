/** Reductions over one axis or all of them. */
import type { Shape, TensorType } from '../../ir/graph.ts';
import type { GraphBuilder, ReduceOptions, Value } from '../builder.ts';
import { axisOf, flag, number, optionalNumber, tensor, typeOf } from './arguments.ts';
import type { TensorFunction, TypeArguments } from './function.ts';
import { mean } from './numerics.ts';

/** `shape` without `axis` (all axes where it is undefined), or with 1 in its place. */
function reduced(op: string, shape: Shape, axis: number | undefined, keep: boolean): Shape {
  const gone = axis === undefined ? [...shape.keys()] : [axisOf(op, shape.length, axis)];
  return shape.flatMap((d, i) => (gone.includes(i) ? (keep ? [1] : []) : [d]));
}

function reduction(
  name: string,
  doc: string,
  rule: (b: GraphBuilder, x: Value, options: ReduceOptions) => Value,
): TensorFunction {
  return {
    kind: 'function',
    name,
    signature: `${name}(x: [...], axis?: int, keep: bool = false) -> [...]`,
    doc: `${doc} Over all axes unless \`axis\` is given; \`keep\` leaves a 1 in its place.`,
    type: (args: TypeArguments): TensorType => {
      const { dtype, shape } = typeOf(args, 'x');
      return { dtype, shape: reduced(name, shape, optionalNumber(args, 'axis'), flag(args, 'keep')) };
    },
    build: ({ b }, args) => {
      const axis = optionalNumber(args, 'axis');
      return rule(b, tensor(args, 'x'), { keep: flag(args, 'keep'), ...(axis !== undefined && { axes: [axis] }) });
    },
  };
}

export const reductions: readonly TensorFunction[] = [
  reduction('sum', 'The sum.', (b, x, options) => b.sum(x, options)),
  reduction('mean', 'The arithmetic mean.', mean),
  reduction('max', 'The greatest element; ties share the gradient.', (b, x, options) => b.max(x, options)),
  reduction('min', 'The least element; ties share the gradient.', (b, x, options) => b.min(x, options)),
  {
    kind: 'function',
    name: 'argmax',
    signature: 'argmax(x: [...], axis: int = -1) -> int[...]',
    doc: 'The position of the first greatest element along `axis`, an index below the size of that axis.',
    type: args => {
      const { shape } = typeOf(args, 'x');
      const axis = axisOf('argmax', shape.length, number(args, 'axis'));
      return { dtype: 'i32', shape: shape.toSpliced(axis, 1), classes: shape[axis]! };
    },
    build: ({ b }, args) => b.argmax(tensor(args, 'x'), { axes: [number(args, 'axis')] }),
  },
];
