/** Windows by hand, masks by how often and how tokens are hidden, mixtures by their shares. */
import { describe, expect, it } from 'vitest';
import { libraryFunction } from '../../../support/macros.ts';
import { transformAll } from '../../../support/transforms.ts';

describe('windows', () => {
  it('slide over the steps of a sequence, whatever a step is', () => {
    const x = { shape: [1, 5, 2], data: [0, 10, 1, 11, 2, 12, 3, 13, 4, 14] };
    const [y] = transformAll('windows', x, { size: 3, stride: 2 });
    expect(y!.shape).toEqual([1, 2, 3, 2]);
    expect([...y!.data]).toEqual([0, 10, 1, 11, 2, 12, 2, 12, 3, 13, 4, 14]);
  });

  it('of tokens are tokens', () => {
    const [y] = transformAll(
      'windows',
      { shape: [2, 4], data: [1, 2, 3, 4, 5, 6, 7, 8], dtype: 'i32' },
      { size: 2, stride: 2 },
    );
    expect(y!.dtype).toBe('i32');
    expect([...y!.data]).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    const { type } = libraryFunction('windows', 'transform');
    expect(type!({ x: { dtype: 'i32', shape: [9], classes: 7 }, size: 4, stride: 3 })).toEqual({
      dtype: 'i32',
      shape: [2, 4],
      classes: 7,
    });
  });

  it.each([
    [{ size: 6, stride: 1 }, "windows expects a size from 1 to the sequence's 5, found 6"],
    [{ size: 2, stride: 0 }, 'windows expects a stride of at least 1, found 0'],
  ])('%j are refused', (args, message) => {
    expect(() => libraryFunction('windows', 'transform').type!({ x: { dtype: 'f32', shape: [5] }, ...args })).toThrow(
      message,
    );
  });
});

describe('mask', () => {
  const count = 20_000;
  const tokens = Float64Array.from({ length: count }, (_, i) => i % 50);
  const masked = (rate: number, step = 0, symbol = 50) => {
    const x = { shape: [count / 10, 10], data: tokens, dtype: 'i32' } as const;
    const [shown, hidden] = transformAll('mask', x, { V: 50, rate, symbol }, step);
    return { shown: [...shown!.data], hidden: [...hidden!.data] };
  };

  it('hides the share asked for, of which 80% are the mask, 10% any token and 10% as they were', () => {
    const { shown, hidden } = masked(0.2);
    const chosen = hidden.flatMap((h, i) => (h ? [i] : []));
    const share = (n: number, of: number) => n / of;
    expect(share(chosen.length, count)).toBeCloseTo(0.2, 1);
    expect(share(chosen.filter(i => shown[i] === 50).length, chosen.length)).toBeCloseTo(0.8, 1);
    const others = chosen.filter(i => shown[i] !== 50 && shown[i] !== tokens[i]);
    // One in fifty of the random tokens is the one that was there.
    expect(Math.abs(share(others.length, chosen.length) - 0.098)).toBeLessThan(0.02);
    expect(new Set(others.map(i => shown[i])).size).toBe(50);
    for (const [i, h] of hidden.entries()) if (!h) expect(shown[i]).toBe(tokens[i]);
  });

  it('draws anew at every step, and the same again at the same one', () => {
    expect(masked(0.15, 3)).toEqual(masked(0.15, 3));
    expect(masked(0.15, 3).hidden).not.toEqual(masked(0.15, 4).hidden);
  });

  it('shows a symbol of the vocabulary instead, where it is named', () => {
    const { shown, hidden } = masked(1, 0, 7);
    expect(Math.max(...shown)).toBe(49);
    expect(shown.filter(token => token === 7).length / hidden.length).toBeCloseTo(0.8, 1);
    expect(() => masked(0.5, 0, 51)).toThrow('mask expects a symbol from 0 to 50, found 51');
  });

  it('of rate 1 hides all, and a rate beyond is refused', () => {
    expect(masked(1).hidden.every(h => h === 1)).toBe(true);
    expect(() => masked(1.5)).toThrow('mask expects a rate above 0 and at most 1, found 1.5');
  });
});

describe('mixup', () => {
  const count = 4000;
  const x = { shape: [count, 1], data: Array.from({ length: count }, (_, i) => i) };
  const label = {
    shape: [count, 2],
    data: Array.from({ length: 2 * count }, (_, i) => Number((i >> 1) % 2 === i % 2)),
  };
  const shares = (alpha: number) => {
    const [mixed, target] = transformAll('mixup', x, { alpha }, 0, { label });
    return Array.from({ length: count }, (_, i) => {
      const other = count - 1 - i;
      const share = (mixed!.data[i]! - other) / (i - other);
      expect(mixed!.data[i]!).toBeGreaterThanOrEqual(Math.min(i, other) - 1e-3);
      // Sample i is of class i % 2, the other one of the other class.
      expect(target!.data[2 * i + (i % 2)]).toBeCloseTo(share, 3);
      expect(target!.data[2 * i]! + target!.data[2 * i + 1]!).toBeCloseTo(1, 5);
      return share;
    });
  };

  it.each([0.1, 0.4, 1, 3])('mixes samples and labels in shares of Beta(%d, %d)', alpha => {
    const found = shares(alpha);
    const mean = found.reduce((sum, s) => sum + s, 0) / count;
    const moment = (k: number) => found.reduce((sum, s) => sum + (s - mean) ** k, 0) / count;
    const variance = 1 / (4 * (2 * alpha + 1));
    expect(Math.abs(mean - 0.5)).toBeLessThan(5 * Math.sqrt(variance / count));
    expect(Math.abs(moment(2) / variance - 1)).toBeLessThan(0.06);
    // Excess kurtosis of the symmetric beta distribution: -6 / (2 alpha + 3).
    expect(Math.abs(moment(4) / variance ** 2 - (3 - 6 / (2 * alpha + 3)))).toBeLessThan(0.15);
  });
});
