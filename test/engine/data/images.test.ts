/** The images reader: classes from folders, names and tables, pixels of PNG and JPEG, resizing against PyTorch, and every way a file can be wrong. */
import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { encode as encodePng } from 'fast-png';
import jpeg from 'jpeg-js';
import { expect, test } from 'vitest';
import { readPixels } from '../../../engine/data/imageFile.ts';
import { workspacePaths } from '../../../engine/data/paths.ts';
import { resized } from '../../../engine/data/resize.ts';
import type { DataSet } from '../../../engine/data/schema.ts';
import { loadSource, readSchema } from '../../../engine/data/sources.ts';
import { golden } from '../../goldens/golden.ts';
import { temporaryFolder } from '../../support/files.ts';
import { rounds } from '../../support/fuzz.ts';

type Files = Readonly<Record<string, string | Uint8Array>>;
type Args = Readonly<Record<string, string | number>>;

function png(width: number, height: number, channels: number, data?: ArrayLike<number>): Uint8Array {
  const bytes = Uint8Array.from(data ?? { length: width * height * channels }, (value: unknown, at) =>
    typeof value === 'number' ? value : at % 251,
  );
  return encodePng({ width, height, channels, data: bytes });
}

function jpg(width: number, height: number, shade: number): Uint8Array {
  return jpeg.encode({ width, height, data: new Uint8Array(width * height * 4).fill(shade) }, 95).data;
}

const source = (args: Args) => ({ name: 'images', args: { path: 'photos', ...args } });

function load(files: Files, args: Args = {}): Promise<DataSet> {
  return loadSource(source(args), { resolvePath: workspacePaths(temporaryFolder(files)) });
}

const grey = (...values: number[]) => png(2, 1, 1, values);
const pets = { 'photos/dog/1.png': grey(1, 2), 'photos/cat/b.png': grey(3, 4), 'photos/cat/a.PNG': grey(5, 6) };

test('a folder per class: files and classes in alphabetical order', async () => {
  const set = await load({ ...pets, 'photos/.hidden': 'x', 'photos/cat/notes.txt': 'x' });
  expect(set).toMatchObject({ samples: 3, target: 'label' });
  expect(set.columns).toEqual([
    { name: 'image', dtype: 'u8', shape: [1, 1, 2], data: Uint8Array.of(5, 6, 3, 4, 1, 2) },
    { name: 'label', dtype: 'i32', shape: [], classes: 2, classNames: ['cat', 'dog'], data: Int32Array.of(0, 0, 1) },
  ]);
});

test('the schema is that of the loaded columns', async () => {
  const { columns, samples } = await load(pets);
  const schema = await readSchema(source({}), workspacePaths(temporaryFolder(pets)));
  expect(schema).toEqual({ samples, columns: columns.map(({ data: _, ...column }) => column) });
});

test('names: every part is a column, and numbers are in their own order', async () => {
  const files = { 'photos/10_ann.png': grey(1, 1), 'photos/9_bob.png': grey(2, 2), 'photos/9_ann.png': grey(3, 3) };
  const { columns } = await load(files, { names: '{label}_{who}.png' });
  expect(columns.slice(1).map(({ name, classNames, data }) => [name, classNames, [...data]])).toEqual([
    ['label', ['9', '10'], [1, 0, 0]],
    ['who', ['ann', 'bob'], [0, 0, 1]],
  ]);
});

test('a CSV of paths from its own folder, with other columns', async () => {
  const files = {
    'photos/list.csv': 'file,label,age\na.png,x,3\nsub/b.png,y,4\n',
    'photos/a.png': grey(1, 2),
    'photos/sub/b.png': grey(3, 4),
  };
  const { columns, target } = await load(files, { path: 'photos/list.csv' });
  expect(target).toBe('label');
  expect(columns.map(({ name, data }) => [name, ...data])).toEqual([
    ['image', 1, 2, 3, 4],
    ['label', 0, 1],
    ['age', 3, 4],
  ]);
});

test('a flat folder has images alone', async () => {
  const { columns } = await load({ 'photos/a.png': grey(1, 2) });
  expect(columns.map(({ name }) => name)).toEqual(['image']);
});

test('pixels become planes, transparency is dropped', async () => {
  const { columns } = await load({ 'photos/a.png': png(2, 1, 4, [1, 2, 3, 255, 4, 5, 6, 0]) });
  expect(columns[0]).toMatchObject({ shape: [3, 1, 2], data: Uint8Array.of(1, 4, 2, 5, 3, 6) });
});

test('grey and RGB, PNG and JPEG of any size become what size and channels say', async () => {
  const files = { 'photos/a.png': png(5, 7, 1, new Array(35).fill(200)), 'photos/b.jpg': jpg(16, 9, 100) };
  const { columns } = await load(files, { size: 4, channels: 3 });
  expect(columns[0]?.shape).toEqual([3, 4, 4]);
  expect(columns[0]?.data.subarray(0, 48)).toEqual(new Uint8Array(48).fill(200));
  for (const value of columns[0]!.data.subarray(48)) expect(Math.abs(value - 100)).toBeLessThanOrEqual(2);
  const greys = await load(files, { size: 4, channels: 1 });
  expect(greys.columns[0]?.data.length).toBe(32);
});

test('what a PNG holds comes back: random sizes, channels and depths', async () => {
  const image = fc.record({
    width: fc.integer({ min: 1, max: 9 }),
    height: fc.integer({ min: 1, max: 9 }),
    channels: fc.integer({ min: 1, max: 4 }),
    wide: fc.boolean(),
    seed: fc.integer({ min: 1, max: 65535 }),
  });
  await fc.assert(
    fc.asyncProperty(image, async ({ width, height, channels, wide, seed }) => {
      const values = Array.from({ length: width * height * channels }, (_, at) => ((at + 1) * seed * 7919) % 65536);
      const data = wide ? Uint16Array.from(values) : Uint8Array.from(values, value => value >> 8);
      const folder = temporaryFolder({ 'a.png': encodePng({ width, height, channels, depth: wide ? 16 : 8, data }) });
      const pixels = await readPixels({ name: 'a.png', path: join(folder, 'a.png') });
      const kept = channels < 3 ? 1 : 3;
      expect(pixels).toMatchObject({ width, height, channels: kept });
      expect([...pixels.data]).toEqual(values.filter((_, at) => at % channels < kept).map(value => value >> 8));
    }),
    rounds(60),
  );
});

test('resizing is that of PyTorch with antialiasing, to the byte but for rounding', () => {
  const cases = golden<Record<string, { size: number[]; result: number[] }>>('resize');
  const data = Uint8Array.from({ length: 35 }, (_, at) => (at * 37) % 256);
  for (const { size, result } of Object.values(cases)) {
    const out = resized({ width: 7, height: 5, channels: 1, data }, size[1]!, size[0]!);
    expect(out.data.length).toBe(result.length);
    const off = result.map((value, at) => Math.abs(value - out.data[at]!));
    expect(Math.max(...off)).toBeLessThanOrEqual(1);
  }
});

test('an image of one shade keeps it at any size', () => {
  const size = fc.integer({ min: 1, max: 40 });
  fc.assert(
    fc.property(size, size, size, size, fc.nat(255), (width, height, w, h, shade) => {
      const out = resized({ width, height, channels: 1, data: new Uint8Array(width * height).fill(shade) }, w, h);
      expect([...new Set(out.data)]).toEqual([shade]);
    }),
  );
});

test('a test folder is read with the classes of the training folder', async () => {
  const expected = [
    { name: 'label', dtype: 'i32', shape: [], classes: 3, classNames: ['bird', 'cat', 'dog'] },
  ] as const;
  const resolvePath = workspacePaths(temporaryFolder(pets));
  const set = await loadSource(source({}), { resolvePath, expected });
  expect([...set.columns[1]!.data]).toEqual([1, 1, 2]);
  const fewer = [{ ...expected[0], classes: 1, classNames: ['cat'] }];
  await expect(loadSource(source({}), { resolvePath, expected: fewer })).rejects.toMatchObject({
    code: 'data-out-of-range',
    message: 'photos/dog/1.png: expected "label" to be one of cat, found dog',
  });
});

const huge = Buffer.from(png(1, 1, 1));
huge.writeUInt32BE(60_000, 16);
huge.writeUInt32BE(60_000, 20);
const damaged = Buffer.from(png(30, 30, 3));
damaged[60]! ^= 0xff;

test.each<[string, Files, Args, string, RegExp]>([
  ['no such folder', {}, {}, 'data-missing', /^photos: no such file/],
  [
    'an empty folder',
    { 'photos/readme.md': 'x' },
    {},
    'data-empty',
    /^photos: expected images \(.png, .jpg, .jpeg\), found none/,
  ],
  [
    'an empty class',
    { ...pets, 'photos/eel/x.txt': '' },
    {},
    'data-empty',
    /^photos\/eel: expected images .* of a class/,
  ],
  [
    'a file beside the classes',
    { ...pets, 'photos/x.png': grey(1, 2) },
    {},
    'data-malformed',
    /^photos\/x.png: expected files in a folder per class/,
  ],
  [
    'a format that is not read',
    { 'photos/a.png': grey(1, 2), 'photos/b.webp': 'x' },
    {},
    'data-malformed',
    /^photos\/b.webp: expected one of the formats png, jpg, jpeg/,
  ],
  [
    'another size',
    { ...pets, 'photos/dog/2.png': png(3, 4, 1) },
    {},
    'data-malformed',
    /^photos\/dog\/2.png: expected 2 x 1 pixels as in the first image, found 3 x 4; give the source a "size"/,
  ],
  [
    'other channels',
    { ...pets, 'photos/dog/2.png': png(2, 1, 3) },
    {},
    'data-malformed',
    /^photos\/dog\/2.png: expected grey .* found RGB; give the source "channels"/,
  ],
  [
    'text',
    { 'photos/a.png': 'hello' },
    {},
    'data-malformed',
    /^photos\/a.png: expected a PNG or JPEG image, found a file that starts with 68 65 6c 6c/,
  ],
  ['an empty file', { 'photos/a.png': '' }, {}, 'data-empty', /^photos\/a.png: expected data, found an empty file/],
  [
    'a PNG that is cut in its header',
    { 'photos/a.png': grey(1, 2).subarray(0, 20) },
    {},
    'data-malformed',
    /the end of the file/,
  ],
  [
    'a JPEG that is cut in its header',
    { 'photos/a.jpg': jpg(8, 8, 1).subarray(0, 40) },
    {},
    'data-malformed',
    /it is cut/,
  ],
  [
    'a size beyond the cap',
    { 'photos/a.png': huge },
    {},
    'data-malformed',
    /^photos\/a.png: expected 1 to 67108864 pixels, found 60000 x 60000/,
  ],
  ['two channels', pets, { channels: 2 }, 'data-out-of-range', /expected 1 \(grey\) or 3 \(RGB\) for "channels"/],
  ['a negative size', pets, { size: -1 }, 'data-out-of-range', /for "size"/],
  [
    'a pattern without parts',
    { 'photos/a.png': grey(1, 2) },
    { names: 'label' },
    'data-malformed',
    /^"label": expected a pattern/,
  ],
  [
    'a name that does not fit',
    { 'photos/a.png': grey(1, 2) },
    { names: '{label}_{n}.png' },
    'data-malformed',
    /^photos\/a.png: expected a name like {label}_{n}.png/,
  ],
  [
    'a listed file that is missing',
    { 'photos/l.csv': 'f\na.png\n', 'photos/x': '' },
    { path: 'photos/l.csv' },
    'data-missing',
    /^photos\/l.csv, line 2: photos\/a.png: no such file/,
  ],
  [
    'a listed file that is outside',
    { 'photos/l.csv': 'f\n../../../a.png\n' },
    { path: 'photos/l.csv' },
    'path-outside-workspace',
    /^photos\/l.csv, line 2/,
  ],
])('%s is refused by the schema and by loading', async (_, files, args, code, message) => {
  const error = { code, message: expect.stringMatching(message) };
  const resolvePath = workspacePaths(temporaryFolder(files));
  await expect(readSchema(source(args), resolvePath)).rejects.toThrow(expect.objectContaining(error));
  await expect(loadSource(source(args), { resolvePath })).rejects.toMatchObject(error);
});

test.each<[string, Files, RegExp]>([
  ['a PNG with a flipped byte', { 'photos/a.png': damaged }, /^photos\/a.png: expected an intact PNG/],
  ['a PNG that is cut', { 'photos/a.png': png(30, 30, 3).subarray(0, 90) }, /^photos\/a.png: expected an intact PNG/],
  ['a JPEG that is cut', { 'photos/a.jpg': jpg(64, 64, 9).subarray(0, 500) }, /^photos\/a.jpg: expected/],
])('%s is refused by loading', async (_, files, message) => {
  await expect(load(files)).rejects.toMatchObject({ code: 'data-malformed', message: expect.stringMatching(message) });
});

test.skipIf(process.platform === 'win32')('a link out of the workspace is refused', async () => {
  const elsewhere = temporaryFolder({ 'a.png': grey(1, 2) });
  const folder = temporaryFolder({ 'photos/b.png': grey(1, 2) });
  symlinkSync(join(elsewhere, 'a.png'), join(folder, 'photos/a.png'));
  await expect(loadSource(source({}), { resolvePath: workspacePaths(folder) })).rejects.toMatchObject({
    code: 'path-outside-workspace',
  });
});
