/** What is learnt from the training samples: the numbers themselves, from which samples, in which order, and what there is to say when there are none. */
import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { referenceBackend } from '../../../engine/backend/reference/reference.ts';
import { type LoadDataOptions, loadData } from '../../../engine/data/dataset.ts';
import { workspacePaths } from '../../../engine/data/paths.ts';
import { learn } from '../../../engine/data/statistics.ts';
import { dimVar } from '../../../engine/dim/dim.ts';
import type { DataPlan, Fit, Statistic } from '../../../engine/ir/program.ts';
import type { Value } from '../../../engine/ops/builder.ts';
import { temporaryFolder } from '../../support/files.ts';
import { apply, type TestContext, testContext } from '../../support/macros.ts';

const learnt = (statistic: Statistic, values: readonly number[], groups = 1, width = groups) => {
  const learner = learn(statistic, groups, width);
  // In two parts, as chunks come.
  const cut = width * Math.floor(values.length / width / 2);
  learner.add(Float32Array.from(values.slice(0, cut)));
  learner.add(Float32Array.from(values.slice(cut)));
  const found = learner.finish();
  return typeof found === 'number' ? `nothing in ${found}` : [...found];
};

describe('statistics', () => {
  const gap = Number.NaN;
  const cases: readonly [string, Statistic, readonly number[], number, number, readonly number[] | string][] = [
    ['mean of columns', { kind: 'mean' }, [1, 10, 3, 20], 2, 2, [2, 15]],
    ['mean beside gaps', { kind: 'mean' }, [1, gap, 4, gap], 1, 1, [2.5]],
    ['mean and spread of channels', { kind: 'moments' }, [0, 2, 5, 5, 4, 6, 5, 5], 2, 4, [3, Math.sqrt(5), 5, 0]],
    ['an even median', { kind: 'median' }, [9, 1, gap, 3, 5], 1, 1, [4]],
    ['an odd median', { kind: 'median' }, [-1, -10, 100], 1, 1, [-1]],
    ['quartiles, as numpy', { kind: 'quantiles', count: 4 }, [3, 1, 2, 4, 6], 1, 1, [2, 3, 4]],
    ['the first of two equal modes', { kind: 'mode', classes: 4 }, [2, 1, -1, 1, 2, -1, -1], 1, 1, [1]],
    [
      'weights of classes',
      { kind: 'balance', classes: 4 },
      [0, 0, 0, 2, 3, 3],
      1,
      1,
      [6 / 9, 1, 2, 1].map(Math.fround),
    ],
    ['nothing', { kind: 'mean' }, [1, gap, 2, gap], 2, 2, 'nothing in 1'],
  ];
  it.each(cases)('%s', (_, statistic, values, groups, width, expected) => {
    const found = learnt(statistic, values, groups, width);
    expect(found).toEqual(typeof expected === 'string' ? expected : expected.map(Math.fround));
  });

  it('a spread keeps its digits beside a large mean', () => {
    const values = Array.from({ length: 2000 }, (_, i) => 10_000_000 + (i % 2));
    expect(learnt({ kind: 'moments' }, values)).toEqual([10_000_000.5, 0.5].map(Math.fround));
  });

  it('weights of classes make all classes weigh the same', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 4, maxLength: 60 }), labels => {
        const weights = learnt({ kind: 'balance', classes: 4 }, labels) as number[];
        const sums = [0, 1, 2, 3].map(c => weights[c]! * labels.filter(label => label === c).length);
        const present = sums.filter(sum => sum > 0);
        for (const sum of present) expect(sum).toBeCloseTo(labels.length / present.length, 4);
      }),
    );
  });
});

const B = dimVar('B');

/** A plan over `t.csv` with columns x (f32) and k (index of 3), whose field `y` is what `field` makes of them. */
function tablePlan(
  field: (context: TestContext, x: Value, k: Value) => Value,
  extra: Partial<DataPlan> = {},
): DataPlan {
  const context = testContext();
  const { b } = context;
  const x = b.input('x', { dtype: 'f32', shape: [B] });
  const k = b.input('k', { dtype: 'i32', shape: [B] });
  const y = field(context, x, k);
  const fits = context.fits.map(({ name, values }) => ({ name, value: values }));
  return {
    name: 'Table',
    source: { name: 'csv', args: { path: 't.csv' } },
    split: {},
    batch: 2,
    shuffle: true,
    columns: [
      { name: 'x', dtype: 'f32', shape: [] },
      { name: 'k', dtype: 'i32', shape: [], classes: 3, classNames: ['a', 'b', 'c'] },
    ],
    prepare: b.finish('prepare', [{ name: 'y', value: y }, ...fits]),
    fits: context.fits.map(({ name, statistic }): Fit => ({ name, statistic })),
    ...extra,
  };
}

function load(plan: DataPlan, files: Record<string, string>, more: Partial<LoadDataOptions> = {}) {
  const resolvePath = workspacePaths(temporaryFolder(files));
  return loadData(plan, { resolvePath, seed: 5, backend: referenceBackend(), ...more });
}

const table = (rows: readonly string[]) => ({ 't.csv': `x,k\n${rows.join('\n')}\n` });

test('standardize learns from the training samples alone, over all chunks, and all splits get its numbers', async () => {
  const rows = Array.from({ length: 3000 }, (_, i) => (i * i) % 997);
  const plan = tablePlan((context, x) => apply(context, 'standardize', { x }, 'transform'), {
    split: { validation: 0.3 },
    test: { name: 'csv', args: { path: 'u.csv' } },
  });
  const files = { ...table(rows.map(x => `${x}.5,a`)), 'u.csv': 'x,k\n1000.5,b\n' };
  const { fields, fitted } = await load(plan, files);
  const [mean, std] = fitted.moments!.data;
  expect(fitted.moments!.shape).toEqual([1, 2]);
  const train = [...fields.train.y!];
  expect(train.reduce((sum, y) => sum + y, 0) / 2100).toBeCloseTo(0, 5);
  expect(train.reduce((sum, y) => sum + y * y, 0) / 2100).toBeCloseTo(1, 5);
  const all = [...train, ...fields.validation.y!].map(y => Math.round(y * std! + mean! - 0.5));
  expect(all.sort((p, q) => p - q)).toEqual(rows.sort((p, q) => p - q));
  expect(fields.test.y![0]! * std! + mean!).toBeCloseTo(1000.5, 2);
  expect(mean).not.toBeCloseTo(rows.reduce((sum, x) => sum + x + 0.5, 0) / 3000, 3);
});

test('numbers that are known are used, and nothing is learnt anew', async () => {
  const plan = tablePlan((context, x) => apply(context, 'standardize', { x }, 'transform'));
  const known = { moments: { shape: [1, 2], data: Float32Array.of(10, 2) } };
  const { fields, fitted } = await load(plan, table(['10.0,a', '14.0,b']), { fitted: known });
  expect([...fields.train.y!]).toEqual([0, 2]);
  expect(fitted).toBe(known);
});

test('what is learnt of filled values depends on what they were filled with', async () => {
  const plan = tablePlan((context, x) => {
    const filled = apply(context, 'fill_missing', { x, with: 'median' }, 'transform');
    return apply(context, 'standardize', { x: filled }, 'transform');
  });
  const { fitted, fields } = await load(plan, table(['1.0,a', ',b', '3.0,c', '8.0,a']));
  expect([...fitted.median!.data]).toEqual([3]);
  // 1, 3, 3, 8
  expect(fitted.moments!.data[0]).toBe(3.75);
  expect([...fields.train.y!].every(Number.isFinite)).toBe(true);
});

test('buckets of equal size, edges below, and a class of their own for each', async () => {
  const plan = tablePlan((context, x) => apply(context, 'bucketize', { x, buckets: 4 }, 'transform'), {
    classes: { y: 4 },
  });
  const rows = Array.from({ length: 40 }, (_, i) => `${(i * 17) % 40}.5,a`);
  const { fields } = await load(plan, table(rows));
  const counts = [0, 1, 2, 3].map(bucket => fields.train.y!.filter(y => y === bucket).length);
  expect(counts).toEqual([10, 10, 10, 10]);
});

test('a class that is missing becomes the most frequent one', async () => {
  const plan = tablePlan(
    (context, _, k) => apply(context, 'fill_missing', { x: k, 'x.classes': 3, with: 'mode' }, 'transform'),
    { classes: { y: 3 } },
  );
  const { fields } = await load(plan, table(['1,c', '2,', '3,a', '4,c']));
  expect([...fields.train.y!]).toEqual([2, 2, 0, 2]);
});

test('whole numbers are never missing, negative ones neither', async () => {
  const columns = [{ name: 'x', dtype: 'i32', shape: [] }] as const;
  const context = testContext();
  const x = context.b.input('x', { dtype: 'i32', shape: [B] });
  const y = apply(context, 'fill_missing', { x, with: 7 }, 'transform');
  const prepare = context.b.finish('prepare', [{ name: 'y', value: y }]);
  const { fields } = await load(
    tablePlan((_context, v) => v, { columns, prepare, fits: [] }),
    { 't.csv': 'x\n-1\n-2\n3\n' },
  );
  expect([...fields.train.y!]).toEqual([-1, -2, 3]);
});

const oneHot = (context: TestContext, _: Value, k: Value) => apply(context, 'one_hot', { x: k, C: 3 }, 'transform');
const bucketed = (context: TestContext, x: Value) => apply(context, 'bucketize', { x, edges: [2] }, 'transform');

test.each([
  [
    'a mean of nothing',
    tablePlan((context, x) => apply(context, 'standardize', { x }, 'transform')),
    [',a', ',b', '', ''],
    'data-not-finite',
    /^t\.csv: expected values in "x" to learn a mean from, found none in the training samples; leave the column out/,
  ],
  [
    'a class without a value as a field',
    tablePlan((_context, _x, k) => k, { classes: { y: 3 } }),
    ['1,a', '2,'],
    'data-out-of-range',
    /^t\.csv: expected a class from 0 to 2 in "y", found no value in sample 1; "k" lacks 1 values; fill them in with fill_missing/,
  ],
  [
    'a class without a value behind one_hot',
    tablePlan(oneHot),
    ['1,a', '2,'],
    'data-not-finite',
    /^t\.csv: expected numbers in "y", found NaN in sample 1; "k" lacks 1 values/,
  ],
  [
    'a number that is missing in buckets',
    tablePlan(bucketed, { classes: { y: 2 } }),
    ['1.5,a', ',b'],
    'data-out-of-range',
    /^t\.csv: expected a class from 0 to 1 in "y", found no value in sample 1; "x" lacks 1 values/,
  ],
])('%s', async (_, plan, rows, code, message) => {
  await expect(load(plan, table(rows.filter(row => row !== '')))).rejects.toMatchObject({
    code,
    message: expect.stringMatching(message),
  });
});
