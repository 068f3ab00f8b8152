/** Transforms of data fields that are no images in particular. */
import { describe, expect, it } from 'vitest';
import type { Arguments } from '../../../../engine/ops/library/function.ts';
import { transformed } from '../../../support/transforms.ts';

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
    expect(near(transformed(name, { shape, data }, args))).toEqual(expected);
  });

  it('convert bytes and labels', () => {
    expect(near(transformed('scale', { shape: [1, 2], data: [0, 255], dtype: 'u8' }, { by: 1 / 255 }))).toEqual([0, 1]);
    expect(transformed('one_hot', { shape: [2], data: [2, 0], dtype: 'i32' }, { C: 3 })).toEqual([0, 0, 1, 1, 0, 0]);
  });
});

describe('noise', () => {
  it('has the standard deviation asked for', () => {
    const values = transformed('noise', { shape: [2000, 2], data: new Array<number>(4000).fill(3) }, { std: 0.5 });
    const mean = values.reduce((s, v) => s + v, 0) / 4000;
    const variance = values.reduce((s, v) => s + (v - mean) ** 2, 0) / 4000;
    expect(mean).toBeCloseTo(3, 1);
    expect(Math.sqrt(variance)).toBeCloseTo(0.5, 1);
  });
});
