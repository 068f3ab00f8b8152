/** Index arithmetic as scalars: what is constant folds, and positions and indices are inverse to each other. */
import { describe, expect, it } from 'vitest';
import { scalarCompiler } from '../../../engine/backend/reference/compileScalar.ts';
import type { Scalar } from '../../../engine/ir/scalar.ts';
import {
  addInt,
  all,
  axis,
  bool,
  cast,
  divInt,
  flatten,
  float,
  int,
  modInt,
  mulInt,
  subInt,
  unflatten,
} from '../../../engine/ir/scalars.ts';

const i = axis(0);

describe('folding', () => {
  it.each<[string, Scalar, Scalar]>([
    ['2 + 3', addInt(int(2), int(3)), int(5)],
    ['0 + i', addInt(int(0), i), i],
    ['i + 0', addInt(i, int(0)), i],
    ['i - 0', subInt(i, int(0)), i],
    ['2 - 3', subInt(int(2), int(3)), int(-1)],
    ['1 * i', mulInt(int(1), i), i],
    ['i * 0', mulInt(i, int(0)), int(0)],
    ['i / 1', divInt(i, 1), i],
    ['7 / 2', divInt(int(7), 2), int(3)],
    ['i % 1', modInt(i, 1), int(0)],
    ['7 % 4', modInt(int(7), 4), int(3)],
    ['cast to the same type', cast('f32', float(1)), float(1)],
  ])('%s', (_, found, expected) => {
    expect(found).toEqual(expected);
  });

  it('a conjunction of none is none, of one itself', () => {
    expect(all([])).toBeUndefined();
    expect(all([bool(true)])).toEqual(bool(true));
    expect(all([bool(true), bool(false)])).toMatchObject({ op: 'and', type: 'bool' });
  });
});

describe('positions and indices', () => {
  it.each([[[2, 3, 4]], [[5]], [[1, 4, 1]], [[3, 1, 2]], [[]]])('of shape %j', shape => {
    const count = shape.reduce((n, d) => n * d, 1);
    const point = { axes: new Int32Array(1), slots: new Float64Array(0), tick: 0 };
    const index = unflatten(axis(0), shape);
    const compile = scalarCompiler([...index, flatten(index, shape)], point, []);
    const seen = new Set<string>();
    for (let flat = 0; flat < count; flat++) {
      point.axes[0] = flat;
      point.tick++;
      const values = index.map(s => compile(s)());
      expect(values.every((v, d) => v >= 0 && v < shape[d]!)).toBe(true);
      expect(compile(flatten(index, shape))()).toBe(flat);
      seen.add(values.join());
    }
    expect(seen.size).toBe(count);
  });
});
