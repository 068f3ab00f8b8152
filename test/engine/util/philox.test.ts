import { describe, expect, it } from 'vitest';
import { mulHigh, philox, philoxBlock, philoxUniform } from '../../../engine/util/philox.ts';

/** Lines `philox4x32 10` of Random123's kat_vectors: counter, key, expected. */
const published = [
  ['00000000 00000000 00000000 00000000', '00000000 00000000', '6627e8d5 e169c58d bc57ac4c 9b00dbd8'],
  ['ffffffff ffffffff ffffffff ffffffff', 'ffffffff ffffffff', '408f276d 41c83b0e a20bc7c6 6d5451fd'],
  ['243f6a88 85a308d3 13198a2e 03707344', 'a4093822 299f31d0', 'd16cfe09 94fdcceb 5001e420 24126ea1'],
] as const;

const words = (text: string): number[] => text.split(' ').map(word => Number.parseInt(word, 16));

describe('philox', () => {
  it.each(published)('encrypts the published vector %s', (counter, key, expected) => {
    const block = Uint32Array.from(words(counter));
    const [k0, k1] = words(key) as [number, number];
    philoxBlock(block, k0, k1);
    expect([...block]).toEqual(words(expected));
  });

  it('counts the index through the words of a block, and the step in the second word of the counter', () => {
    const block = Uint32Array.of(3, 11, 0, 0);
    philoxBlock(block, 42, 5);
    expect([12, 13, 14, 15].map(index => philox(42, 5, 11, index))).toEqual([...block]);
  });

  it('takes a negative seed as the u32 of the same bits', () => {
    expect(philox(-1, 0, 0, 0)).toBe(philox(0xffffffff, 0, 0, 0));
  });

  it('multiplies to the high word as big integers do', () => {
    for (let i = 0; i < 200; i++) {
      const [a, b] = [philox(1, 0, 0, i), philox(2, 0, 0, i)];
      expect(mulHigh(a, b)).toBe(Number((BigInt(a) * BigInt(b)) >> 32n));
    }
    expect(mulHigh(0xffffffff, 0xffffffff)).toBe(0xfffffffe);
  });

  it('is uniform in [0, 1) and exact in single precision', () => {
    const draws = Array.from({ length: 4000 }, (_, i) => philoxUniform(3, 1, 2, i));
    const mean = draws.reduce((a, x) => a + x, 0) / draws.length;
    const variance = draws.reduce((a, x) => a + (x - mean) ** 2, 0) / draws.length;
    expect(draws.every(x => x >= 0 && x < 1 && Math.fround(x) === x)).toBe(true);
    // Three standard errors of the mean (0.0046) and of the variance (0.0012).
    expect(Math.abs(mean - 1 / 2)).toBeLessThan(0.014);
    expect(Math.abs(variance - 1 / 12)).toBeLessThan(0.004);
  });
});
