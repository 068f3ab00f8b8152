/** Transforms of data fields, and the random ones of `augment`: what moves, what comes in from outside, what stays the same. */
import { describe, expect, it } from 'vitest';
import { evaluateGraph } from '../../../../engine/backend/reference/evaluateGraph.ts';
import type { DType } from '../../../../engine/ir/graph.ts';
import type { Arguments } from '../../../../engine/ops/library/function.ts';
import { apply, libraryFunction, testContext } from '../../../support/macros.ts';

/** Transforms a batch whose first axis is the samples. */
function transform(
  name: string,
  shape: readonly number[],
  data: readonly number[],
  args: Arguments = {},
  step = 0,
  dtype: DType = 'f32',
) {
  const context = testContext();
  const x = context.b.input('x', { dtype, shape });
  const y = apply(context, name, { x, ...args }, 'transform');
  const scalar = (value: number) => ({ dtype: 'i32' as const, shape: [], data: Float64Array.of(value) });
  const leaves = { x: { dtype, shape, data: Float64Array.from(data) }, seed: scalar(9), step: scalar(step) };
  return [...evaluateGraph(context.b.finish('t', [{ name: 'y', value: y }]), leaves).y!.data];
}

/** A 5x5 image with 1 in the middle, `count` times. */
const dots = (count: number) => Array.from({ length: 25 * count }, (_, i) => (i % 25 === 12 ? 1 : 0));
const near = (values: readonly number[]) => values.map(v => Number(v.toFixed(5)));

describe('deterministic transforms', () => {
  const cases: readonly [string, readonly number[], readonly number[], Arguments, readonly number[]][] = [
    ['scale', [2, 2], [0, 51, 102, 255], { by: 1 / 255 }, [0, 0.2, 0.4, 1]],
    ['standardize', [2, 1], [1, 3], { mean: 1, std: 4 }, [0, 0.5]],
    ['normalize', [2, 3], [1, 2, 3, 7, 7, 7], {}, [0, 0.5, 1, 0, 0, 0]],
    ['flatten', [1, 2, 2], [1, 2, 3, 4], {}, [1, 2, 3, 4]],
    ['reshape', [2, 2], [1, 2, 3, 4], { shape: [1, -1] }, [1, 2, 3, 4]],
  ];
  it.each(cases)('%s', (name, shape, data, args, expected) => {
    expect(near(transform(name, shape, data, args))).toEqual(expected);
  });

  it('convert bytes and labels', () => {
    expect(near(transform('scale', [1, 2], [0, 255], { by: 1 / 255 }, 0, 'u8'))).toEqual([0, 1]);
    expect(transform('one_hot', [2], [2, 0], { C: 3 }, 0, 'i32')).toEqual([0, 0, 1, 1, 0, 0]);
  });
});

describe('shift', () => {
  const positions = (values: readonly number[]) =>
    Array.from({ length: values.length / 25 }, (_, n) => values.slice(25 * n, 25 * n + 25).indexOf(1));

  it('moves each image by whole pixels of its own, up to the limit, and reaches all of them', () => {
    const seen = new Set<number>();
    for (const at of positions(transform('shift', [400, 5, 5], dots(400), { pixels: 1 }))) {
      seen.add(at);
      expect(Math.abs(Math.floor(at / 5) - 2)).toBeLessThanOrEqual(1);
      expect(Math.abs((at % 5) - 2)).toBeLessThanOrEqual(1);
    }
    expect(seen.size).toBe(9);
  });

  it('draws anew every step, and takes a flattened square image for the image it was', () => {
    const first = transform('shift', [8, 25], dots(8), { pixels: 2 }, 0);
    expect(positions(first)).toEqual(positions(transform('shift', [8, 5, 5], dots(8), { pixels: 2 }, 0)));
    expect(first).not.toEqual(transform('shift', [8, 25], dots(8), { pixels: 2 }, 1));
  });

  it('lets 0 in from outside and moves all channels alike', () => {
    const ones = Array.from({ length: 2 * 9 }, () => 1);
    const [a, b] = [0, 9].map(at => transform('shift', [1, 2, 3, 3], ones, { pixels: 2 }, 3).slice(at, at + 9));
    expect(a).toEqual(b);
    expect(new Set(a)).toEqual(new Set([0, 1]));
  });

  it('refuses what is no image', () => {
    const { type } = libraryFunction('shift', 'transform');
    expect(() => type!({ x: { dtype: 'f32', shape: [7] }, pixels: 1 })).toThrow('shift expects an image');
  });
});

describe('rotate', () => {
  it('by 0 degrees changes nothing', () => {
    const image = Array.from({ length: 12 }, (_, i) => i);
    expect(near(transform('rotate', [1, 3, 4], image, { degrees: 0 }))).toEqual(image);
  });

  it('turns about the middle: the centre stays, the mass of the inside stays', () => {
    const turned = transform('rotate', [3, 5, 5], dots(3), { degrees: 180 });
    for (const n of [0, 1, 2]) expect(turned[25 * n + 12]).toBeCloseTo(1, 6);
    const disc = Array.from({ length: 25 }, (_, i) => (Math.hypot(Math.floor(i / 5) - 2, (i % 5) - 2) < 1.1 ? 1 : 0));
    const sum = (values: readonly number[]) => values.reduce((s, v) => s + v, 0);
    expect(sum(transform('rotate', [1, 5, 5], disc, { degrees: 90 }, 5)) / sum(disc)).toBeCloseTo(1, 0);
  });
});

describe('flip and noise', () => {
  it('flip mirrors about half of the images left to right', () => {
    const pairs = transform(
      'flip',
      [200, 1, 2],
      Array.from({ length: 400 }, (_, i) => i % 2),
    );
    const mirrored = pairs.filter((v, i) => i % 2 === 0 && v === 1).length;
    expect(mirrored).toBeGreaterThan(70);
    expect(mirrored).toBeLessThan(130);
  });

  it('noise has the standard deviation asked for', () => {
    const values = transform('noise', [2000, 2], new Array<number>(4000).fill(3), { std: 0.5 });
    const mean = values.reduce((s, v) => s + v, 0) / 4000;
    const variance = values.reduce((s, v) => s + (v - mean) ** 2, 0) / 4000;
    expect(mean).toBeCloseTo(3, 1);
    expect(Math.sqrt(variance)).toBeCloseTo(0.5, 1);
  });
});
