/** What is drawn of long curves. */
import { describe, expect, it } from 'vitest';
import { column, lowerBound, push } from '../../client/panel/web/column.ts';
import { effectiveWeight, extremes, merge, smooth, smoothing } from '../../client/panel/web/decimate.ts';

function columnOf(values: readonly number[]) {
  const made = column(4);
  for (const value of values) push(made, value);
  return made;
}

describe('columns', () => {
  it('grow without losing anything', () => {
    const values = Array.from({ length: 1000 }, (_, index) => index / 7);
    const made = columnOf(values);
    expect([...made.values.subarray(0, made.length)]).toEqual(values);
  });

  it.each([
    [0, 0],
    [10, 1],
    [11, 2],
    [31, 3],
  ])('the first value of at least %i is at %i', (bound, index) =>
    expect(lowerBound(columnOf([1, 10, 30]), bound)).toBe(index),
  );
});

describe('extremes', () => {
  it('keeps all of a short curve', () => expect(extremes(columnOf([3, 1, 2]), 100)).toEqual([0, 1, 2]));

  it('keeps a spike of one step among 100,000, and the ends', () => {
    const values = new Array<number>(100_000).fill(1);
    values[54_321] = 99;
    const picked = extremes(columnOf(values), 500);
    expect(picked).toContain(54_321);
    expect(picked[0]).toBe(0);
    expect(picked.at(-1)).toBe(99_999);
    expect(picked.length).toBeLessThanOrEqual(1002);
  });

  it('is ascending and passes over what is not finite', () => {
    const values = Array.from({ length: 5000 }, (_, index) => (index % 3 === 0 ? Number.NaN : Math.sin(index)));
    const picked = extremes(columnOf(values), 50).slice(1, -1);
    expect(picked).toEqual([...new Set(picked)].sort((a, b) => a - b));
    expect(picked.every(index => index % 3 !== 0)).toBe(true);
  });
});

describe('smoothing', () => {
  it('begins at the first value and goes on where it stopped', () => {
    const values = columnOf([4, 2]);
    const state = smoothing(0.5);
    smooth(state, values);
    expect([...state.out.values.subarray(0, 2)]).toEqual([4, (0.25 * 4 + 0.5 * 2) / 0.75]);
    push(values, 2);
    smooth(state, values);
    const whole = smooth(smoothing(0.5), values);
    expect(state.out.values.slice(0, 3)).toEqual(whole.values.slice(0, 3));
  });

  it('leaves out what is not finite', () => {
    const out = smooth(smoothing(0.9), columnOf([Number.NaN, 1, Number.NaN, 1]));
    expect(out.values[0]).toBeNaN();
    expect([...out.values.subarray(1, 4)]).toEqual([1, 1, 1].map(value => expect.closeTo(value, 12)));
  });

  it('does not delay a short curve', () => {
    expect(effectiveWeight(0.9, 5)).toBe(0);
    expect(effectiveWeight(0.9, 50)).toBe(0.8);
    expect(effectiveWeight(0.9, 5000)).toBe(0.9);
  });
});

it('curves over different steps share one axis', () => {
  const merged = merge([
    { x: [1, 2, 4], y: [10, 20, Number.NaN] },
    { x: [2, 3], y: [5, 6] },
  ]);
  expect(merged).toEqual({
    x: [1, 2, 3, 4],
    ys: [
      [10, 20, null, null],
      [null, 5, 6, null],
    ],
  });
});
