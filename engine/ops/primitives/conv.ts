/** Convolution over any number of spatial axes, by products over windows (implicit im2col). */
import { addDim, type Dim, floorDivDim, mulDim, sameDim, showShape, sizeOf, subDim } from '../../dim/dim.ts';
import type { Shape, TensorType } from '../../ir/graph.ts';
import type { GraphBuilder, Value } from '../builder.ts';
import type { Primitive } from '../primitive.ts';
import { ShapeError } from '../shapeError.ts';
import { offsetOf, tabulate } from './indexing.ts';
import { define, expectDType, expectInputs, expectLength, expectRank, windowCount } from './rules.ts';

/** One entry a spatial axis. */
export type ConvAttributes = {
  strides: readonly number[];
  dilations: readonly number[];
  before: readonly number[];
  after: readonly number[];
  groups: number;
};

const f32 = (...shape: number[]): TensorType => ({ dtype: 'f32', shape });

function convType(inputs: readonly TensorType[], attributes: ConvAttributes): TensorType {
  const op = 'conv';
  expectInputs(op, inputs, 2);
  for (const input of [0, 1]) {
    expectDType(op, inputs, input, ['f32']);
    expectRank(op, inputs, input, 3);
  }
  const [x, w] = inputs.map(t => t.shape) as [Shape, Shape];
  const { strides, dilations, before, after, groups } = attributes;
  const spatial = x.slice(2);
  for (const [name, list] of Object.entries({ strides, dilations, before, after }))
    expectLength(op, name, list, spatial);
  const found = `${showShape(x)} and ${showShape(w)}`;
  if (w.length !== x.length)
    throw new ShapeError({
      code: 'rank-mismatch',
      op,
      expected: 'a kernel of as many axes as the input',
      found,
      input: 1,
    });
  if (!sameDim(x[1]!, mulDim(w[1]!, groups))) {
    const expected = `${groups} times the kernel's channels`;
    throw new ShapeError({ code: 'shape-mismatch', op, expected, found, axis: 1, input: 0 });
  }
  const sizes = spatial.map((d, i) =>
    windowCount(addDim(d, before[i]! + after[i]!), w[i + 2]!, strides[i]!, dilations[i]!),
  );
  const empty = sizes.findIndex(d => typeof d === 'number' && d < 1);
  if (empty >= 0)
    throw new ShapeError({
      code: 'shape-mismatch',
      op,
      expected: 'a kernel no larger than the padded input',
      found,
      axis: empty + 2,
      input: 0,
    });
  return { dtype: 'f32', shape: [x[0]!, w[0]!, ...sizes] };
}

/** [N, G * C, ...positions] as rows of channels, a matrix a group: [G, N * positions, C]. */
function rowsOf(b: GraphBuilder, x: Value, groups: number, channels: Dim): Value {
  const [batch, , ...positions] = x.type.shape as [Dim, Dim, ...Dim[]];
  const grouped = b.reshape(x, [batch, groups, channels, ...positions]);
  const ordered = b.transpose(grouped, [1, 0, ...positions.map((_, i) => 3 + i), 2]);
  return b.reshape(ordered, [groups, mulDim(batch, sizeOf(positions)), channels]);
}

/** The windows of x, a row a position: [G, N * positions, channels of the group * kernel]. `kernel` is the shape of the weights. */
function windowRows(b: GraphBuilder, x: Value, kernel: Shape, attributes: ConvAttributes): Value {
  const { strides, dilations, before, after, groups } = attributes;
  const [, channels, ...sizes] = kernel as [Dim, Dim, ...Dim[]];
  const axes = sizes.map((_, i) => i + 2);
  const padded = b.pad(x, [0, 0, ...before], [0, 0, ...after]);
  const windows = b.windows(padded, { axes, sizes, strides, dilations });
  const batch = x.type.shape[0]!;
  const positions = windows.type.shape.slice(2, 2 + sizes.length);
  const grouped = b.reshape(windows, [batch, groups, channels, ...positions, ...sizes]);
  const from = (first: number) => sizes.map((_, i) => first + i);
  const ordered = b.transpose(grouped, [1, 0, ...from(3), 2, ...from(3 + sizes.length)]);
  return b.reshape(ordered, [groups, mulDim(batch, sizeOf(positions)), mulDim(channels, sizeOf(sizes))]);
}

/** Weights [G * O, C, ...kernel] as a matrix a group: [G, O, C * kernel]. */
function weightRows(b: GraphBuilder, w: Value, groups: number): Value {
  const [outputs, ...rest] = w.type.shape as [Dim, ...Dim[]];
  return b.reshape(w, [groups, floorDivDim(outputs, groups), sizeOf(rest)]);
}

function expandConv(b: GraphBuilder, x: Value, w: Value, attributes: ConvAttributes): Value {
  const { groups } = attributes;
  const [batch, outputs, ...positions] = convType([x.type, w.type], attributes).shape as [Dim, Dim, ...Dim[]];
  const rows = windowRows(b, x, w.type.shape, attributes);
  const product = b.matmul(rows, weightRows(b, w, groups), { transposeB: true });
  const split = b.reshape(product, [groups, batch, ...positions, floorDivDim(outputs, groups)]);
  // [G, N, positions, O] -> [N, G, O, positions]
  const ordered = b.transpose(split, [1, 0, 2 + positions.length, ...positions.map((_, i) => 2 + i)]);
  return b.reshape(ordered, [batch, outputs, ...positions]);
}

/** `front` and `back`: elements that are added around the spread x; where negative, cut. One entry a spatial axis. */
export interface TransposedConv {
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly front: readonly Dim[];
  readonly back: readonly Dim[];
  readonly groups: number;
}

/**
 * The transposed convolution of x [N, O, ...spatial] with w [O, C, ...kernel]: x, spread by the strides, convolved with the kernel flipped
 * and its channel axes swapped. Gives [N, G * C, ...].
 */
export function convTranspose(b: GraphBuilder, x: Value, w: Value, options: TransposedConv): Value {
  const { strides, dilations, front, back, groups } = options;
  const [outputs, channels, ...sizes] = w.type.shape as [Dim, Dim, ...Dim[]];
  const grouped = b.reshape(w, [groups, floorDivDim(outputs, groups), channels, ...sizes]);
  const swapped = b.transpose(grouped, [0, 2, 1, ...sizes.map((_, i) => 3 + i)]);
  const kernel = b.reshape(swapped, [mulDim(groups, channels), floorDivDim(outputs, groups), ...sizes]);
  const flipped = b.flip(
    kernel,
    sizes.map((_, i) => 2 + i),
  );
  const padded = b.resize(x, [0, 0, ...front], [0, 0, ...back], [0, 0, ...strides.map(s => s - 1)]);
  return b.conv(padded, flipped, { dilations, groups });
}

/** The transposed convolution of g. The padding makes up the size of x: d (K - 1) - before at the front. */
function inputGradient(b: GraphBuilder, x: Value, w: Value, attributes: ConvAttributes, g: Value): Value {
  const { strides, dilations, before, groups } = attributes;
  const sizes = w.type.shape.slice(2);
  const front = sizes.map((k, i) => subDim(mulDim(subDim(k, 1), dilations[i]!), before[i]!));
  const back = sizes.map((_, i) => {
    const spread = addDim(mulDim(subDim(g.type.shape[i + 2]!, 1), strides[i]!), 1);
    return addDim(subDim(x.type.shape[i + 2]!, spread), before[i]!);
  });
  return convTranspose(b, g, w, { strides, dilations, front, back, groups });
}

/** Per group, windows times adjoint: rows are channels and kernel positions. */
function weightGradient(b: GraphBuilder, x: Value, w: Value, attributes: ConvAttributes, g: Value): Value {
  const { groups } = attributes;
  const [outputs, ...rest] = w.type.shape as [Dim, ...Dim[]];
  const rows = windowRows(b, x, w.type.shape, attributes);
  const adjoint = rowsOf(b, g, groups, floorDivDim(outputs, groups));
  const product = b.matmul(rows, adjoint, { transposeA: true });
  return b.reshape(b.transpose(product), [outputs, ...rest]);
}

export const conv: Primitive<ConvAttributes> = define<ConvAttributes>({
  name: 'conv',
  doc: "Cross-correlation of x [N, G * C, ...spatial] with w [O, C, ...kernel] over G groups, padded with zeros `before` and `after`, as PyTorch's conv1d and conv2d.",
  type: convType,
  vjp: (b, { inputs: [x, w], attributes }, g) => [
    inputGradient(b, x!, w!, attributes, g),
    weightGradient(b, x!, w!, attributes, g),
  ],
  half: 'product',
  lowering: { kind: 'expand', build: (b, [x, w], attributes) => expandConv(b, x!, w!, attributes) },
  evaluate: ([x, w], { strides, dilations, before, groups }, output) => {
    const [outputs, channels, ...sizes] = w!.shape as [number, number, ...number[]];
    return tabulate(output.shape, ([n, o, ...position]) => {
      let total = 0;
      const first = Math.floor(o! / (outputs / groups)) * channels;
      tabulate([channels, ...sizes], ([c, ...k]) => {
        const at = position.map((p, i) => p * strides[i]! + k[i]! * dilations[i]! - before[i]!);
        const inside = at.every((i, axis) => i >= 0 && i < x!.shape[axis + 2]!);
        if (inside)
          total += x!.data[offsetOf([n!, first + c!, ...at], x!.shape)]! * w!.data[offsetOf([o!, c!, ...k], w!.shape)]!;
        return 0;
      });
      return total;
    });
  },
  flops: ([, w], _, output) => mulDim(mulDim(2, sizeOf(output.shape)), sizeOf(w!.shape.slice(1))),
  samples: [
    {
      inputs: [f32(2, 3, 7), f32(4, 3, 3)],
      attributes: { strides: [1], dilations: [1], before: [0], after: [0], groups: 1 },
    },
    {
      inputs: [f32(2, 2, 5, 6), f32(3, 2, 3, 3)],
      attributes: { strides: [1, 1], dilations: [1, 1], before: [1, 1], after: [1, 1], groups: 1 },
    },
    {
      inputs: [f32(1, 2, 7, 8), f32(3, 2, 3, 2)],
      attributes: { strides: [2, 3], dilations: [1, 2], before: [1, 0], after: [0, 2], groups: 1 },
    },
    {
      inputs: [f32(2, 4, 5), f32(6, 2, 2)],
      attributes: { strides: [2], dilations: [1], before: [1], after: [1], groups: 2 },
    },
    {
      inputs: [f32(1, 3, 4, 4), f32(3, 1, 2, 2)],
      attributes: { strides: [1, 1], dilations: [1, 1], before: [0, 0], after: [0, 0], groups: 3 },
    },
    {
      inputs: [f32(1, 1, 4), f32(1, 1, 1)],
      attributes: { strides: [1], dilations: [1], before: [2], after: [1], groups: 1 },
    },
  ],
});
