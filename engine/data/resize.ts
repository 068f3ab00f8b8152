/** Resizing of pixels: bilinear, with the triangle widened where the image shrinks, so that nothing is skipped. */
import type { Pixels } from './imageFile.ts';

/** The pixels of one axis that make up each new pixel, and their shares. */
interface Taps {
  readonly first: Int32Array;
  readonly count: number;
  /** `count` a new pixel. */
  readonly weights: Float64Array;
}

/**
 * `pixels` at another size. The filter is the triangle, centred at (x + 1/2) * scale and widened by the scale where that is above 1, as in Pillow's
 * `BILINEAR` and torchvision's `Resize(antialias=True)`; horizontally first, rounded in between.
 */
export function resized(pixels: Pixels, width: number, height: number): Pixels {
  if (pixels.width === width && pixels.height === height) return pixels;
  const { channels } = pixels;
  const wide = new Uint8Array(width * pixels.height * channels);
  const across = tapsOf(pixels.width, width);
  for (let y = 0; y < pixels.height; y++) {
    const [from, to] = [y * pixels.width * channels, y * width * channels];
    for (let c = 0; c < channels; c++) blend(pixels.data, from + c, wide, to + c, channels, across);
  }
  const data = new Uint8Array(width * height * channels);
  const down = tapsOf(pixels.height, height);
  for (let at = 0; at < width * channels; at++) blend(wide, at, data, at, width * channels, down);
  return { width, height, channels, data };
}

function tapsOf(from: number, to: number): Taps {
  const scale = from / to;
  const reach = Math.max(scale, 1);
  const count = Math.ceil(reach) * 2 + 1;
  const first = new Int32Array(to);
  const weights = new Float64Array(to * count);
  for (let at = 0; at < to; at++) {
    const centre = (at + 0.5) * scale;
    first[at] = Math.max(0, Math.trunc(centre - reach + 0.5));
    const end = Math.min(from, Math.trunc(centre + reach + 0.5));
    let sum = 0;
    for (let i = first[at]!; i < end; i++) {
      const weight = Math.max(0, 1 - Math.abs((i + 0.5 - centre) / reach));
      weights[at * count + i - first[at]!] = weight;
      sum += weight;
    }
    for (let i = 0; i < count; i++) weights[at * count + i]! /= sum;
  }
  return { first, count, weights };
}

/** One line of pixels, `stride` apart in both arrays. */
function blend(
  from: Uint8Array,
  fromStart: number,
  to: Uint8Array,
  toStart: number,
  stride: number,
  { first, count, weights }: Taps,
): void {
  for (let at = 0; at < first.length; at++) {
    let sum = 0.5;
    for (let i = 0; i < count; i++) {
      const weight = weights[at * count + i]!;
      if (weight !== 0) sum += weight * from[fromStart + (first[at]! + i) * stride]!;
    }
    to[toStart + at * stride] = sum;
  }
}
