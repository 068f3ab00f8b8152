/** The Parquet reader: the columns a file says it has, read as tables are, and files that lie about themselves. */
import { brotliCompressSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { type ColumnSource, type ParquetWriteOptions, parquetWriteBuffer } from 'hyparquet-writer';
import { expect, test } from 'vitest';
import { workspacePaths } from '../../../engine/data/paths.ts';
import type { DataSet, SourceColumn } from '../../../engine/data/schema.ts';
import { loadSource, readSchema } from '../../../engine/data/sources.ts';
import { temporaryFolder } from '../../support/files.ts';

const write = (columnData: ColumnSource[], options: Partial<ParquetWriteOptions> = {}): Uint8Array =>
  new Uint8Array(parquetWriteBuffer({ columnData, ...options }));
const args = { path: 't.parquet' };

async function both(bytes: Uint8Array, more: object = {}, expected?: readonly SourceColumn[]) {
  const resolvePath = workspacePaths(temporaryFolder({ 't.parquet': bytes }));
  const source = { name: 'parquet', args: { ...args, ...more } };
  const set: DataSet = await loadSource(source, { resolvePath, ...(expected && { expected }) });
  return { set, schema: await readSchema(source, resolvePath) };
}

const day = (date: string): number => Date.parse(date) / 86_400_000;
const columns: ColumnSource[] = [
  { name: 'size', data: [1.5, null, -20], type: 'DOUBLE' },
  { name: 'count', data: Int32Array.of(1, 2, 3), type: 'INT32', nullable: false },
  { name: 'big', data: [1n, 2n, 2n ** 40n], type: 'INT64' },
  { name: 'some', data: [7, null, 9], type: 'INT32' },
  { name: 'kind', data: ['cat', 'dog', null], type: 'STRING' },
  { name: 'ill', data: [true, false, true], type: 'BOOLEAN' },
  { name: 'when', data: [new Date('2024-12-31'), new Date('1969-12-31T12:00Z'), null], type: 'TIMESTAMP' },
  { name: 'nan', data: Float32Array.of(0.5, Number.NaN, 1), type: 'FLOAT' },
];
const found = [
  { name: 'size', dtype: 'f32', shape: [], missing: 1, data: Float32Array.of(1.5, Number.NaN, -20) },
  { name: 'count', dtype: 'i32', shape: [], data: Int32Array.of(1, 2, 3) },
  { name: 'big', dtype: 'f32', shape: [], data: Float32Array.of(1, 2, 2 ** 40) },
  { name: 'some', dtype: 'f32', shape: [], missing: 1, data: Float32Array.of(7, Number.NaN, 9) },
  {
    name: 'kind',
    dtype: 'i32',
    shape: [],
    classes: 2,
    classNames: ['cat', 'dog'],
    missing: 1,
    data: Int32Array.of(0, 1, -1),
  },
  { name: 'ill', dtype: 'i32', shape: [], classes: 2, classNames: ['false', 'true'], data: Int32Array.of(1, 0, 1) },
  { name: 'when', dtype: 'f32', shape: [], missing: 1, data: Float32Array.of(day('2024-12-31'), -0.5, Number.NaN) },
  { name: 'nan', dtype: 'f32', shape: [], missing: 1, data: Float32Array.of(0.5, Number.NaN, 1) },
];

test('columns have the types of the file, gaps and categories as in a CSV, and the schema says so', async () => {
  const { set, schema } = await both(write(columns));
  expect(set).toEqual({ samples: 3, columns: found });
  expect(schema).toEqual({ samples: 3, columns: found.map(({ data: _, ...column }) => column) });
});

const compressors = {
  GZIP: (bytes: Uint8Array) => gzipSync(bytes),
  BROTLI: (bytes: Uint8Array) => brotliCompressSync(bytes),
};

test.each(['UNCOMPRESSED', 'SNAPPY', 'GZIP', 'BROTLI'] as const)('%s, in row groups and small pages', async codec => {
  const n = 5000;
  const data = Array.from({ length: n }, (_, i) => (i % 7 === 3 ? null : i / 4));
  const texts = Array.from({ length: n }, (_, i) => `k${(i * i) % 11}`);
  const bytes = write(
    [
      { name: 'x', data, type: 'DOUBLE' },
      { name: 'k', data: texts, type: 'STRING' },
    ],
    { codec, compressors, rowGroupSize: 700, pageSize: 512 },
  );
  const { set } = await both(bytes);
  const [x, k] = set.columns;
  expect(x?.missing).toBe(data.filter(v => v === null).length);
  expect(Array.from(x!.data)).toEqual(data.map(v => v ?? Number.NaN));
  expect(Array.from(k!.data, code => k!.classNames?.[code])).toEqual(texts);
});

test('a target gathers the numbers as features, and categories are asked for', async () => {
  const { set } = await both(write(columns.filter(c => ['size', 'count', 'ill'].includes(c.name))), {
    target: 'count',
    categories: 'count',
  });
  expect(set.target).toBe('count');
  expect(set.columns).toMatchObject([
    { name: 'size' },
    { name: 'count', classNames: ['1', '2', '3'] },
    { name: 'ill' },
    { name: 'features', shape: [1] },
  ]);
});

const list = (name: string, element: object) => [
  { name, repetition_type: 'OPTIONAL', num_children: 1, converted_type: 'LIST' } as const,
  { name: 'list', repetition_type: 'REPEATED', num_children: 1 } as const,
  { name: 'element', repetition_type: 'OPTIONAL', ...element } as const,
];
/** A file of one list column beside one of numbers. */
const lists = (data: unknown[], element: object = { type: 'DOUBLE' }): Uint8Array =>
  write(
    [
      { name: 'v', data },
      { name: 'x', data: data.map((_, i) => i) },
    ] as ColumnSource[],
    {
      schema: [
        { name: 'root', num_children: 2 },
        ...list('v', element),
        { name: 'x', type: 'INT32', repetition_type: 'REQUIRED' },
      ],
    },
  );

test('lists of one length are vectors, with gaps as NaN', async () => {
  const { set, schema } = await both(lists([[1, 2, 3], null, [4, 5, 6]]));
  expect(set.columns[0]).toEqual({
    name: 'v',
    dtype: 'f32',
    shape: [3],
    missing: 1,
    data: Float32Array.of(1, 2, 3, Number.NaN, Number.NaN, Number.NaN, 4, 5, 6),
  });
  expect(schema.columns[0]).toEqual({ name: 'v', dtype: 'f32', shape: [3], missing: 1 });
  expect((await both(lists([[1, 2]]))).set.columns[0]).toMatchObject({ dtype: 'f32', shape: [2] });
  const whole = await both(
    lists(
      [
        [1, 2],
        [3, 4],
      ],
      { type: 'INT32' },
    ),
  );
  expect(whole.set.columns[0]).toEqual({ name: 'v', dtype: 'i32', shape: [2], data: Int32Array.of(1, 2, 3, 4) });
});

test('lists of different lengths and of texts are left out; a list that the program does not expect is told', async () => {
  expect((await both(lists([[1, 2], [3]]))).set.columns.map(c => c.name)).toEqual(['x']);
  const texts = await both(lists([['a'], ['b']], { type: 'BYTE_ARRAY', converted_type: 'UTF8' }));
  expect(texts.schema.columns.map(c => c.name)).toEqual(['x']);
  const expected = [{ name: 'v', dtype: 'f32', shape: [2] }] as const;
  await expect(both(lists([[1, 2], [3]]), {}, expected)).rejects.toMatchObject({
    code: 'data-malformed',
    message: 't.parquet, row 2, column "v": expected a list of 2 numbers, found [3] of 1',
  });
});

test('any numbers come back', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.option(fc.float({ noNaN: true, noDefaultInfinity: true })), { minLength: 1 }),
      async data => {
        const { set } = await both(write([{ name: 'x', data, type: 'FLOAT' }]));
        expect(Array.from(set.columns[0]!.data)).toEqual(data.map(v => v ?? Number.NaN));
      },
    ),
    { numRuns: 30 },
  );
});

const sound = write(columns);
const flipped = (at: number, to: number): Uint8Array =>
  sound.map((byte, i) => (i === (at + sound.length) % sound.length ? to : byte));
const structure = write([{ name: 's', data: [{ a: 1 }] }] as ColumnSource[], {
  schema: [
    { name: 'root', num_children: 1 },
    { name: 's', num_children: 2, repetition_type: 'REQUIRED' },
    { name: 'a', type: 'INT32', repetition_type: 'REQUIRED' },
    { name: 'b', type: 'INT32', repetition_type: 'OPTIONAL' },
  ],
});

test.each<[string, Uint8Array, object, string, RegExp]>([
  ['an empty file', new Uint8Array(), {}, 'data-empty', /^t\.parquet: expected data, found an empty file/],
  [
    'another kind of file',
    Buffer.from('hello, world'),
    {},
    'data-malformed',
    /^t\.parquet: expected a Parquet file, found another end/,
  ],
  ['a cut file', sound.subarray(0, -9), {}, 'data-malformed', /found another end; it is cut or of another kind/],
  ['an encrypted file', flipped(-1, 0x45), {}, 'data-malformed', /found an encrypted one/],
  ['a footer longer than the file', flipped(-6, 1), {}, 'data-malformed', /expected at most \d+ bytes of footer/],
  ['a footer of gigabytes', flipped(-5, 0x7f), {}, 'data-malformed', /expected at most \d+ bytes of footer/],
  [
    'pages that are damaged',
    flipped(6, 0xff),
    {},
    'data-malformed',
    /^t\.parquet: expected .*; (write it again|split the file)/,
  ],
  [
    'structures alone',
    structure,
    {},
    'data-malformed',
    /expected columns of numbers, texts or dates, found s of other types/,
  ],
  ['no rows', write([{ name: 'x', data: [], type: 'DOUBLE' }]), {}, 'data-empty', /expected rows, found none/],
  ['a target that is not there', sound, { target: 'y' }, 'data-malformed', /expected a column "y", found size, count/],
  [
    'a gap in the target',
    sound,
    { target: 'kind' },
    'data-not-finite',
    /^t\.parquet, row 3: expected a value for the target "kind"/,
  ],
])('%s is refused by the schema and by loading', async (_, bytes, more, code, message) => {
  const resolvePath = workspacePaths(temporaryFolder({ 't.parquet': bytes }));
  const source = { name: 'parquet', args: { ...args, ...more } };
  const error = { code, message: expect.stringMatching(message) };
  await expect(readSchema(source, resolvePath)).rejects.toMatchObject(error);
  await expect(loadSource(source, { resolvePath })).rejects.toMatchObject(error);
});

test('whatever byte is damaged, it is data or one coded error that names the file', async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(sound.length - 1), fc.nat(255), async (at, to) => {
      const resolvePath = workspacePaths(temporaryFolder({ 't.parquet': flipped(at, to) }));
      const error = await loadSource({ name: 'parquet', args }, { resolvePath }).catch((e: unknown) => e);
      if (error instanceof Error)
        expect(error).toMatchObject({ name: 'EngineError', message: expect.stringMatching(/^t\.parquet/) });
    }),
    { numRuns: 300 },
  );
});
