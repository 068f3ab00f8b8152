/** Shares of a whole along one axis. */
import type { TensorType } from '../../ir/graph.ts';
import type { GraphBuilder, Value } from '../builder.ts';
import { offsetOf, tabulate } from './indexing.ts';
import { define, expectAxes, expectDType, expectInputs } from './rules.ts';

type SoftmaxAttributes = { axis: number };

const f32 = (...shape: number[]): readonly TensorType[] => [{ dtype: 'f32', shape }];

/** With the greatest subtracted, no exponential overflows. */
function expandSoftmax(b: GraphBuilder, x: Value, { axis }: SoftmaxAttributes): Value {
  const e = b.exp(b.sub(x, b.max(x, { axes: [axis], keep: true })));
  return b.div(e, b.sum(e, { axes: [axis], keep: true }));
}

export const softmax = define<SoftmaxAttributes>({
  name: 'softmax',
  doc: 'exp(x - max) / Σ exp(x - max) along `axis`; the adjoint of x is y (g - Σ g y), for which the value y is all that must be kept.',
  type: (inputs, { axis }) => {
    expectInputs('softmax', inputs, 1);
    expectDType('softmax', inputs, 0, ['f32']);
    expectAxes('softmax', [axis], inputs[0]!.shape);
    return inputs[0]!;
  },
  vjp: (b, { output: y, attributes: { axis } }, g) => [
    b.mul(y, b.sub(g, b.sum(b.mul(g, y), { axes: [axis], keep: true }))),
  ],
  lowering: { kind: 'expand', build: (b, [x], attributes) => expandSoftmax(b, x!, attributes) },
  evaluate: ([x], { axis }, { shape }) => {
    const along = (index: readonly number[]) =>
      Array.from({ length: shape[axis]! }, (_, i) => x!.data[offsetOf(index.with(axis, i), shape)]!);
    return tabulate(shape, index => {
      const row = along(index);
      const greatest = Math.max(...row);
      const whole = row.reduce((sum, v) => sum + Math.exp(v - greatest), 0);
      return Math.exp(row[index[axis]!]! - greatest) / whole;
    });
  },
  samples: [
    { inputs: f32(5), attributes: { axis: 0 } },
    { inputs: f32(3, 7), attributes: { axis: 1 }, special: [-1e9] },
    { inputs: f32(2, 6, 3), attributes: { axis: 1 } },
  ],
});
