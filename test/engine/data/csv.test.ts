/** The CSV reader: types found in cells, categories, gaps, targets, and errors with line numbers. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { workspacePaths } from '../../../engine/data/paths.ts';
import type { DataSet, SourceColumn } from '../../../engine/data/schema.ts';
import { loadSource, readSchema } from '../../../engine/data/sources.ts';
import { daysOf } from '../../../engine/data/tableColumn.ts';
import { sharedData } from '../../support/data.ts';
import { temporaryFolder } from '../../support/files.ts';

const source = (target?: string) => ({ name: 'csv', args: { path: 't.csv', ...(target !== undefined && { target }) } });

function load(text: string, target?: string, expected?: readonly SourceColumn[]): Promise<DataSet> {
  const resolvePath = workspacePaths(temporaryFolder({ 't.csv': text }));
  return loadSource(source(target), { resolvePath, ...(expected && { expected }) });
}

const table = 'size,weight,"kind, of",count\n1.5,2,cat,1\n,3,"do""g",2\n-2e1,NA,cat,3\n';

test('columns: floats with gaps, whole numbers, categories in alphabetical order', async () => {
  const set = await load(table);
  expect(set.samples).toBe(3);
  expect(set.columns).toEqual([
    { name: 'size', dtype: 'f32', shape: [], missing: 1, data: Float32Array.of(1.5, Number.NaN, -20) },
    { name: 'weight', dtype: 'f32', shape: [], missing: 1, data: Float32Array.of(2, 3, Number.NaN) },
    {
      name: 'kind, of',
      dtype: 'i32',
      shape: [],
      classes: 2,
      classNames: ['cat', 'do"g'],
      data: Int32Array.of(0, 1, 0),
    },
    { name: 'count', dtype: 'i32', shape: [], data: Int32Array.of(1, 2, 3) },
  ]);
});

test('a target gathers the other numbers as features', async () => {
  const { columns, target } = await load('a,b,y,k\n1,2.5,0,u\n3,4.5,1,v\n', 'y');
  expect(target).toBe('y');
  expect(columns.at(-1)).toEqual({ name: 'features', dtype: 'f32', shape: [2], data: Float32Array.of(1, 2.5, 3, 4.5) });
});

test('the schema is that of the loaded columns', async () => {
  const folder = temporaryFolder({ 't.csv': table });
  const { columns } = await load(table);
  expect(await readSchema(source(), workspacePaths(folder))).toEqual({
    samples: 3,
    columns: columns.map(({ data: _, ...c }) => c),
  });
});

test.each([
  ['CRLF', 'a,b\r\n1,x\r\n2,y\r\n'],
  ['a byte order mark', '\uFEFFa,b\n1,x\n2,y\n'],
  ['semicolons', 'a;b\n1;x\n2;y\n'],
  ['tabs', 'a\tb\n1\tx\n2\ty'],
  ['blank lines', 'a,b\n\n1,x\n2,y\n\n'],
])('reads %s', async (_, text) => {
  const { columns } = await load(text);
  expect(columns.map(column => [column.name, ...column.data])).toEqual([
    ['a', 1, 2],
    ['b', 0, 1],
  ]);
});

test('a gap among categories is -1 and counted', async () => {
  const { columns } = await load('sex\nF\nNA\nM\n');
  expect(columns[0]).toMatchObject({ missing: 1, data: Int32Array.of(0, -1, 1) });
});

test('a test table is read with the training categories and types', async () => {
  const expected = [{ name: 'k', dtype: 'i32' as const, shape: [], classes: 3, classNames: ['a', 'b', 'c'] }];
  const { columns } = await load('k\nc\nb\n', undefined, expected);
  expect([...columns[0]!.data]).toEqual([2, 1]);
});

test.each([
  ['1970-01-01', 0],
  ['1970-01-02', 1],
  ['1969-12-31', -1],
  ['2000-02-29', 11016],
  ['2024-01-01T12:00', 19723.5],
  ['2024-01-01 18:00:00Z', 19723.75],
  ['2024-01-01T01:00:00+01:00', 19723],
  ['2024-01-01T00:00:00.5-0030', 19723 + 1800.5 / 86400],
])('a date is days since 1970: %s', (text, days) => expect(daysOf(text)).toBeCloseTo(days, 9));

test.each(['2023-02-29', '2023-13-01', '2023-1-1', '2023-01-01T24:00', '01/02/2023', '2023', ''])(
  '%s is no date',
  text => expect(daysOf(text)).toBeUndefined(),
);

test('any day of the calendar comes out as its number, as JavaScript counts it', () => {
  fc.assert(
    fc.property(fc.integer({ min: -200_000, max: 2_000_000 }), day => {
      expect(daysOf(new Date(day * 86_400_000).toISOString().slice(0, 10))).toBe(day);
      expect(daysOf(new Date(day * 86_400_000 + 21_600_000).toISOString())).toBe(day + 0.25);
    }),
  );
});

test('a column of dates is f32 in days, gaps are NaN, and it joins the features', async () => {
  const { columns } = await load('day,y\n1970-01-03,a\n,b\n1970-01-05,a\n', 'y');
  expect(columns.map(c => [c.name, c.dtype, c.missing ?? 0, ...c.data])).toEqual([
    ['day', 'f32', 1, 2, Number.NaN, 4],
    ['y', 'i32', 0, 0, 1, 0],
    ['features', 'f32', 1, 2, Number.NaN, 4],
  ]);
});

const k3 = { name: 'k', dtype: 'i32' as const, shape: [], classes: 2, classNames: ['a', 'b'] };
const bad: [string, string, string | undefined, SourceColumn[], string, RegExp][] = [
  ['a ragged row', 'a,b\n1,2\n3\n', undefined, [], 'data-malformed', /^t.csv, line 3: expected 2 cells, found 1/],
  [
    'a ragged row after a quoted line break',
    'a,b\n"x\ny",2\n3,4,5\n',
    undefined,
    [],
    'data-malformed',
    /line 4: expected 2 cells, found 3/,
  ],
  ['an open quote', 'a,b\n1,"2\n', undefined, [], 'data-malformed', /expected a closing quote/],
  ['a header alone', 'a,b\n', undefined, [], 'data-empty', /^t.csv: expected rows below the header, found none/],
  ['blanks alone', '\n\n', undefined, [], 'data-empty', /expected a header line/],
  ['no header', '1,2\n3,4\n', undefined, [], 'data-malformed', /line 1: expected a header/],
  [
    'a name twice',
    'a,a\n1,2\n',
    undefined,
    [],
    'data-malformed',
    /line 1: expected different column names, found "a" twice/,
  ],
  ['a column without name', 'a,\n1,2\n', undefined, [], 'data-malformed', /a name for column 2/],
  ['no such target', 'a,b\n1,2\n', 'c', [], 'data-malformed', /expected a column "c", found a, b/],
  ['a target with gaps', 'a,y\n1,2\n3,\n', 'y', [], 'data-not-finite', /line 3: expected a value for the target "y"/],
  [
    'a new category',
    'k\na\nz\n',
    undefined,
    [k3],
    'data-out-of-range',
    /line 3, column "k": expected one of a, b, found "z"/,
  ],
  [
    'text among numbers',
    'k\n1\nz\n',
    undefined,
    [{ name: 'k', dtype: 'f32', shape: [] }],
    'data-malformed',
    /line 3, column "k": expected a number, found "z"/,
  ],
  [
    'a day that no calendar has',
    `day\n${'2024-01-31\n'.repeat(20)}2024-02-30\n`,
    undefined,
    [],
    'data-malformed',
    /line 22, column "day": expected a date such as 2024-12-31, found "2024-02-30" among 20 dates; mend/,
  ],
  [
    'a date among numbers',
    'k\n1\n2024-01-01\n',
    undefined,
    [{ name: 'k', dtype: 'f32', shape: [] }],
    'data-malformed',
    /line 3, column "k": expected a number, found "2024-01-01"/,
  ],
  [
    'a gap among whole numbers',
    'k,j\n1,1\n,1\n',
    undefined,
    [{ name: 'k', dtype: 'i32', shape: [] }],
    'data-malformed',
    /line 3, column "k": expected a whole number, found nothing/,
  ],
  [
    'a column that went away',
    'a\n1\n',
    undefined,
    [k3],
    'data-malformed',
    /^t.csv: expected a column "k" of type i32\[\], found none/,
  ],
];

test.each(bad)('%s', async (_, text, target, expected, code, message) => {
  await expect(load(text, target, expected)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
});

const penguins = sharedData('tabular/penguins.csv');
test.skipIf(penguins === undefined)('penguins: gaps and categories are found', async () => {
  const { columns, samples } = await readSchema({ name: 'csv', args: { path: penguins! } }, path => path);
  expect(samples).toBe(344);
  expect(columns.map(column => [column.name, column.dtype, column.classes ?? 0])).toMatchObject([
    ['species', 'i32', 3],
    ['island', 'i32', 3],
    ['bill_length_mm', 'f32', 0],
    ['bill_depth_mm', 'f32', 0],
    ['flipper_length_mm', 'f32', 0],
    ['body_mass_g', 'f32', 0],
    ['sex', 'i32', 2],
  ]);
});

test('numbers are categories where the program says so, in order of size; a column that is not there is named', async () => {
  const resolvePath = workspacePaths(temporaryFolder({ 't.csv': 'a,y,grade\n0.5,10,1\n1.5,2,3\n2.5,10,1\n' }));
  const args = { path: 't.csv', target: 'y', categories: 'y, grade' };
  const set = await loadSource({ name: 'csv', args }, { resolvePath });
  const y = { name: 'y', dtype: 'i32', shape: [], classes: 2, classNames: ['2', '10'], data: Int32Array.of(1, 0, 1) };
  expect(set.columns.find(column => column.name === 'y')).toEqual(y);
  expect(set.columns.find(column => column.name === 'features')?.shape).toEqual([1]);
  const wrong = { name: 'csv', args: { ...args, categories: 'x' } };
  await expect(loadSource(wrong, { resolvePath })).rejects.toThrow('t.csv: expected a column "x", found a, y, grade');
});

describe('texts', () => {
  const text = 'review,mood\nthe inn is fine,good\n"no, the inn is cold",bad\nfine,good\n';
  const read = (args: object, csv = text, expected?: readonly SourceColumn[]) =>
    loadSource(
      { name: 'csv', args: { path: 't.csv', target: 'mood', texts: 'review', ...args } },
      { resolvePath: workspacePaths(temporaryFolder({ 't.csv': csv })), ...(expected && { expected }) },
    );

  test('are rows of words, most frequent first, padded to the longest; other columns stay as they are', async () => {
    const { columns } = await read({});
    const [review, mood] = columns;
    expect(review).toMatchObject({ name: 'review', dtype: 'i32', shape: [6], classes: 9 });
    const names = ['<padding>', '<unknown>', 'fine', 'inn', 'is', 'the', ',', 'cold', 'no'];
    expect(review!.classNames).toEqual(names);
    const words = [...review!.data].map(token => names[token]);
    expect(words.slice(0, 6)).toEqual(['the', 'inn', 'is', 'fine', '<padding>', '<padding>']);
    expect(words.slice(6, 12)).toEqual(['no', ',', 'the', 'inn', 'is', 'cold']);
    expect(mood).toMatchObject({ classes: 2, classNames: ['bad', 'good'] });
  });

  test('are cut to `length`, and words beyond the vocabulary are unknown', async () => {
    const { columns } = await read({ length: 2, vocabulary: 3 });
    expect(columns[0]).toMatchObject({ shape: [2], classNames: ['<padding>', '<unknown>', 'fine', 'inn'] });
    expect([...columns[0]!.data]).toEqual([1, 3, 1, 1, 2, 0]);
  });

  test('are read with the length and the vocabulary of the training table', async () => {
    const { columns } = await read({});
    const test = await read({}, 'review,mood\nno inn anywhere,bad\n', columns);
    expect([...test.columns[0]!.data]).toEqual([8, 3, 1, 0, 0, 0]);
  });

  test('are characters or byte pairs where the program says so', async () => {
    const { columns } = await read({ tokens: 'characters' }, 'review,mood\nab,x\nb,y\n');
    expect(columns[0]).toMatchObject({ shape: [2], classNames: ['<padding>', 'a', 'b'] });
    expect([...columns[0]!.data]).toEqual([1, 2, 2, 0]);
    expect((await read({ tokens: 'bpe', vocabulary: 20 })).columns[0]!.classNames![0]).toBe('<padding>');
  });

  test.each([
    [{ texts: 'words' }, 't.csv: expected a column "words", found review, mood'],
    [{ tokens: 'letters' }, 'expected "characters", "words" or "bpe" for "tokens" of the source, found "letters"'],
    [{ length: -1 }, 'expected a whole number from 0 to 65536 for "length" of the source, found -1'],
  ])('%j are refused', async (args, message) => {
    await expect(read(args)).rejects.toThrow(message);
  });

  test('an empty text and a strange character are named with their line', async () => {
    await expect(read({}, 'review,mood\nfine,good\n,bad\n')).rejects.toThrow(
      't.csv, line 3, column "review": expected a text, found nothing; mend the text or remove the row',
    );
    const { columns } = await read({ tokens: 'characters' });
    await expect(read({ tokens: 'characters' }, 'review,mood\nfinest!,good\n', columns)).rejects.toThrow(
      't.csv, line 2, column "review": expected one of the characters of the training texts, found "!"; mend the text or remove the row',
    );
  });
});

test('a table longer than what a schema reads may be cut in the middle of a quoted cell', async () => {
  const cell = `"${'several lines\n'.repeat(1000)}"`;
  const rows = Math.ceil(2 ** 24 / cell.length) + 2;
  const folder = temporaryFolder({ 't.csv': `text,y\n${`${cell},1\n"a ""word""",0\n`.repeat(rows)}` });
  const schema = await readSchema(source(), workspacePaths(folder));
  expect(schema).toMatchObject({
    columns: [
      { name: 'text', classes: 2 },
      { name: 'y', dtype: 'i32' },
    ],
  });
  expect(schema.samples).toBeUndefined();
});
