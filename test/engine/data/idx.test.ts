/** The IDX reader: schemas from headers, whole files, and every way a file can be wrong. */
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { workspacePaths } from '../../../engine/data/paths.ts';
import type { DataSet } from '../../../engine/data/schema.ts';
import { loadSource, readSchema } from '../../../engine/data/sources.ts';
import { sharedData } from '../../support/data.ts';
import { idx, temporaryFolder } from '../../support/files.ts';

const images = idx(8, [3, 2, 2], [0, 1, 2, 3, 10, 11, 12, 13, 20, 21, 22, 255]);
const labels = idx(8, [3], [2, 0, 1]);
const source = { name: 'idx', args: { images: 'i', labels: 'l' } };

async function load(files: Record<string, Uint8Array>, classes?: number): Promise<DataSet> {
  const expected = classes === undefined ? [] : [{ name: 'label', dtype: 'i32' as const, shape: [], classes }];
  return loadSource(source, { resolvePath: workspacePaths(temporaryFolder(files)), expected });
}

test.each([
  ['plain', images, labels],
  ['gzip', gzipSync(images), gzipSync(labels)],
])('%s files give image and label', async (_, i, l) => {
  const folder = temporaryFolder({ i, l });
  const schema = await readSchema(source, workspacePaths(folder));
  expect(schema).toEqual({
    samples: 3,
    columns: [
      { name: 'image', dtype: 'u8', shape: [2, 2] },
      { name: 'label', dtype: 'i32', shape: [], classes: 3 },
    ],
  });
  const set = await load({ i, l }, 10);
  expect([...set.columns[0]!.data]).toEqual([0, 1, 2, 3, 10, 11, 12, 13, 20, 21, 22, 255]);
  expect(set.columns[1]).toEqual({ name: 'label', dtype: 'i32', shape: [], classes: 10, data: Int32Array.of(2, 0, 1) });
});

test.each([
  ['i16', 11, [0xff, 0xfe, 0, 1], 'i32', [-2, 1]],
  ['i32', 12, [0, 0, 1, 0, 0xff, 0xff, 0xff, 0xff], 'i32', [256, -1]],
  ['f32', 13, [0x3f, 0xc0, 0, 0, 0xbf, 0x80, 0, 0], 'f32', [1.5, -1]],
  ['f64', 14, [0x3f, 0xf8, 0, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0], 'f32', [1.5, -2]],
])('%s elements are read big-endian', async (_, type, bytes, dtype, values) => {
  const set = await load({ i: idx(type, [2, 1], bytes), l: idx(8, [2], [0, 1]) });
  expect(set.columns[0]).toMatchObject({ dtype, shape: [1] });
  expect([...set.columns[0]!.data]).toEqual(values);
});

const bad: [string, Record<string, Uint8Array>, string, RegExp][] = [
  ['no images', { l: labels }, 'data-missing', /^i: no such file/],
  ['no labels', { i: images }, 'data-missing', /^l: no such file/],
  ['an empty file', { i: Buffer.alloc(0), l: labels }, 'data-empty', /^i: expected data, found an empty file/],
  [
    'another magic number',
    { i: Buffer.from('PNG file'), l: labels },
    'data-malformed',
    /^i: expected an IDX file.* found 50 4e 47 20/,
  ],
  ['an unknown type', { i: idx(10, [1, 1], [0]), l: labels }, 'data-malformed', /found 00 00 0a 02/],
  [
    'no dimensions',
    { i: idx(8, [], []), l: labels },
    'data-malformed',
    /expected 1 to 8 dimensions in byte 3, found 0/,
  ],
  ['a cut header', { i: images.subarray(0, 9), l: labels }, 'data-malformed', /expected a header of 16 bytes, found 9/],
  [
    'cut data',
    { i: images.subarray(0, -1), l: labels },
    'data-malformed',
    /expected 12 bytes of data, found 11; the file is truncated/,
  ],
  ['cut gzip', { i: gzipSync(images).subarray(0, -9), l: labels }, 'data-malformed', /truncated/],
  [
    'trailing bytes',
    { i: Buffer.concat([images, images]), l: labels },
    'data-malformed',
    /expected at most|expected 12 bytes/,
  ],
  [
    'trailing bytes in gzip',
    { i: gzipSync(Buffer.concat([images, images])), l: labels },
    'data-malformed',
    /longer gzip stream/,
  ],
  [
    'a product that overflows',
    { i: idx(8, Array(8).fill(0xffffffff), []), l: labels },
    'data-malformed',
    /expected at most \d+ bytes of data/,
  ],
  ['no samples', { i: idx(8, [0, 2, 2], []), l: labels }, 'data-empty', /found dimensions 0 x 2 x 2/],
  [
    'fewer labels',
    { i: images, l: idx(8, [2], [0, 1]) },
    'data-malformed',
    /^l: expected 3 labels, one for each image of i, found 2/,
  ],
  [
    'a label out of range',
    { i: images, l: idx(8, [3], [0, 9, 1]) },
    'data-out-of-range',
    /^l: expected labels from 0 to 2, found 9 at sample 1/,
  ],
  ['a negative label', { i: images, l: idx(9, [3], [0, 0xff, 1]) }, 'data-out-of-range', /found -1 at sample 1/],
  ['swapped files', { i: labels, l: images }, 'data-malformed', /swapped/],
  [
    'labels that are floats',
    { i: images, l: idx(13, [3], Array(12).fill(0)) },
    'data-malformed',
    /expected whole numbers/,
  ],
];

test.each(bad)('%s: one coded error naming file and place', async (_, files, code, message) => {
  await expect(load(files, 3)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
});

test('the schema of a file that would expand to gigabytes reads its head alone', async () => {
  const bomb = gzipSync(Buffer.concat([idx(8, [60_000, 28, 28], []), Buffer.alloc(50_000_000)]));
  const folder = temporaryFolder({ i: bomb, l: gzipSync(idx(8, [60_000], Buffer.alloc(60_000, 4))) });
  const before = process.memoryUsage().arrayBuffers;
  const schema = await readSchema(source, workspacePaths(folder));
  expect(schema.columns[1]).toMatchObject({ classes: 5 });
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(20_000_000);
});

const mnist = sharedData('mnist');
test.skipIf(mnist === undefined)('MNIST: ten classes of 28x28, standard mean', async () => {
  const args = { images: 'train-images-idx3-ubyte.gz', labels: 'train-labels-idx1-ubyte.gz' };
  const resolvePath = workspacePaths(mnist!);
  expect((await readSchema({ name: 'idx', args }, resolvePath)).columns).toMatchObject([
    { shape: [28, 28] },
    { classes: 10 },
  ]);
  const set = await loadSource({ name: 'idx', args }, { resolvePath });
  const pixels = set.columns[0]!.data;
  let sum = 0;
  for (const pixel of pixels) sum += pixel;
  const mean = sum / pixels.length / 255;
  expect(mean).toBeCloseTo(0.1307, 2);
});
