/** Images of another size: cutting and padding edges, and resampling as two products with matrices of weights. */
import type { Dim } from '../../dim/dim.ts';
import type { Shape } from '../../ir/graph.ts';
import type { GraphBuilder, Value } from '../builder.ts';
import { demand } from './arguments.ts';

/** How a resized pixel is made of those around it. */
export type Resampling = 'bilinear' | 'nearest';

/** Rows and columns of a sample, which are its last two axes, replaced. */
export function resized(sample: Shape, height: Dim, width: Dim): Shape {
  return [...sample.slice(0, -2), height, width];
}

/** First row (column) of the part that is kept: the middle one unless it is given, as torchvision's CenterCrop. */
export function cropStart(what: 'height' | 'width', size: number, kept: number, start: number | undefined): number {
  demand(kept >= 1 && kept <= size, 'crop', `a ${what} from 1 to the image's ${size}`, kept);
  const most = size - kept;
  const found = start ?? roundedHalf(most);
  const from = what === 'height' ? 'top' : 'left';
  demand(found >= 0 && found <= most, 'crop', `a ${from} from 0 to ${most}`, found);
  return found;
}

/** n / 2, ties to even, as Python's round. */
function roundedHalf(n: number): number {
  const below = Math.floor(n / 2);
  return n % 2 === 0 || below % 2 === 0 ? below : below + 1;
}

/** `pixels` of `value` on every side of the last two axes. */
export function padded(b: GraphBuilder, x: Value, pixels: number, value: number): Value {
  const amounts = x.type.shape.map((_, axis) => (axis < x.type.shape.length - 2 ? 0 : pixels));
  return b.pad(x, amounts, amounts, value);
}

/**
 * x [..., H, W] as [..., height, width]. Rows and columns are resampled one after the other, each by a product with a matrix of
 * weights, as pixels' areas see each other (`align_corners=False` of PyTorch).
 */
export function resample(
  b: GraphBuilder,
  x: Value,
  [height, width]: readonly [number, number],
  method: Resampling,
  antialias: boolean,
): Value {
  const [rows, columns] = x.type.shape.slice(-2) as [number, number];
  const weights = (from: number, to: number): Value =>
    method === 'nearest' ? nearestWeights(b, from, to) : linearWeights(b, from, to, antialias);
  const wide = columns === width ? x : b.matmul(x, weights(columns, width), { transposeB: true });
  if (rows === height) return wide;
  return b.transpose(b.matmul(b.transpose(wide), weights(rows, height), { transposeB: true }));
}

/** [to, from]: 1 at floor(i * from / to). */
function nearestWeights(b: GraphBuilder, from: number, to: number): Value {
  const shape = [to, from];
  const source = b.div(b.mul(b.iota(shape, 0), from), to);
  return b.cast(b.equal(source, b.iota(shape, 1)), 'f32');
}

/**
 * [to, from]: the hat max(0, 1 - |j - c| / r) about c = (i + 1/2) from / to - 1/2, each row scaled to the sum 1, which also repeats the
 * edges. The radius r is 1 pixel of the source, or with antialiasing as many as one of the result covers.
 */
function linearWeights(b: GraphBuilder, from: number, to: number, antialias: boolean): Value {
  const shape = [to, from];
  const scale = from / to;
  const centre = b.sub(b.mul(b.add(b.cast(b.iota(shape, 0), 'f32'), 0.5), scale), 0.5);
  const away = b.abs(b.sub(b.cast(b.iota(shape, 1), 'f32'), centre));
  const hat = b.maximum(b.sub(1, b.div(away, antialias ? Math.max(scale, 1) : 1)), 0);
  return b.div(hat, b.sum(hat, { axes: [1], keep: true }));
}
