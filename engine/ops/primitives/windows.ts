/** Sliding windows as views: what convolution and pooling read, and the adjoint. */
import { addDim, mulDim, showShape } from '../../dim/dim.ts';
import type { Shape, TensorType } from '../../ir/graph.ts';
import { addInt, all, compare, divInt, int, modInt, mulInt, subInt } from '../../ir/scalars.ts';
import type { Primitive } from '../primitive.ts';
import { ShapeError } from '../shapeError.ts';
import { expectAxes, expectLength } from './rules.ts';
import { view } from './views.ts';

/** The last `axes.length` axes of the tensor are the offsets within the window; they pair with `axes` in order. */
interface WindowSteps {
  readonly axes: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
}

type WindowAttributes = {
  axes: readonly number[];
  strides: readonly number[];
  dilations: readonly number[];
  counts: Shape;
};
type UnwindowAttributes = {
  axes: readonly number[];
  strides: readonly number[];
  dilations: readonly number[];
  extents: Shape;
};

function checkSteps(op: string, input: Shape, { axes, strides, dilations }: WindowSteps, sizes: Shape): void {
  expectAxes(op, axes, input.slice(0, input.length - axes.length));
  expectLength(op, 'strides', strides, axes);
  expectLength(op, 'dilations', dilations, axes);
  expectLength(op, 'sizes', sizes, axes);
}

/** `input` with `sizes` along the windowed axes. */
function replaced(input: Shape, axes: readonly number[], sizes: Shape): Shape {
  return input.map((d, axis) => (axes.includes(axis) ? sizes[axes.indexOf(axis)]! : d));
}

const f32 = (...shape: number[]): readonly TensorType[] => [{ dtype: 'f32', shape }];

export const window: Primitive<WindowAttributes> = view<WindowAttributes>({
  name: 'window',
  doc: 'Element (o, k) is x at (o * stride + k * dilation, k) for each axis of `axes` and its offset axis, the last ones: the windows of a tensor that is repeated along its offsets.',
  shape: (input, attributes) => {
    const { axes, strides, dilations, counts } = attributes;
    checkSteps('window', input, attributes, counts);
    for (const [n, axis] of axes.entries()) {
      const last = addDim(
        mulDim(addDim(counts[n]!, -1), strides[n]!),
        mulDim(addDim(input[input.length - axes.length + n]!, -1), dilations[n]!),
      );
      const size = input[axis]!;
      if (typeof last !== 'number' || typeof size !== 'number' || last < size) continue;
      const found = `a window that ends at ${last}`;
      throw new ShapeError({
        code: 'shape-mismatch',
        op: 'window',
        expected: `windows within axis ${axis} of ${showShape(input)}`,
        found,
        axis,
      });
    }
    return replaced(input, axes, counts);
  },
  vjp: (b, { inputs: [x], attributes: { axes, strides, dilations } }, g) => [
    b.op('unwindow', [g], { axes, strides, dilations, extents: axes.map(axis => x!.type.shape[axis]!) }),
  ],
  source: (index, { axes, strides, dilations }) => ({
    index: index.map((i, axis) => {
      const n = axes.indexOf(axis);
      if (n < 0) return i;
      const k = index[index.length - axes.length + n]!;
      return addInt(mulInt(i, int(strides[n]!)), mulInt(k, int(dilations[n]!)));
    }),
  }),
  from: (index, { axes, strides, dilations }) =>
    index.map((i, axis) => {
      const n = axes.indexOf(axis);
      return n < 0 ? i : i * strides[n]! + index[index.length - axes.length + n]! * dilations[n]!;
    }),
  samples: [
    { inputs: f32(7, 3), attributes: { axes: [0], strides: [2], dilations: [1], counts: [3] } },
    { inputs: f32(2, 5, 6, 2, 3), attributes: { axes: [1, 2], strides: [1, 1], dilations: [2, 1], counts: [3, 4] } },
  ],
});

export const unwindow: Primitive<UnwindowAttributes> = view<UnwindowAttributes>({
  name: 'unwindow',
  doc: 'Element (h, k) is g at ((h - k * dilation) / stride, k), 0 where that is no window: the adjoint of `window`, to be summed over the offsets.',
  shape: (input, attributes) => {
    checkSteps('unwindow', input, attributes, attributes.extents);
    return replaced(input, attributes.axes, attributes.extents);
  },
  vjp: (b, { inputs: [x], attributes: { axes, strides, dilations } }, g) => [
    b.op('window', [g], { axes, strides, dilations, counts: axes.map(axis => x!.type.shape[axis]!) }),
  ],
  source: (index, { axes, strides, dilations }, input) => {
    const conditions = axes.flatMap((axis, n) => {
      const moved = subInt(index[axis]!, mulInt(index[index.length - axes.length + n]!, int(dilations[n]!)));
      const whole = strides[n] === 1 ? [] : [compare('eq', modInt(moved, strides[n]!), int(0))];
      return [compare('le', int(0), moved), compare('lt', moved, int(input[axis]! * strides[n]!)), ...whole];
    });
    const at = index.map((i, axis) => {
      const n = axes.indexOf(axis);
      if (n < 0) return i;
      return divInt(subInt(i, mulInt(index[index.length - axes.length + n]!, int(dilations[n]!))), strides[n]!);
    });
    const inside = all(conditions);
    return { index: at, ...(inside && { inside }) };
  },
  from: (index, { axes, strides, dilations }, input) => {
    const at = index.map((i, axis) => {
      const n = axes.indexOf(axis);
      return n < 0 ? i : (i - index[index.length - axes.length + n]! * dilations[n]!) / strides[n]!;
    });
    return at.every((i, axis) => Number.isInteger(i) && i >= 0 && i < input[axis]!) ? at : undefined;
  },
  samples: [
    { inputs: f32(3, 3), attributes: { axes: [0], strides: [2], dilations: [1], extents: [7] } },
    { inputs: f32(2, 3, 4, 2, 3), attributes: { axes: [1, 2], strides: [1, 1], dilations: [2, 1], extents: [5, 6] } },
  ],
});
