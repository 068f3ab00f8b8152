/** Random movements of images: a source position for every target pixel, and a gather from the batch laid flat. */
import { type Dim, isConstant, showShape, sizeOf } from '../../dim/dim.ts';
import type { Shape } from '../../ir/graph.ts';
import type { GraphBuilder, Value } from '../builder.ts';
import { ShapeError } from '../shapeError.ts';
import type { BuildContext } from './function.ts';

/** A batch of images as planes: `[B, C, H, W]`, and the shape to give back. */
export interface Planes {
  readonly x: Value;
  readonly batch: Dim;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}

/** Height and width of one sample: [H, W], [C, H, W], or [N] with N a square, which is the image that was flattened. */
export function imageSize(op: string, sample: Shape): { channels: number; height: number; width: number } {
  const sizes = sample.filter(isConstant);
  if (sizes.length === sample.length) {
    const [first = 0, second = 0, third = 0] = sizes;
    if (sizes.length === 2) return { channels: 1, height: first, width: second };
    if (sizes.length === 3) return { channels: first, height: second, width: third };
    const side = Math.round(Math.sqrt(first));
    if (sizes.length === 1 && side * side === first) return { channels: 1, height: side, width: side };
  }
  const expected = 'an image [H, W] or [C, H, W], or a square one flattened';
  throw new ShapeError({ code: 'shape-mismatch', op, expected, found: showShape(sample) });
}

export function planesOf(b: GraphBuilder, op: string, x: Value): Planes {
  const [batch = 1, ...sample] = x.type.shape;
  const { channels, height, width } = imageSize(op, sample);
  return { x: b.reshape(b.cast(x, 'f32'), [batch, channels, height, width]), batch, channels, height, width };
}

/** i32 [B, C, H, W]: positions along one axis of the planes. */
function along({ x }: Planes, b: GraphBuilder, axis: number): Value {
  return b.iota(x.type.shape, axis);
}

/** The pixel at row `y` and column `x` (i32 [B, C, H, W]) of the same plane, 0 outside the image. */
export function pixelAt(b: GraphBuilder, planes: Planes, y: Value, x: Value): Value {
  const { channels, height, width } = planes;
  const plane = b.add(b.mul(along(planes, b, 0), channels), along(planes, b, 1));
  const inside = [b.greaterEqual(y, 0), b.less(y, height), b.greaterEqual(x, 0), b.less(x, width)];
  const flat = b.add(b.mul(b.add(b.mul(plane, height), y), width), x);
  // An index out of range reads as 0.
  const index = b.select(inside.reduce(b.logicalAnd), flat, -1);
  return b.take(b.reshape(planes.x, [sizeOf(planes.x.type.shape)]), index);
}

/** One number in [0, 1) a sample, shaped to broadcast over its pixels. */
function perSample(context: BuildContext, batch: Dim): Value {
  return context.b.reshape(context.uniform([batch]), [batch, 1, 1, 1]);
}

/** Whole pixels in -most .. most, equally likely, one draw a sample. */
function drawPixels(context: BuildContext, batch: Dim, most: number): Value {
  const { b } = context;
  const count = 2 * most + 1;
  // u * count can round up to count.
  const drawn = b.minimum(b.cast(b.mul(perSample(context, batch), count), 'i32'), count - 1);
  return b.sub(drawn, most);
}

/** Moves every image by whole pixels, up to `most` along each axis. */
export function shifted(context: BuildContext, planes: Planes, most: number): Value {
  const { b } = context;
  const y = b.sub(along(planes, b, 2), drawPixels(context, planes.batch, most));
  const x = b.sub(along(planes, b, 3), drawPixels(context, planes.batch, most));
  return pixelAt(b, planes, y, x);
}

/** Turns every image about its middle by an angle in [-degrees, degrees), interpolating between the four nearest pixels. */
export function rotated(context: BuildContext, planes: Planes, degrees: number): Value {
  const { b } = context;
  const limit = (degrees * Math.PI) / 180;
  const angle = b.mul(b.sub(b.mul(perSample(context, planes.batch), 2), 1), limit);
  const [cos, sin] = [b.cos(angle), b.sin(angle)];
  const [middleY, middleX] = [(planes.height - 1) / 2, (planes.width - 1) / 2];
  const dy = b.sub(b.cast(along(planes, b, 2), 'f32'), middleY);
  const dx = b.sub(b.cast(along(planes, b, 3), 'f32'), middleX);
  const y = b.add(b.add(b.mul(sin, dx), b.mul(cos, dy)), middleY);
  const x = b.add(b.sub(b.mul(cos, dx), b.mul(sin, dy)), middleX);
  return interpolated(b, planes, y, x);
}

/** Bilinear: the four pixels around (y, x), weighted by how near they are. */
function interpolated(b: GraphBuilder, planes: Planes, y: Value, x: Value): Value {
  const [top, left] = [b.floor(y), b.floor(x)];
  const [down, right] = [b.sub(y, top), b.sub(x, left)];
  const [row, column] = [b.cast(top, 'i32'), b.cast(left, 'i32')];
  const line = (at: Value): Value => {
    const near = pixelAt(b, planes, at, column);
    const far = pixelAt(b, planes, at, b.add(column, 1));
    return b.add(b.mul(near, b.sub(1, right)), b.mul(far, right));
  };
  return b.add(b.mul(line(row), b.sub(1, down)), b.mul(line(b.add(row, 1)), down));
}

/** Mirrors half of the images left to right. */
export function mirrored(context: BuildContext, planes: Planes): Value {
  const { b } = context;
  return b.select(b.less(perSample(context, planes.batch), 0.5), b.flip(planes.x, [3]), planes.x);
}
