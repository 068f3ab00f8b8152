/** Splits and orders: seeded, complete, disjoint, in proportion. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createRandom } from '../../../engine/data/random.ts';
import { balancedOrder, epochOrder, samplesByClass } from '../../../engine/data/shuffle.ts';
import { splitSamples } from '../../../engine/data/splits.ts';
import { philox } from '../../../engine/util/philox.ts';

test('every sample is in exactly one part, whatever the sizes', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 3, max: 300 }),
      fc.integer(),
      fc.integer({ min: 1, max: 7 }),
      (samples, seed, classes) => {
        const labels = Int32Array.from({ length: samples }, (_, i) => philox(seed, 0, 0, i) % classes);
        const { train, validation, test: held } = splitSamples(samples, { validation: 1, test: 0.34 }, seed, labels);
        const all = [...train, ...validation, ...held].sort((a, b) => a - b);
        expect(all).toEqual(Array.from({ length: samples }, (_, i) => i));
        expect(validation.length).toBe(1);
        expect(held.length).toBe(Math.round(0.34 * samples));
      },
    ),
  );
});

test('each part has its share of each class, within one sample', () => {
  const labels = Int32Array.from({ length: 1000 }, (_, i) => (i % 10 === 0 ? 2 : i % 4 === 0 ? 1 : 0));
  const shares = [0, 1, 2].map(label => labels.filter(each => each === label).length / 1000);
  const parts = splitSamples(1000, { validation: 0.15, test: 100 }, 9, labels);
  for (const part of [parts.train, parts.validation, parts.test]) {
    for (const [label, share] of shares.entries()) {
      const count = part.filter(sample => labels[sample] === label).length;
      expect(Math.abs(count - share * part.length)).toBeLessThanOrEqual(2);
    }
  }
});

test('a seed gives the same split, another one another', () => {
  const labels = Int32Array.from({ length: 100 }, (_, i) => i % 5);
  const of = (seed: number) => [...splitSamples(100, { validation: 0.2 }, seed, labels).validation];
  expect(of(1)).toEqual(of(1));
  expect(of(1)).not.toEqual(of(2));
});

test('a split over sorted labels is spread over all of them', () => {
  const labels = Int32Array.from({ length: 200 }, (_, i) => Math.floor(i / 20));
  const { validation } = splitSamples(200, { validation: 0.1 }, 3, labels);
  expect([...validation].map(sample => labels[sample])).toEqual(
    Array.from({ length: 20 }, (_, i) => Math.floor(i / 2)),
  );
});

test.each([
  [{ validation: 0.001 }, 100, /at least one sample in the validation split, found 0 \(0.001 of 100\)/],
  [{ test: 0.004 }, 100, /test split, found 0/],
  [{ validation: 60, test: 40 }, 100, /left to train on, found 60 for validation and 40 for testing out of 100/],
  [{ validation: 2.5 }, 100, /found 2.5/],
])('%j of %i samples is refused', (plan, samples, message) => {
  expect(() => splitSamples(samples, plan, 0)).toThrow(
    expect.objectContaining({ code: 'split-empty', message: expect.stringMatching(message) }),
  );
});

test('the order of an epoch is a permutation that depends on seed and epoch alone', () => {
  const samples = Int32Array.from({ length: 50 }, (_, i) => 2 * i);
  const of = (seed: number, epoch: number, shuffle = true) => {
    const order = new Int32Array(50);
    epochOrder(order, samples, seed, epoch, shuffle);
    return [...order];
  };
  expect([...of(1, 0)].sort((a, b) => a - b)).toEqual([...samples]);
  expect(of(1, 3)).toEqual(of(1, 3));
  expect(of(1, 3)).not.toEqual(of(1, 4));
  expect(of(1, 3)).not.toEqual(of(2, 3));
  expect(of(1, 3, false)).toEqual([...samples]);
});

test('shuffles are fair: each item comes first about equally often', () => {
  const counts = new Int32Array(5);
  const samples = Int32Array.of(0, 1, 2, 3, 4);
  const order = new Int32Array(5);
  for (let epoch = 0; epoch < 5000; epoch++) {
    epochOrder(order, samples, 1, epoch, true);
    counts[order[0]!]!++;
  }
  // Five standard deviations of the binomial distribution.
  for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(5 * Math.sqrt(800));
});

test('host numbers are those of philox, in order', () => {
  const random = createRandom(7, 8, 9);
  for (let index = 0; index < 9; index++) expect(random.word()).toBe(philox(7, 8, 9, index));
});

test('a balanced order has all classes equally often, and within a class every sample', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 1, maxLength: 120 }),
      fc.integer(),
      fc.nat(50),
      (labels, seed, epoch) => {
        const order = new Int32Array(labels.length);
        const classes = samplesByClass(labels);
        balancedOrder(order, classes, seed, epoch);
        for (const samples of classes) {
          const times = [...samples].map(sample => order.filter(each => each === sample).length);
          const total = times.reduce((sum, n) => sum + n, 0);
          expect(Math.abs(total - labels.length / classes.length)).toBeLessThan(1);
          expect(Math.max(...times) - Math.min(...times)).toBeLessThanOrEqual(1);
        }
      },
    ),
  );
});

test('a balanced order depends on seed and epoch alone, and reaches all samples of a frequent class in time', () => {
  const labels = Array.from({ length: 60 }, (_, i) => (i < 55 ? 0 : 1));
  const of = (seed: number, epoch: number) => {
    const order = new Int32Array(60);
    balancedOrder(order, samplesByClass(labels), seed, epoch);
    return [...order];
  };
  expect(of(3, 4)).toEqual(of(3, 4));
  expect(of(3, 4)).not.toEqual(of(3, 5));
  expect(of(3, 4)).not.toEqual(of(4, 4));
  const seen = new Set(Array.from({ length: 12 }, (_, epoch) => of(3, epoch)).flat());
  expect(seen.size).toBe(60);
});
