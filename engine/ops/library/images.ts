/** Random changes of images: movements by a source position for every target pixel and a gather from the batch laid flat, blanks, light. */
import { type Dim, isConstant, showShape, sizeOf } from '../../dim/dim.ts';
import type { Shape } from '../../ir/graph.ts';
import type { GraphBuilder, Value } from '../builder.ts';
import { ShapeError } from '../shapeError.ts';
import type { BuildContext } from './function.ts';
import { mean } from './numerics.ts';

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

/** A whole number in 0 .. count - 1, equally likely, one draw a sample. */
function drawWhole(context: BuildContext, batch: Dim, count: number): Value {
  const { b } = context;
  // u * count can round up to count.
  return b.minimum(b.cast(b.mul(perSample(context, batch), count), 'i32'), count - 1);
}

/** Whole pixels in -most .. most, equally likely, one draw a sample. */
function drawPixels(context: BuildContext, batch: Dim, most: number): Value {
  return context.b.sub(drawWhole(context, batch, 2 * most + 1), most);
}

/** A factor in [1 - by, 1 + by), one draw a sample. */
function drawFactor(context: BuildContext, batch: Dim, by: number): Value {
  const { b } = context;
  return b.add(b.mul(perSample(context, batch), 2 * by), 1 - by);
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

/** Mirrors half of the images left to right, or top to bottom. */
export function mirrored(context: BuildContext, planes: Planes, vertical: boolean): Value {
  const { b } = context;
  const other = b.flip(planes.x, [vertical ? 2 : 3]);
  return b.select(b.less(perSample(context, planes.batch), 0.5), other, planes.x);
}

/** Sets the square of `size` pixels about a pixel of each image to `value`; the pixel may be any, so that squares may be cut off. */
export function cutOut(context: BuildContext, planes: Planes, size: number, value: number): Value {
  const { b } = context;
  const within = (axis: number, length: number): Value => {
    const first = b.sub(drawWhole(context, planes.batch, length), Math.floor(size / 2));
    const offset = b.sub(along(planes, b, axis), first);
    return b.logicalAnd(b.greaterEqual(offset, 0), b.less(offset, size));
  };
  return b.select(b.logicalAnd(within(2, planes.height), within(3, planes.width)), value, planes.x);
}

/** x times a factor about 1. */
export function lit(context: BuildContext, planes: Planes, by: number): Value {
  return context.b.mul(planes.x, drawFactor(context, planes.batch, by));
}

/** mean + (x - mean) times a factor about 1, with the mean over all of an image. */
export function contrasted(context: BuildContext, planes: Planes, by: number): Value {
  const { b } = context;
  const middle = mean(b, planes.x, { axes: [1, 2, 3], keep: true });
  return b.add(b.mul(b.sub(planes.x, middle), drawFactor(context, planes.batch, by)), middle);
}
