/** Pooling of sequences [B, C, L] and images [B, C, H, W], upsampling, and channels as pixels. */
import { type Dim, floorDivDim, isConstant, mulDim, sizeOf, subDim } from '../../dim/dim.ts';
import type { GraphBuilder, Value } from '../builder.ts';
import { expectDType } from '../primitives/rules.ts';
import { demand, flag, known, knownSizes, number, sizesOf, tensor, typeOf } from './arguments.ts';
import type { TensorFunction } from './function.ts';
import { mean } from './numerics.ts';
import { atLeast, numbersOf, windowedType, windowsFit, windowsOf } from './windows.ts';

/** The least f32: what stands outside the image never is the greatest. */
const LOWEST = -3.4028234663852886e38;

interface Pool {
  readonly kind: 'max' | 'avg';
  readonly doc: string;
  readonly fill: number;
  readonly rule: (b: GraphBuilder, windows: Value, axes: readonly number[]) => Value;
}

const pools: readonly Pool[] = [
  {
    kind: 'max',
    doc: 'The greatest element (of ties the first has the gradient)',
    fill: LOWEST,
    rule: (b, w, axes) => b.max(w, { axes }),
  },
  { kind: 'avg', doc: 'The mean, padding included,', fill: 0, rule: (b, w, axes) => mean(b, w, { axes }) },
];

function pooling({ kind, doc, fill, rule }: Pool, rank: number, spatial: string): TensorFunction {
  const name = `${kind}_pool${rank}d`;
  const results = spatial.split(', ').map(axis => `O${axis}`);
  return {
    kind: 'function',
    name,
    signature: `${name}(x: [B, C, ${spatial}], size: sizes, stride?: sizes, padding: sizes = 0) -> [B, C, ${results.join(', ')}]`,
    doc: `${doc} of each window of \`size\`; the stride is the size unless given, and a rest at the border is left out: (size + 2 padding - window) / stride + 1.`,
    example: `x |> ${name}(2)`,
    type: args => windowedType(name, args, windowsOf(name, args, rank, 'size'), typeOf(args, 'x').shape[1]!),
    requires: args => windowsFit(args, windowsOf(name, args, rank, 'size')),
    build: ({ b }, args) => {
      const { kernel, stride, before } = windowsOf(name, args, rank, 'size');
      const padding = [0, 0, ...numbersOf(before, name)];
      const sizes = numbersOf(kernel, name);
      for (const [i, p] of padding.slice(2).entries())
        demand(2 * p <= sizes[i]!, name, 'a padding of at most half the size', p);
      const padded = b.pad(tensor(args, 'x'), padding, padding, fill);
      const axes = sizes.map((_, i) => 2 + i);
      const windows = b.windows(padded, { axes, sizes, strides: numbersOf(stride, name) });
      return rule(
        b,
        windows,
        sizes.map((_, i) => i - sizes.length),
      );
    },
  };
}

/** The mean along axis `axis` of each of `count` bins, the i-th from floor(i n / count) to ceil((i + 1) n / count). */
function binned(b: GraphBuilder, x: Value, axis: number, count: number, name: string): Value {
  const size = known(name, x.type.shape[axis]!);
  if (size % count === 0) {
    const split = [...x.type.shape.slice(0, axis), count, size / count, ...x.type.shape.slice(axis + 1)];
    return mean(b, b.reshape(x, split), { axes: [axis + 1] });
  }
  const shape = [count, size];
  const [bin, at] = [b.iota(shape, 0), b.iota(shape, 1)];
  const start = b.div(b.mul(bin, size), count);
  const end = b.div(b.add(b.mul(b.add(bin, 1), size), count - 1), count);
  const inside = b.logicalAnd(b.lessEqual(start, at), b.less(at, end));
  const weights = b.select(inside, b.div(1, b.cast(b.sub(end, start), 'f32')), 0);
  const last = x.type.shape.length - 1;
  const order = [...x.type.shape.keys()].map(i => (i === axis ? last : i === last ? axis : i));
  return b.transpose(b.matmul(b.transpose(x, order), weights, { transposeB: true }), order);
}

/** Each element of `axis` repeated `scale` times. */
function repeated(b: GraphBuilder, x: Value, axis: number, scale: number): Value {
  const { shape } = x.type;
  const wide = [...shape.slice(0, axis + 1), scale, ...shape.slice(axis + 1)];
  return b.reshape(b.broadcast(b.unsqueeze(x, axis + 1), wide), shape.with(axis, mulDim(shape[axis]!, scale)));
}

/**
 * Linear interpolation along `axis`: element s q + r of the result lies at q + (r + 1/2) / s - 1/2 of x, whose border is repeated outwards
 * (PyTorch's align_corners = false). For each r the two neighbours and their weights are the same for all q.
 */
function interpolated(b: GraphBuilder, x: Value, axis: number, scale: number): Value {
  const size = x.type.shape[axis]!;
  const edges = [b.sliceAxis(x, axis, 0, 1), x, b.sliceAxis(x, axis, subDim(size, 1), 1)];
  const around = b.concat(edges, axis);
  const phases = Array.from({ length: scale }, (_, r) => {
    const offset = (r + 0.5) / scale - 0.5;
    const below = Math.floor(offset);
    const [left, right] = [0, 1].map(step => b.sliceAxis(around, axis, 1 + below + step, size));
    return b.add(b.mul(left!, 1 - (offset - below)), b.mul(right!, offset - below));
  });
  return b.reshape(b.stack(phases, axis + 1), x.type.shape.with(axis, mulDim(size, scale)));
}

/** The greatest element along axis `axis` of each of the same bins. */
function greatest(b: GraphBuilder, x: Value, axis: number, count: number, name: string): Value {
  const size = known(name, x.type.shape[axis]!);
  const bins = Array.from({ length: count }, (_, i) => {
    const [start, end] = [Math.floor((i * size) / count), Math.ceil(((i + 1) * size) / count)];
    return b.max(b.sliceAxis(x, axis, start, end - start), { axes: [axis], keep: true });
  });
  return bins.length === 1 ? bins[0]! : b.concat(bins, axis);
}

function adaptive(kind: Pool['kind'], what: string, rank: number, spatial: string): TensorFunction {
  const name = `adaptive_${kind}_pool${rank}d`;
  const results = spatial.split(', ').map(axis => `O${axis}`);
  const along = kind === 'avg' ? binned : greatest;
  return {
    kind: 'function',
    name,
    signature: `${name}(x: [B, C, ${spatial}], size: sizes) -> [B, C, ${results.join(', ')}]`,
    doc: `${what} of windows chosen so that \`size\` of them cover each axis: the i-th of n goes from floor(i L / n) to ceil((i + 1) L / n) of its length L.`,
    example: `x |> ${name}(1)`,
    type: args => {
      const x = typeOf(args, 'x');
      expectDType(name, [x], 0, ['f32']);
      const sizes = sizesOf(args, 'size', rank, name);
      atLeast(name, 'a size', 1, sizes);
      return { dtype: 'f32', shape: [...x.shape.slice(0, 2), ...sizes] };
    },
    build: ({ b }, args) =>
      knownSizes(args, 'size', rank, name).reduce((x, count, i) => along(b, x, 2 + i, count, name), tensor(args, 'x')),
  };
}

const adaptives = [
  ['avg', 'Means'],
  ['max', 'The greatest elements'],
] as const;

function globalPool(name: string, doc: string, rule: (b: GraphBuilder, x: Value) => Value): TensorFunction {
  return {
    kind: 'function',
    name,
    signature: `${name}(x: [B, C, ...]) -> [B, C]`,
    doc,
    example: `x |> ${name} |> linear(10)`,
    build: ({ b }, args) => {
      const x = tensor(args, 'x');
      const [batch, channels, ...rest] = x.type.shape as [Dim, Dim, ...Dim[]];
      return rule(b, b.reshape(x, [batch, channels, sizeOf(rest)]));
    },
  };
}

const upsample: TensorFunction = {
  kind: 'function',
  name: 'upsample',
  signature: 'upsample(x: [B, C, H, W], scale: int = 2, bilinear: bool = false) -> [B, C, H * scale, W * scale]',
  doc: 'Images `scale` times as large: each pixel repeated, or with `bilinear` interpolated between the four nearest (corners not aligned).',
  example: 'x |> upsample(2) |> conv2d(16, kernel: 3, padding: "same")',
  build: ({ b }, args) => {
    const scale = number(args, 'scale');
    demand(isConstant(scale) && scale >= 1, 'upsample', 'a scale of at least 1', scale);
    const along = flag(args, 'bilinear') ? interpolated : repeated;
    return along(b, along(b, tensor(args, 'x'), 2, scale), 3, scale);
  },
};

const pixelShuffle: TensorFunction = {
  kind: 'function',
  name: 'pixel_shuffle',
  signature:
    'pixel_shuffle(x: [B, C, H, W], scale: int) -> [B, C / (scale * scale), H * scale, W * scale] where C % (scale * scale) == 0',
  doc: 'Images `scale` times as large, each square of scale * scale pixels made of as many channels of one pixel (Shi et al., 2016).',
  example: 'x |> conv2d(3 * 4, kernel: 3, padding: "same") |> pixel_shuffle(2)',
  build: ({ b }, args) => {
    const [x, scale] = [tensor(args, 'x'), number(args, 'scale')];
    demand(scale >= 1, 'pixel_shuffle', 'a scale of at least 1', scale);
    const [batch, channels, height, width] = x.type.shape as readonly [Dim, Dim, Dim, Dim];
    const kept = floorDivDim(channels, scale * scale);
    const apart = b.transpose(b.reshape(x, [batch, kept, scale, scale, height, width]), [0, 1, 4, 2, 5, 3]);
    return b.reshape(apart, [batch, kept, mulDim(height, scale), mulDim(width, scale)]);
  },
};

const pixelUnshuffle: TensorFunction = {
  kind: 'function',
  name: 'pixel_unshuffle',
  signature:
    'pixel_unshuffle(x: [B, C, H, W], scale: int) -> [B, C * scale * scale, H / scale, W / scale] where H % scale == 0, W % scale == 0',
  doc: 'Undoes pixel_shuffle: each square of scale * scale pixels becomes as many channels of one pixel.',
  example: 'x |> pixel_unshuffle(2)',
  build: ({ b }, args) => {
    const [x, scale] = [tensor(args, 'x'), number(args, 'scale')];
    demand(scale >= 1, 'pixel_unshuffle', 'a scale of at least 1', scale);
    const [batch, channels, ...image] = x.type.shape as readonly [Dim, Dim, Dim, Dim];
    const [height, width] = image.map(d => floorDivDim(d, scale)) as [Dim, Dim];
    const apart = b.reshape(x, [batch, channels, height, scale, width, scale]);
    const together = b.transpose(apart, [0, 1, 3, 5, 2, 4]);
    return b.reshape(together, [batch, mulDim(channels, scale * scale), height, width]);
  },
};

export const poolingFunctions: readonly TensorFunction[] = [
  ...pools.flatMap(pool => [pooling(pool, 1, 'L'), pooling(pool, 2, 'H, W')]),
  ...adaptives.flatMap(([kind, what]) => [adaptive(kind, what, 1, 'L'), adaptive(kind, what, 2, 'H, W')]),
  globalPool('global_avg_pool', 'The mean of each channel.', (b, x) => mean(b, x, { axes: [2] })),
  globalPool('global_max_pool', 'The greatest element of each channel; of ties the first has the gradient.', (b, x) =>
    b.max(x, { axes: [2] }),
  ),
  upsample,
  pixelShuffle,
  pixelUnshuffle,
];
