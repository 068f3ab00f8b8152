/** Views: every element of the output is an element of the input, found from the output's index, or a filling. */
import { addDim, mulDim, sameDim, showShape, sizeOf, subDim } from '../../dim/dim.ts';
import type { Attributes, Shape, TensorType } from '../../ir/graph.ts';
import type { Scalar } from '../../ir/scalar.ts';
import { addInt, all, compare, divInt, flatten, int, modInt, mulInt, subInt, unflatten } from '../../ir/scalars.ts';
import type { Lowering, Primitive, Sample } from '../primitive.ts';
import { ShapeError } from '../shapeError.ts';
import { offsetOf, tabulate } from './indexing.ts';
import { define, expectAxes, expectInputs, expectLength } from './rules.ts';

interface View<A extends Attributes> {
  readonly name: string;
  readonly doc: string;
  readonly shape: (input: Shape, attributes: A) => Shape;
  readonly vjp: Primitive<A>['vjp'];
  readonly source: Extract<Lowering<A>, { kind: 'view' }>['source'];
  /** Multi-index into the input, or undefined for the filling. */
  readonly from: (
    index: readonly number[],
    attributes: A,
    input: readonly number[],
    output: readonly number[],
  ) => readonly number[] | undefined;
  readonly fill?: (attributes: A) => number;
  readonly samples: readonly Sample<A>[];
}

/** Declares a view by its shape, its source as scalars and, for the evaluator, as numbers. */
export function view<A extends Attributes>({
  name,
  doc,
  shape,
  vjp,
  source,
  from,
  fill,
  samples,
}: View<A>): Primitive<A> {
  return define<A>({
    name,
    doc,
    type: (inputs, attributes) => {
      expectInputs(name, inputs, 1);
      const [x] = inputs as [TensorType];
      return { dtype: x.dtype, shape: shape(x.shape, attributes) };
    },
    vjp,
    lowering: { kind: 'view', source },
    half: 'carries',
    evaluate: ([x], attributes, output) =>
      tabulate(output.shape, index => {
        const at = from(index, attributes, x!.shape, output.shape);
        return at === undefined ? (fill?.(attributes) ?? 0) : x!.data[offsetOf(at, x!.shape)]!;
      }),
    samples,
  });
}

const f32 = (...shape: number[]): readonly TensorType[] => [{ dtype: 'f32', shape }];

export const broadcast = view<{ shape: Shape }>({
  name: 'broadcast',
  doc: 'Repeats axes of size 1 and adds leading axes, to `shape`, as numpy does.',
  shape: (input, { shape }) => {
    const added = shape.length - input.length;
    const fits = added >= 0 && input.every((d, i) => d === 1 || sameDim(d, shape[added + i]!));
    if (fits) return shape;
    const axis = input.findIndex(
      (d, i) => d !== 1 && (shape[added + i] === undefined || !sameDim(d, shape[added + i]!)),
    );
    throw new ShapeError({
      code: 'shape-mismatch',
      op: 'broadcast',
      expected: `a shape that repeats to ${showShape(shape)}`,
      found: showShape(input),
      axis,
    });
  },
  vjp: (b, { inputs: [x], output }, g) => {
    const { shape } = x!.type;
    const added = output.type.shape.length - shape.length;
    const axes = [...output.type.shape.keys()].filter(
      i => i < added || (shape[i - added] === 1 && output.type.shape[i] !== 1),
    );
    return [b.reshape(b.sum(g, { axes }), shape)];
  },
  source: (index, _, input) => ({
    index: index.slice(index.length - input.length).map((i, axis) => (input[axis] === 1 ? int(0) : i)),
  }),
  from: (index, _, input) => index.slice(index.length - input.length).map((i, axis) => (input[axis] === 1 ? 0 : i)),
  samples: [
    { inputs: f32(4), attributes: { shape: [3, 4] } },
    { inputs: f32(3, 1), attributes: { shape: [2, 3, 4] } },
    { inputs: f32(), attributes: { shape: [2, 3] } },
  ],
});

export const reshape = view<{ shape: Shape }>({
  name: 'reshape',
  doc: 'The same elements in row-major order under another shape.',
  shape: (input, { shape }) => {
    if (sameDim(sizeOf(input), sizeOf(shape))) return shape;
    throw new ShapeError({
      code: 'shape-mismatch',
      op: 'reshape',
      expected: `as many elements as ${showShape(shape)} has`,
      found: showShape(input),
    });
  },
  vjp: (b, { inputs: [x] }, g) => [b.reshape(g, x!.type.shape)],
  source: (index, _, input, output) => ({ index: unflatten(flatten(index, output), input) }),
  from: (index, _, input, output) => {
    let flat = offsetOf(index, output);
    return input
      .toReversed()
      .map(size => {
        const i = flat % size;
        flat = Math.floor(flat / size);
        return i;
      })
      .toReversed();
  },
  samples: [
    { inputs: f32(3, 4), attributes: { shape: [2, 6] } },
    { inputs: f32(2, 1, 6), attributes: { shape: [3, 4, 1] } },
    { inputs: f32(1), attributes: { shape: [] } },
  ],
});

export const transpose = view<{ permutation: readonly number[] }>({
  name: 'transpose',
  doc: 'Permutes the axes: axis i of the result is axis permutation[i] of x.',
  shape: (input, { permutation }) => {
    expectLength('transpose', 'axes', permutation, input);
    expectAxes('transpose', permutation, input);
    return permutation.map(axis => input[axis]!);
  },
  vjp: (b, { attributes: { permutation } }, g) => [
    b.transpose(
      g,
      permutation.map((_, axis) => permutation.indexOf(axis)),
    ),
  ],
  source: (index, { permutation }) => ({ index: permutation.map((_, axis) => index[permutation.indexOf(axis)]!) }),
  from: (index, { permutation }) => permutation.map((_, axis) => index[permutation.indexOf(axis)]!),
  samples: [
    { inputs: f32(3, 4), attributes: { permutation: [1, 0] } },
    { inputs: f32(2, 3, 4), attributes: { permutation: [2, 0, 1] } },
  ],
});

type SliceAttributes = { starts: Shape; sizes: Shape; steps?: readonly number[] };

export const slice = view<SliceAttributes>({
  name: 'slice',
  doc: 'The box of `sizes` elements from `starts`, one entry an axis; with `steps`, every so many elements.',
  shape: (input, { starts, sizes, steps }) => {
    expectLength('slice', 'starts', starts, input);
    expectLength('slice', 'sizes', sizes, input);
    for (const [axis, d] of input.entries()) {
      const start = starts[axis]!;
      const size = sizes[axis]!;
      const last = addDim(start, mulDim(subDim(size, 1), steps?.[axis] ?? 1));
      // Symbolic bounds are requirements of the language; here only what is known to fail is refused.
      const outside = typeof last === 'number' && typeof d === 'number' && (last >= d || size === 0);
      if (!outside && !(typeof start === 'number' && start < 0)) continue;
      const found = `elements ${showShape([start])} to ${showShape([last])}`;
      throw new ShapeError({
        code: 'shape-mismatch',
        op: 'slice',
        expected: `elements within axis ${axis} of ${showShape(input)}`,
        found,
        axis,
      });
    }
    return sizes;
  },
  vjp: (b, { inputs: [x], attributes: { starts, sizes, steps } }, g) => {
    const after = x!.type.shape.map((d, axis) => {
      const covered = addDim(mulDim(subDim(sizes[axis]!, 1), steps?.[axis] ?? 1), 1);
      return subDim(subDim(d, starts[axis]!), covered);
    });
    return [
      b.pad(
        g,
        starts,
        after,
        0,
        steps?.map(s => s - 1),
      ),
    ];
  },
  source: (index, { starts, steps }) => ({
    index: index.map((i, axis) => addInt(mulInt(i, int(steps?.[axis] ?? 1)), int(starts[axis] as number))),
  }),
  from: (index, { starts, steps }) => index.map((i, axis) => i * (steps?.[axis] ?? 1) + (starts[axis] as number)),
  samples: [
    { inputs: f32(5), attributes: { starts: [1], sizes: [3] } },
    { inputs: f32(4, 6), attributes: { starts: [0, 2], sizes: [4, 3] } },
    { inputs: f32(7, 4), attributes: { starts: [1, 0], sizes: [3, 4], steps: [2, 1] } },
  ],
});

type PadAttributes = { before: Shape; after: Shape; value: number; interior?: readonly number[] };

export const pad = view<PadAttributes>({
  name: 'pad',
  doc: 'Adds `before` and `after` elements of `value` along each axis and, with `interior`, that many between neighbours.',
  shape: (input, { before, after, interior }) => {
    expectLength('pad', 'numbers before', before, input);
    expectLength('pad', 'numbers after', after, input);
    return input.map((d, axis) => {
      const spread = addDim(mulDim(subDim(d, 1), (interior?.[axis] ?? 0) + 1), 1);
      return addDim(addDim(before[axis]!, spread), after[axis]!);
    });
  },
  vjp: (b, { inputs: [x], attributes: { before, interior } }, g) => [
    b.slice(
      g,
      before,
      x!.type.shape,
      interior?.map(n => n + 1),
    ),
  ],
  source: (index, { before, after, value, interior }, input) => {
    const inside: Scalar[] = [];
    const at = index.map((i, axis) => {
      const step = (interior?.[axis] ?? 0) + 1;
      const from = before[axis] as number;
      const moved = subInt(i, int(from));
      const extent = (input[axis]! - 1) * step + 1;
      if (from > 0) inside.push(compare('le', int(0), moved));
      if ((after[axis] as number) > 0) inside.push(compare('lt', moved, int(extent)));
      if (step > 1) inside.push(compare('eq', modInt(moved, step), int(0)));
      return divInt(moved, step);
    });
    const condition = all(inside);
    return { index: at, fill: value, ...(condition && { inside: condition }) };
  },
  from: (index, { before, interior }, input) => {
    const at = index.map((i, axis) => (i - (before[axis] as number)) / ((interior?.[axis] ?? 0) + 1));
    return at.every((i, axis) => Number.isInteger(i) && i >= 0 && i < input[axis]!) ? at : undefined;
  },
  fill: ({ value }) => value,
  samples: [
    { inputs: f32(3), attributes: { before: [1], after: [2], value: 0 } },
    { inputs: f32(2, 3), attributes: { before: [0, 2], after: [1, 0], value: -1 } },
    { inputs: f32(3, 2), attributes: { before: [1, 0], after: [0, 1], value: 0, interior: [1, 2] } },
  ],
});

export const flip = view<{ axes: readonly number[] }>({
  name: 'flip',
  doc: 'Reverses the order of elements along `axes`.',
  shape: (input, { axes }) => {
    expectAxes('flip', axes, input);
    return input;
  },
  vjp: (b, { attributes: { axes } }, g) => [b.flip(g, axes)],
  source: (index, { axes }, input) => ({
    index: index.map((i, axis) => (axes.includes(axis) ? subInt(int(input[axis]! - 1), i) : i)),
  }),
  from: (index, { axes }, input) => index.map((i, axis) => (axes.includes(axis) ? input[axis]! - 1 - i : i)),
  samples: [
    { inputs: f32(4), attributes: { axes: [0] } },
    { inputs: f32(3, 2, 2), attributes: { axes: [0, 2] } },
  ],
});
