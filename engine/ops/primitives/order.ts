/** Ops along one axis whose elements depend on each other by position: running sums and sorting, by comparison of all pairs. */
import type { TensorType } from '../../ir/graph.ts';
import type { GraphBuilder, Value } from '../builder.ts';
import { offsetOf, tabulate } from './indexing.ts';
import { define, expectAxes, expectDType, expectInputs, expectRank } from './rules.ts';

type CumsumAttributes = { axis: number; reverse: boolean };

const f32 = (...shape: number[]): readonly TensorType[] => [{ dtype: 'f32', shape }];

/** x with its axis `axis` moved to the end, repeated as rows [..., n, n]: element (i, j) is element j. */
function pairs(b: GraphBuilder, x: Value): Value {
  const { shape } = x.type;
  const size = shape.at(-1)!;
  return b.broadcast(b.unsqueeze(x, -2), [...shape.slice(0, -1), size, size]);
}

function toLast(rank: number, axis: number): number[] {
  return [...Array(rank).keys()].filter(a => a !== axis).concat(axis);
}

/** y_i = Σ_j x_j [j <= i]: a masked reduction, n² additions without a pass that waits for another. */
function expandCumsum(b: GraphBuilder, x: Value, { axis, reverse }: CumsumAttributes): Value {
  const order = toLast(x.type.shape.length, axis);
  const rows = pairs(b, b.transpose(x, order));
  const last = rows.type.shape.length - 1;
  const [i, j] = [b.iota(rows.type.shape, last - 1), b.iota(rows.type.shape, last)];
  const sums = b.sum(b.select(reverse ? b.lessEqual(i, j) : b.lessEqual(j, i), rows, 0), { axes: [last] });
  return b.transpose(
    sums,
    order.map((_, a) => order.indexOf(a)),
  );
}

export const cumsum = define<CumsumAttributes>({
  name: 'cumsum',
  doc: 'Sum of the elements up to each along `axis`, itself included; from each on if `reverse`.',
  type: (inputs, { axis }) => {
    expectInputs('cumsum', inputs, 1);
    expectDType('cumsum', inputs, 0, ['f32', 'i32']);
    expectAxes('cumsum', [axis], inputs[0]!.shape);
    return inputs[0]!;
  },
  vjp: (b, { attributes: { axis, reverse } }, g) => [b.cumsum(g, axis, !reverse)],
  lowering: { kind: 'expand', build: (b, [x], attributes) => expandCumsum(b, x!, attributes) },
  evaluate: ([x], { axis, reverse }, output) =>
    tabulate(output.shape, index => {
      let total = 0;
      const size = output.shape[axis]!;
      for (let j = reverse ? index[axis]! : 0; j < (reverse ? size : index[axis]! + 1); j++) {
        total += x!.data[offsetOf(index.with(axis, j), x!.shape)]!;
      }
      return total;
    }),
  samples: [
    { inputs: f32(6), attributes: { axis: 0, reverse: false } },
    { inputs: f32(3, 4, 2), attributes: { axis: 1, reverse: true } },
    { inputs: [{ dtype: 'i32', shape: [5] }], attributes: { axis: 0, reverse: false } },
  ],
});

type SortAttributes = { descending: boolean };

/**
 * The rank of x_i is the number of elements that come before it (smaller, or equal and earlier); position r of the result holds the i whose
 * rank is r. Two reductions over pairs; for the row lengths of classes and beams, not for millions.
 */
function expandArgsort(b: GraphBuilder, x: Value, { descending }: SortAttributes): Value {
  const others = pairs(b, x);
  const { shape } = others.type;
  const last = shape.length - 1;
  const own = b.transpose(others);
  const [i, j] = [b.iota(shape, last - 1), b.iota(shape, last)];
  const before = descending ? b.greater(others, own) : b.less(others, own);
  const earlier = b.logicalOr(before, b.logicalAnd(b.equal(others, own), b.less(j, i)));
  const rank = b.sum(b.cast(earlier, 'i32'), { axes: [last] });
  // Element (r, i) of the second comparison: is i the one of rank r?
  return b.sum(b.select(b.equal(pairs(b, rank), i), j, 0), { axes: [last] });
}

export const argsort = define<SortAttributes>({
  name: 'argsort',
  doc: 'i32 positions that sort the last axis, ascending or `descending`; equal elements keep their order.',
  type: inputs => {
    expectInputs('argsort', inputs, 1);
    expectDType('argsort', inputs, 0, ['f32', 'i32']);
    expectRank('argsort', inputs, 0, 1);
    return { dtype: 'i32', shape: inputs[0]!.shape };
  },
  vjp: () => [undefined],
  lowering: { kind: 'expand', build: (b, [x], attributes) => expandArgsort(b, x!, attributes) },
  evaluate: ([x], { descending }, output) => {
    const size = output.shape.at(-1)!;
    const order = new Float64Array(x!.data.length);
    for (let row = 0; row < order.length; row += size) {
      const values = x!.data.subarray(row, row + size);
      const positions = [...values.keys()].sort((a, b) =>
        descending ? values[b]! - values[a]! : values[a]! - values[b]!,
      );
      order.set(positions, row);
    }
    return order;
  },
  samples: [
    { inputs: f32(7), attributes: { descending: false }, special: [1, 1, 0, 1] },
    { inputs: f32(3, 5), attributes: { descending: true }, special: [0.5, 2, 2] },
  ],
});
