/** From 100,000 points to what a screen can show: least and greatest of each bucket, smoothing, and the merge of two x axes. */
import type { Column } from './column.ts';

/**
 * Indices worth drawing, ascending: of each of `buckets` equal index ranges the least and the greatest finite value, and the first and last point of all.
 * A spike of a single step survives at any zoom. Non-finite values are skipped.
 */
export function extremes(values: Column, buckets: number): number[] {
  const { length } = values;
  if (length <= 2 * buckets) return Array.from({ length }, (_, index) => index);
  const picked: number[] = [0];
  for (let bucket = 0; bucket < buckets; bucket++) {
    const from = Math.floor((bucket * length) / buckets);
    const to = Math.floor(((bucket + 1) * length) / buckets);
    pickBucket(values.values, from, to, picked);
  }
  if (picked[picked.length - 1] !== length - 1) picked.push(length - 1);
  return picked;
}

function pickBucket(values: Float64Array, from: number, to: number, picked: number[]): void {
  let least = -1;
  let greatest = -1;
  for (let index = from; index < to; index++) {
    const value = values[index]!;
    if (!Number.isFinite(value)) continue;
    if (least < 0 || value < values[least]!) least = index;
    if (greatest < 0 || value > values[greatest]!) greatest = index;
  }
  if (least < 0) return;
  for (const index of least < greatest ? [least, greatest] : [greatest, least]) {
    if (picked[picked.length - 1] !== index) picked.push(index);
  }
}

/** State of an exponential mean that has seen `seen` values of a column. */
export interface Smoothing {
  readonly weight: number;
  readonly out: Column;
  /** The mean before the correction. */
  mean: number;
  /** `weight ^ count`, for the correction of the zero start as in Adam. */
  decay: number;
}

export function smoothing(weight: number): Smoothing {
  return { weight, out: { values: new Float64Array(1024), length: 0 }, mean: 0, decay: 1 };
}

/**
 * Weight for `count` points when `wanted` is set: the mean looks back over a tenth of the curve at most, for on a short or
 * thinly sampled curve a long memory is nothing but a delay.
 */
export function effectiveWeight(wanted: number, count: number): number {
  return Math.min(wanted, Math.max(0, 1 - 10 / Math.max(1, count)));
}

/** Extends `state.out` to the length of `values`: only the new ones are visited. A non-finite value keeps the mean where it was. */
export function smooth(state: Smoothing, values: Column): Column {
  const { out, weight } = state;
  if (out.values.length < values.length) {
    const wider = new Float64Array(values.values.length);
    wider.set(out.values.subarray(0, out.length));
    out.values = wider;
  }
  for (let index = out.length; index < values.length; index++) {
    const value = values.values[index]!;
    if (Number.isFinite(value)) {
      state.mean = weight * state.mean + (1 - weight) * value;
      state.decay *= weight;
    }
    out.values[index] = state.decay === 1 ? Number.NaN : state.mean / (1 - state.decay);
  }
  out.length = values.length;
  return out;
}

export interface Points {
  readonly x: readonly number[];
  readonly y: readonly number[];
}

/** A y value for uPlot: null where a series has no point at that x, and for what can't be drawn. */
type Drawn = number | null;

/** Series over their own ascending x, brought to the union of all x. */
export function merge(series: readonly Points[]): { x: number[]; ys: Drawn[][] } {
  const heads = series.map(() => 0);
  const x: number[] = [];
  const ys: Drawn[][] = series.map(() => []);
  for (;;) {
    let next = Number.POSITIVE_INFINITY;
    series.forEach(({ x: own }, index) => {
      next = Math.min(next, own[heads[index]!] ?? Number.POSITIVE_INFINITY);
    });
    if (next === Number.POSITIVE_INFINITY) return { x, ys };
    x.push(next);
    series.forEach((points, index) => {
      ys[index]!.push(takeAt(points, heads, index, next));
    });
  }
}

function takeAt(points: Points, heads: number[], index: number, x: number): Drawn {
  const head = heads[index]!;
  if (points.x[head] !== x) return null;
  heads[index] = head + 1;
  const y = points.y[head]!;
  return Number.isFinite(y) ? y : null;
}
