/** From a plan to the fields of each split: transforms run over all samples, and data that can't be trained on is named. */
import { expect, test } from 'vitest';
import { referenceBackend } from '../../../engine/backend/reference/reference.ts';
import { loadData } from '../../../engine/data/dataset.ts';
import { workspacePaths } from '../../../engine/data/paths.ts';
import { dimVar } from '../../../engine/dim/dim.ts';
import type { DataPlan } from '../../../engine/ir/program.ts';
import { GraphBuilder, type Value } from '../../../engine/ops/builder.ts';
import { temporaryFolder } from '../../support/files.ts';
import { moonsProgram } from '../../support/moons.ts';

const B = dimVar('B');

/** A plan over `t.csv` with columns x (f32) and y (index of 2), where `field` makes the field x. */
function csvPlan(field: (b: GraphBuilder, x: Value) => Value, extra: Partial<DataPlan> = {}): DataPlan {
  const b = new GraphBuilder();
  const x = b.input('x', { dtype: 'f32', shape: [B] });
  const y = b.input('y', { dtype: 'i32', shape: [B] });
  return {
    name: 'Table',
    source: { name: 'csv', args: { path: 't.csv', target: 'y' } },
    split: {},
    batch: 2,
    shuffle: true,
    columns: [
      { name: 'x', dtype: 'f32', shape: [] },
      { name: 'y', dtype: 'i32', shape: [], classes: 2, classNames: ['no', 'yes'] },
    ],
    prepare: b.finish('prepare', [
      { name: 'x', value: field(b, x) },
      { name: 'y', value: y },
    ]),
    ...extra,
  };
}

const load = (plan: DataPlan, files: Record<string, string>) =>
  loadData(plan, { resolvePath: workspacePaths(temporaryFolder(files)), seed: 5, backend: referenceBackend() });

test('transforms run over every sample, more than one chunk and a rest', async () => {
  const rows = Array.from({ length: 2500 }, (_, i) => `${i + 0.5},${i % 2 ? 'yes' : 'no'}`);
  const plan = csvPlan((b, x) => b.mul(x, 2), { split: { validation: 0.1 } });
  const { counts, fields } = await load(plan, { 't.csv': `x,y\n${rows.join('\n')}\n` });
  expect(counts).toEqual({ train: 2250, validation: 250, test: 0 });
  const pairs = [fields.train, fields.validation].flatMap(part => [...part.x!].map((x, i) => [x, part.y![i]]));
  expect(pairs.sort((a, b) => a[0]! - b[0]!)).toEqual(rows.map((_, i) => [2 * i + 1, i % 2]));
});

test('a test source of its own is read with the categories of the training source', async () => {
  const plan = csvPlan((_, x) => x, { test: { name: 'csv', args: { path: 'u.csv', target: 'y' } } });
  const { counts, fields } = await load(plan, { 't.csv': 'x,y\n1.5,no\n2,yes\n3,no\n', 'u.csv': 'x,y\n9,yes\n' });
  expect(counts).toEqual({ train: 3, validation: 0, test: 1 });
  expect(fields.test).toEqual({ x: Float32Array.of(9), y: Int32Array.of(1) });
});

test('a column that no field depends on may hold anything', async () => {
  const b = new GraphBuilder();
  b.input('k', { dtype: 'i32', shape: [B] });
  const x = b.input('x', { dtype: 'f32', shape: [B] });
  const k = { name: 'k', dtype: 'i32' as const, shape: [], classes: 2, classNames: ['a', 'b'] };
  const plan = csvPlan((_, x) => x, { prepare: b.finish('prepare', [{ name: 'x', value: x }]) });
  const { fields } = await load(
    { ...plan, columns: [...plan.columns, k] },
    { 't.csv': 'x,k,y\n1,a,no\n2,,yes\n3,b,no\n' },
  );
  expect([...fields.train.x!]).toEqual([1, 2, 3]);
});

test('splits are stratified by what samples are balanced by, where the source has no target', async () => {
  const rows = Array.from({ length: 100 }, (_, i) => `${i}.5,${i % 10 === 0 ? 'yes' : 'no'}`);
  const source = { name: 'csv', args: { path: 't.csv' } };
  const plan = csvPlan((_, x) => x, { source, split: { validation: 0.2 }, balance: 'y' });
  const { fields } = await load(plan, { 't.csv': `x,y\n${rows.join('\n')}\n` });
  expect(fields.validation.y!.filter(y => y === 1).length).toBe(2);
  expect(fields.train.y!.filter(y => y === 1).length).toBe(8);
});

test('splits of a procedural source', async () => {
  const { counts, fields } = await load(moonsProgram().data, {});
  expect(counts).toEqual({ train: 160, validation: 20, test: 20 });
  expect(fields.train.features!.length).toBe(320);
  expect(fields.validation.label!.filter(label => label === 0).length).toBe(10);
});

test.each([
  [
    'a gap without fill_missing',
    'x,y\n1.5,no\n,yes\n',
    'data-not-finite',
    /^t.csv: expected numbers in "x", found NaN in sample 1; "x" lacks 1 values; fill them in with fill_missing/,
  ],
  ['a category without value', 'x,y\n1.5,no\n2,\n', 'data-not-finite', /line 3: expected a value for the target "y"/],
  ['no rows', 'x,y\n', 'data-empty', /t.csv/],
  [
    'an unknown category',
    'x,y\n1,maybe\n',
    'data-out-of-range',
    /line 2, column "y": expected one of no, yes, found "maybe"/,
  ],
])('%s', async (_, text, code, message) => {
  await expect(
    load(
      csvPlan((_b, x) => x),
      { 't.csv': text },
    ),
  ).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
});

test('a transform that leaves the numbers is named by field and sample', async () => {
  const plan = csvPlan((b, x) => b.log(x));
  await expect(load(plan, { 't.csv': 'x,y\n1,no\n0,yes\n' })).rejects.toMatchObject({
    code: 'data-not-finite',
    message: 't.csv: expected numbers in "x", found -Infinity in sample 1; mend the file or leave the sample out',
  });
});
