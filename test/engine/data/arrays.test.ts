/** The npy, npz and safetensors readers: every dtype, targets, and files that lie about themselves. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { zipSync } from 'fflate';
import { expect, test } from 'vitest';
import { workspacePaths } from '../../../engine/data/paths.ts';
import type { DataSet } from '../../../engine/data/schema.ts';
import { loadSource, readSchema } from '../../../engine/data/sources.ts';
import { encodeSafetensors } from '../../../engine/train/safetensors.ts';
import { temporaryFolder } from '../../support/files.ts';
import { rounds } from '../../support/fuzz.ts';

type Files = Readonly<Record<string, Uint8Array>>;
type Numbers = Parameters<typeof bytesOf>[0];

const bytesOf = (
  data:
    | Uint8Array
    | Int8Array
    | Uint16Array
    | Int16Array
    | Uint32Array
    | Int32Array
    | BigInt64Array
    | BigUint64Array
    | Float32Array
    | Float64Array,
) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

function npy(
  descr: string,
  shape: readonly number[],
  data: Numbers,
  { order = 'False', version = 1 } = {},
): Uint8Array {
  const dictionary = `{'descr': '${descr}', 'fortran_order': ${order}, 'shape': (${shape.map(size => `${size},`).join(' ')}), }`;
  const prefix = version === 1 ? 10 : 12;
  const header = `${dictionary.padEnd(Math.ceil((dictionary.length + prefix + 1) / 64) * 64 - prefix - 1)}\n`;
  const start = Buffer.alloc(prefix);
  start.write('\x93NUMPY', 'latin1');
  start[6] = version;
  if (version === 1) start.writeUInt16LE(header.length, 8);
  else start.writeUInt32LE(header.length, 8);
  return Buffer.concat([start, Buffer.from(header), bytesOf(data)]);
}

function load(name: string, files: Files, args: Readonly<Record<string, string>>): Promise<DataSet> {
  return loadSource({ name, args }, { resolvePath: workspacePaths(temporaryFolder(files)) });
}

test.each<[string, Numbers, string, number[]]>([
  ['|b1', Uint8Array.of(0, 1), 'u8', [0, 1]],
  ['|u1', Uint8Array.of(7, 255), 'u8', [7, 255]],
  ['|i1', Int8Array.of(-7, 127), 'i32', [-7, 127]],
  ['<u2', Uint16Array.of(7, 65535), 'i32', [7, 65535]],
  ['<i2', Int16Array.of(-7, 300), 'i32', [-7, 300]],
  ['<i4', Int32Array.of(-7, 2 ** 31 - 1), 'i32', [-7, 2 ** 31 - 1]],
  ['<i8', BigInt64Array.of(-7n, 300n), 'i32', [-7, 300]],
  ['<u8', BigUint64Array.of(7n, 300n), 'i32', [7, 300]],
  ['<f4', Float32Array.of(0.5, -3), 'f32', [0.5, -3]],
  ['<f8', Float64Array.of(0.5, -3), 'f32', [0.5, -3]],
  ['<f2', Uint16Array.of(0x3800, 0xc200), 'f32', [0.5, -3]],
  ['>i2', Uint8Array.of(1, 2, 255, 255), 'i32', [258, -1]],
  ['>f4', Uint8Array.of(0x3f, 0, 0, 0, 0xc0, 0x40, 0, 0), 'f32', [0.5, -3]],
])('npy of %s', async (descr, data, dtype, expected) => {
  for (const version of [1, 2]) {
    const { columns, samples } = await load(
      'npy',
      { 'x.npy': npy(descr, [1, 2], data, { version }) },
      { path: 'x.npy' },
    );
    expect(samples).toBe(1);
    expect(columns.map(column => [column.name, column.dtype, column.shape, [...column.data]])).toEqual([
      ['values', dtype, [2], expected],
    ]);
  }
});

const labelled = {
  'x.npy': npy('<f4', [3, 2], Float32Array.of(1, 2, 3, 4, 5, 6)),
  'y.npy': npy('<i8', [3], BigInt64Array.of(2n, 0n, 1n)),
};

test('npy with labels: an index of classes, and the schema says so', async () => {
  const args = { path: 'x.npy', labels: 'y.npy' };
  const set = await load('npy', labelled, args);
  expect(set).toMatchObject({ samples: 3, target: 'label' });
  expect(set.columns[1]).toEqual({ name: 'label', dtype: 'i32', shape: [], classes: 3, data: Int32Array.of(2, 0, 1) });
  expect(await readSchema({ name: 'npy', args }, workspacePaths(temporaryFolder(labelled)))).toEqual({
    samples: 3,
    columns: set.columns.map(({ data: _, ...column }) => column),
  });
});

// numpy.savez_compressed(f, x=numpy.arange(6.0).reshape(3, 2) / 4, y=[2, 0, 1]), NumPy 2.
const saved =
  'UEsDBC0AAAAIAAAAIQBK75e6//////////8FABQAeC5ucHkBABAAsAAAAAAAAABXAAAAAAAAAJvsF+obEMnIUMZQrZ6SWpxcpG6loG6TZqGuo6Cell9UUpSYF59flJIKEndLzClOBYoXZyQWpAL5GsY6CkaaOgq1CmQDLgYUcMEeQj+A0i+g9Aco/cUeAFBLAwQtAAAACAAAACEAihrOE///////////BQAUAHkubnB5AQAQAJgAAAAAAAAASgAAAAAAAACb7BfqGxDJyFDGUK2eklqcXKRupaBuk2mhrqOgnpZfVFKUmBefX5SSChJ3S8wpTgWKF2ckFqQC+RrGOpo6CrUKFAAuJgZUwAilAVBLAQItAy0AAAAIAAAAIQBK75e6VwAAALAAAAAFAAAAAAAAAAAAAACAAQAAAAB4Lm5weVBLAQItAy0AAAAIAAAAIQCKGs4TSgAAAJgAAAAFAAAAAAAAAAAAAACAAY4AAAB5Lm5weVBLBQYAAAAAAgACAGYAAAAPAQAAAAA=';

test('npz as NumPy packs it', async () => {
  const files = { 'd.npz': Buffer.from(saved, 'base64') };
  const set = await load('npz', files, { path: 'd.npz', target: 'y' });
  expect(set.columns).toEqual([
    { name: 'x', dtype: 'f32', shape: [2], data: Float32Array.of(0, 0.25, 0.5, 0.75, 1, 1.25) },
    { name: 'y', dtype: 'i32', shape: [], classes: 3, data: Int32Array.of(2, 0, 1) },
  ]);
  const source = { name: 'npz', args: { path: 'd.npz', target: 'y' } };
  expect((await readSchema(source, workspacePaths(temporaryFolder(files)))).columns).toEqual(
    set.columns.map(({ data: _, ...column }) => column),
  );
});

test('what is packed comes back, stored or deflated; so through safetensors', async () => {
  const floats = fc.array(fc.float({ noNaN: true }), { minLength: 1, maxLength: 3000 });
  await fc.assert(
    fc.asyncProperty(floats, fc.constantFrom(0, 6, 9), async (values, level) => {
      const data = Float32Array.from(values);
      const packed = zipSync({ 'x.npy': npy('<f4', [values.length], data) }, { level: level as 0 });
      const tensors = new Map([['x', { shape: [values.length], data }]]);
      const files = { z: packed, s: Buffer.concat(encodeSafetensors({ tensors, metadata: {} })) };
      expect((await load('npz', files, { path: 'z' })).columns[0]?.data).toEqual(data);
      expect((await load('safetensors', files, { path: 's' })).columns[0]?.data).toEqual(data);
    }),
    rounds(25),
  );
});

test('any bytes are arrays or a coded error', async () => {
  const good = { npz: Buffer.from(saved, 'base64'), npy: Buffer.from(labelled['x.npy']) };
  const change = fc.record({ at: fc.nat(), byte: fc.nat(255) });
  const folder = temporaryFolder();
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom('npz' as const, 'npy' as const),
      fc.array(change, { minLength: 1, maxLength: 3 }),
      fc.nat(700),
      async (name, changes, cut) => {
        const bytes = Buffer.from(good[name]);
        for (const { at, byte } of changes) bytes[at % bytes.length] = byte;
        const path = 'f';
        writeFileSync(join(folder, path), cut > 300 ? bytes : bytes.subarray(0, cut));
        await loadSource({ name, args: { path } }, { resolvePath: workspacePaths(folder) }).catch((error: unknown) => {
          expect(error).toMatchObject({ name: 'EngineError' });
        });
      },
    ),
    rounds(400),
  );
});

const tensors = new Map([
  ['x', { shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) }],
  ['y', { shape: [2], data: Int32Array.of(0, 1) }],
]);
const safe = Buffer.concat(encodeSafetensors({ tensors, metadata: { made: 'here' } }));
const x = (bytes: Uint8Array): Files => ({ 'x.npy': bytes });
const path = { path: 'x.npy' };
const z = { path: 'z' };
const one = Float32Array.of(1);

test('safetensors: a column a tensor, and the target an index', async () => {
  const { columns } = await load('safetensors', { s: safe }, { path: 's', target: 'y' });
  expect(columns.map(({ name, shape, classes, data }) => [name, shape, classes, [...data]])).toEqual([
    ['x', [2], undefined, [1, 2, 3, 4]],
    ['y', [], 2, [0, 1]],
  ]);
});

test.each<[string, string, Files, Readonly<Record<string, string>>, string, RegExp]>([
  ['a missing file', 'npy', {}, path, 'data-missing', /^x.npy: no such file/],
  ['text', 'npy', x(Buffer.from('hello')), path, 'data-malformed', /^x.npy: expected an array of NumPy/],
  ['a cut header', 'npy', x(labelled['x.npy'].subarray(0, 40)), path, 'data-malformed', /^x.npy: expected a header/],
  ['objects', 'npy', x(npy('|O', [1], one)), path, 'data-malformed', /found the type '\|O'; save it as float32/],
  [
    'Fortran order',
    'npy',
    x(npy('<f4', [2, 2], Float32Array.of(1, 2, 3, 4), { order: 'True' })),
    path,
    'data-malformed',
    /in C order/,
  ],
  ['a single number', 'npy', x(npy('<f4', [], one)), path, 'data-malformed', /an axis of samples in "values"/],
  ['no samples', 'npy', x(npy('<f4', [0, 3], one)), path, 'data-empty', /expected numbers in "values", found \[0, 3\]/],
  [
    'a shape beyond memory',
    'npy',
    x(npy('<f4', [2 ** 20, 2 ** 20], one)),
    path,
    'data-malformed',
    /at most 2147483648 bytes in "values"/,
  ],
  [
    'labels of another length',
    'npy',
    { ...labelled, 'y.npy': npy('<i4', [2], Int32Array.of(0, 1)) },
    { ...path, labels: 'y.npy' },
    'data-malformed',
    /^y.npy: expected 3 labels, one for each sample of x.npy, found 2/,
  ],
  [
    'labels below 0',
    'npy',
    { ...labelled, 'y.npy': npy('<i4', [3], Int32Array.of(0, -1, 1)) },
    { ...path, labels: 'y.npy' },
    'data-out-of-range',
    /^y.npy: expected classes from 0 to 1 in "label", found -1 in sample 1/,
  ],
  ['no zip', 'npz', { z: Buffer.from('hello') }, z, 'data-malformed', /^z: expected the directory of a zip file/],
  [
    'a zip that is cut',
    'npz',
    { z: Buffer.from(saved, 'base64').subarray(0, 200) },
    z,
    'data-malformed',
    /directory of a zip/,
  ],
  [
    'a zip without arrays',
    'npz',
    { z: zipSync({ a: new Uint8Array(3) }) },
    z,
    'data-empty',
    /^z: expected arrays, found none/,
  ],
  [
    'arrays of different lengths',
    'npz',
    { z: zipSync({ 'a.npy': npy('<f4', [1], one), 'b.npy': labelled['y.npy'] }) },
    z,
    'data-malformed',
    /expected 1 samples in "b" as in "a", found 3/,
  ],
  [
    'no such target',
    'npz',
    { z: zipSync({ 'a.npy': npy('<f4', [1], one) }) },
    { ...z, target: 'y' },
    'data-malformed',
    /^z: expected an array "y", found a/,
  ],
  [
    'no safetensors',
    'safetensors',
    { z: Buffer.from('hello, world') },
    z,
    'data-malformed',
    /^z: expected the header of a safetensors file/,
  ],
  [
    'safetensors that are cut',
    'safetensors',
    { z: safe.subarray(0, safe.length - 1) },
    z,
    'data-malformed',
    /^z: expected .* bytes of tensors/,
  ],
])('%s is refused by the schema and by loading', async (_, name, files, args, code, message) => {
  const error = { code, message: expect.stringMatching(message) };
  const resolvePath = workspacePaths(temporaryFolder(files));
  await expect(readSchema({ name, args }, resolvePath)).rejects.toThrow(expect.objectContaining(error));
  await expect(loadSource({ name, args }, { resolvePath })).rejects.toMatchObject(error);
});

test.each<[string, string, Files, Readonly<Record<string, string>>, string, RegExp]>([
  [
    'contents that are cut',
    'npy',
    x(labelled['x.npy'].subarray(0, -4)),
    path,
    'data-malformed',
    /^x.npy: expected 24 bytes of "values", found 20/,
  ],
  [
    'whole numbers of 64 bits',
    'npy',
    x(npy('<i8', [1], BigInt64Array.of(2n ** 40n))),
    path,
    'data-out-of-range',
    /32 bits in "values", found 1099511627776/,
  ],
])('%s are refused by loading', async (_, name, files, args, code, message) => {
  await expect(load(name, files, args)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
});
