/** Values at mean 0 and variance 1. */
import type { TensorType } from '../../ir/graph.ts';
import type { GraphBuilder, Value } from '../builder.ts';
import { offsetOf, sizeOfShape, tabulate } from './indexing.ts';
import { define, expectAxes, expectDType, expectInputs } from './rules.ts';

/** `centered`: the mean is subtracted; otherwise the variance is the mean of the squares, as in RMS norm. */
type NormalizeAttributes = { axes: readonly number[]; eps: number; centered: boolean };

/**
 * Mean and biased variance over `axes`, kept as 1, and x minus the mean; `mean` takes means. The corrected two-pass algorithm (Chan, Golub and
 * LeVeque, 1983): what the mean lacks by rounding is found together with the sum of squares, so that nothing is lost where it is large.
 */
export function moments(b: GraphBuilder, x: Value, mean: (x: Value) => Value) {
  const rounded = mean(x);
  const shifted = b.sub(x, rounded);
  const rest = mean(shifted);
  const variance = b.sub(mean(b.square(shifted)), b.square(rest));
  return { mean: b.add(rounded, rest), centered: b.sub(shifted, rest), variance };
}

function mean(b: GraphBuilder, x: Value, { axes }: NormalizeAttributes): Value {
  const count = axes.reduce((n, axis) => n * Number(x.type.shape[axis]), 1);
  return b.div(b.sum(x, { axes, keep: true }), count);
}

/** What is scaled, and by how much: 1 / sqrt(variance + eps), one number for all that is normalised together. */
function parts(b: GraphBuilder, x: Value, attributes: NormalizeAttributes): { centered: Value; scale: Value } {
  const take = (value: Value) => mean(b, value, attributes);
  const { centered, variance } = attributes.centered
    ? moments(b, x, take)
    : { centered: x, variance: take(b.square(x)) };
  return { centered, scale: b.div(1, b.sqrt(b.add(variance, attributes.eps))) };
}

const f32 = (...shape: number[]): readonly TensorType[] => [{ dtype: 'f32', shape }];
const eps = 1e-5;

export const normalize = define<NormalizeAttributes>({
  name: 'normalize',
  doc: '(x - mean) / sqrt(variance + eps) over `axes`, or x / sqrt(mean of squares + eps) unless `centered`; the adjoint of x is (g - mean g - y mean(g y)) / sqrt(variance + eps), of which both means take one pass.',
  type: (inputs, { axes }) => {
    expectInputs('normalize', inputs, 1);
    expectDType('normalize', inputs, 0, ['f32']);
    expectAxes('normalize', axes, inputs[0]!.shape);
    return inputs[0]!;
  },
  half: 'pointwise',
  vjp: (b, { inputs: [x], output: y, attributes }, g) => {
    const { scale } = parts(b, x!, attributes);
    const along = b.mul(y, mean(b, b.mul(g, y), attributes));
    const across = attributes.centered ? b.sub(g, mean(b, g, attributes)) : g;
    return [b.mul(b.sub(across, along), scale)];
  },
  lowering: {
    kind: 'expand',
    build: (b, [x], attributes) => {
      const { centered, scale } = parts(b, x!, attributes);
      return b.mul(centered, scale);
    },
  },
  evaluate: ([x], attributes, { shape }) => {
    const { axes, centered } = attributes;
    const kept = shape.map((n, axis) => (axes.includes(axis) ? 1 : n));
    const groupOf = (index: readonly number[]) =>
      offsetOf(
        index.map((i, axis) => (axes.includes(axis) ? 0 : i)),
        kept,
      );
    const count = axes.reduce((n, axis) => n * shape[axis]!, 1);
    const meanOf = (value: (group: number, flat: number) => number): Float64Array => {
      const total = new Float64Array(sizeOfShape(kept));
      tabulate(shape, (index, flat) => {
        const group = groupOf(index);
        total[group]! += value(group, flat);
        return 0;
      });
      return total.map(sum => sum / count);
    };
    const average = centered ? meanOf((_, flat) => x!.data[flat]!) : new Float64Array(sizeOfShape(kept));
    const variance = meanOf((group, flat) => (x!.data[flat]! - average[group]!) ** 2);
    return tabulate(shape, (index, flat) => {
      const group = groupOf(index);
      return (x!.data[flat]! - average[group]!) / Math.sqrt(variance[group]! + attributes.eps);
    });
  },
  samples: [
    { inputs: f32(7), attributes: { axes: [0], eps, centered: true } },
    { inputs: f32(3, 20), attributes: { axes: [1], eps, centered: true } },
    { inputs: f32(3, 20), attributes: { axes: [1], eps, centered: false } },
    { inputs: f32(4, 3, 5), attributes: { axes: [0, 2], eps, centered: true } },
    { inputs: f32(2, 6), attributes: { axes: [1], eps: 0.5, centered: true }, special: [0] },
    {
      inputs: f32(3, 128),
      attributes: { axes: [1], eps: 0, centered: true },
      domain: [[1e4 - 0.02, 1e4 + 0.02]],
      noGradient: 'differences drown in the mean',
    },
  ],
});
