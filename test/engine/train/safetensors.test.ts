/** The safetensors reader against valid files and hostile ones, and atomic writing on a disk that is full. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { writeAtomic } from '../../../engine/train/atomicFile.ts';
import { encodeSafetensors, parseSafetensors, readSafetensors } from '../../../engine/train/safetensors.ts';
import { temporaryFolder } from '../../support/files.ts';
import { rounds } from '../../support/fuzz.ts';

function file(header: string | object, data: Uint8Array = new Uint8Array(0), length?: bigint): Buffer {
  const text = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(length ?? BigInt(text.length));
  return Buffer.concat([prefix, text, data]);
}

const entry = (begin: number, end: number, shape = [(end - begin) / 4], dtype = 'F32') => ({
  dtype,
  shape,
  data_offsets: [begin, end],
});
const bytes = (count: number): Uint8Array => new Uint8Array(count);

test('what is written is read back, bit for bit', () => {
  const name = fc.string({ unit: 'grapheme' }).filter(each => each !== '__metadata__');
  const tensor = fc.float32Array().map(data => ({ shape: [data.length], data }));
  const tensors = fc.uniqueArray(fc.tuple(name, tensor), { selector: ([each]) => each, maxLength: 8 });
  fc.assert(
    fc.property(tensors, fc.string(), (pairs, note) => {
      const written = Buffer.concat(encodeSafetensors({ tensors: new Map(pairs), metadata: { note } }));
      const read = parseSafetensors(written, 'f');
      expect(read.metadata.note).toBe(note);
      expect(new Map(read.tensors)).toEqual(new Map(pairs));
    }),
  );
});

test('tensors of all dtypes are aligned, bytes last', () => {
  const tensors = new Map<string, { shape: number[]; data: Uint8Array | Int32Array | Uint32Array | Float32Array }>([
    ['b', { shape: [3], data: Uint8Array.of(1, 2, 3) }],
    ['i', { shape: [2, 1], data: Int32Array.of(-1, 2) }],
    ['u', { shape: [], data: Uint32Array.of(7) }],
    ['f', { shape: [0, 4], data: new Float32Array(0) }],
  ]);
  const written = Buffer.concat(encodeSafetensors({ tensors, metadata: {} }));
  expect(Number(written.readBigUInt64LE()) % 8).toBe(0);
  expect(new Map(parseSafetensors(written, 'f').tensors)).toEqual(tensors);
});

test('files of other writers: unaligned data, doubles, no metadata', () => {
  const data = Buffer.alloc(17);
  data.writeFloatLE(1.5, 1);
  data.writeDoubleLE(-2.25, 5);
  const header = {
    a: entry(0, 1, [1], 'U8'),
    b: entry(1, 5),
    c: { dtype: 'F64', shape: [1], data_offsets: [5, 13] },
    d: entry(13, 17),
  };
  const { tensors } = parseSafetensors(file(header, data), 'f');
  expect([...tensors.values()].map(tensor => tensor.data[0])).toEqual([0, 1.5, -2.25, 0]);
});

const hostile: [string, Uint8Array, RegExp][] = [
  ['nothing', bytes(0), /expected at least 8 bytes, found 0/],
  ['a cut length', bytes(5), /found 5/],
  ['a header of gigabytes', file('{}', bytes(0), 2n ** 40n), /header of at most 100000000 bytes, found 1099511627776/],
  ['a header of 2^64 - 1 bytes', file('{}', bytes(0), 2n ** 64n - 1n), /header of at most/],
  ['a header past the end', file('{}', bytes(0), 3n), /expected a header of 3 bytes, found a file of 10/],
  ['a header that is no JSON', file('{"a":'), /expected a JSON object/],
  ['a header that is a list', file('[]'), /expected a JSON object/],
  ['a header that starts with blanks', file(' {}'), /expected a JSON object/],
  ['bytes that are no UTF-8', Buffer.concat([file('', bytes(0), 2n), Buffer.from([0xff, 0xfe])]), /UTF-8/],
  [
    'a name twice',
    file(`{"a":${JSON.stringify(entry(0, 4))},"a":${JSON.stringify(entry(0, 4))}}`, bytes(4)),
    /found "a" twice/,
  ],
  [
    'a name twice, once escaped',
    file(`{"a":${JSON.stringify(entry(0, 4))},"\\u0061":${JSON.stringify(entry(0, 4))}}`, bytes(4)),
    /found "a" twice/,
  ],
  [
    'offsets twice',
    file('{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"data_offsets":[0,4]}}', bytes(4)),
    /found "data_offsets" twice/,
  ],
  ['an entry that is a number', file({ a: 4 }), /tensor "a": expected dtype, shape and offsets/],
  ['an unknown dtype', file({ a: entry(0, 4, [1], 'F31') }, bytes(4)), /known dtype/],
  ['a dtype named like a method', file({ a: entry(0, 4, [1], 'constructor') }, bytes(4)), /known dtype/],
  ['a negative size', file({ a: entry(0, 4, [-1]) }, bytes(4)), /expected a shape/],
  ['a size that is a fraction', file({ a: entry(0, 4, [0.5]) }, bytes(4)), /expected a shape/],
  [
    'a shape of a thousand sizes',
    file({ a: entry(0, 4, Array(1000).fill(1)) }, bytes(4)),
    /expected a shape of at most 32/,
  ],
  [
    'a product that overflows',
    file({ a: entry(0, 4, [2 ** 31, 2 ** 31, 4]) }, bytes(4)),
    /expected \d+ bytes for F32\[2147483648/,
  ],
  ['a shape larger than its bytes', file({ a: entry(0, 4, [2]) }, bytes(4)), /expected 8 bytes for F32\[2\], found 4/],
  ['offsets backwards', file({ a: entry(4, 0, [1]) }, bytes(4)), /expected 4 bytes for F32\[1\], found -4/],
  ['offsets past the end', file({ a: entry(0, 8) }, bytes(4)), /expected 8 bytes of tensors, found 4; the file is cut/],
  ['three offsets', file({ a: { dtype: 'F32', shape: [1], data_offsets: [0, 4, 8] } }, bytes(4)), /two offsets/],
  [
    'tensors that overlap',
    file({ a: entry(0, 8), b: entry(4, 12) }, bytes(12)),
    /tensor "b": expected to start at byte 8, found 4/,
  ],
  [
    'a hole between tensors',
    file({ a: entry(0, 4), b: entry(8, 12) }, bytes(12)),
    /tensor "b": expected to start at byte 4, found 8/,
  ],
  ['a hole at the start', file({ a: entry(4, 8) }, bytes(8)), /expected to start at byte 0, found 4/],
  ['bytes behind the last tensor', file({ a: entry(0, 4) }, bytes(5)), /bytes follow the last tensor/],
  [
    'too many tensors',
    file(Object.fromEntries(Array.from({ length: 70_000 }, (_, i) => [i, entry(0, 0, [0])]))),
    /at most 65536 tensors, found 70000/,
  ],
  ['metadata of numbers', file({ __metadata__: { a: 1 } }), /metadata of texts/],
  ['half precision', file({ a: entry(0, 2, [1], 'F16') }, bytes(2)), /convert the file to F32/],
];

test.each(hostile)('%s is refused in one sentence', (_, content, message) => {
  expect(() => parseSafetensors(content, 'x.safetensors')).toThrow(
    expect.objectContaining({ code: 'checkpoint-malformed', message: expect.stringMatching(message) }),
  );
});

test('a damaged file never gives anything but a coded error', () => {
  const good = Buffer.concat(
    encodeSafetensors({ tensors: new Map([['w', { shape: [4], data: new Float32Array(4) }]]), metadata: { a: 'b' } }),
  );
  fc.assert(
    fc.property(fc.nat(good.length - 1), fc.nat(255), fc.nat(good.length), (at, value, length) => {
      const damaged = Buffer.from(good.subarray(0, Math.max(length, 1)));
      damaged[Math.min(at, damaged.length - 1)] = value;
      try {
        parseSafetensors(damaged, 'x');
      } catch (error) {
        expect(error).toMatchObject({ code: 'checkpoint-malformed' });
      }
    }),
    rounds(2000),
  );
});

test('a hostile file on disk is refused before it is read', async () => {
  const folder = temporaryFolder({ 'x.safetensors': file('{}', bytes(0), 2n ** 40n) });
  await expect(readSafetensors(join(folder, 'x.safetensors'))).rejects.toMatchObject({ code: 'checkpoint-malformed' });
  await expect(readSafetensors(join(folder, 'none.safetensors'))).rejects.toMatchObject({ code: 'checkpoint-missing' });
});

/** Files whose handles fail at `call` number `at`, as a disk does that fills up. */
function failing(call: 'writeFile' | 'sync', at: number, code: string): typeof fs {
  let calls = 0;
  const open: typeof fs.open = async (...args) => {
    const handle = await fs.open(...args);
    const original = handle[call].bind(handle) as (...rest: unknown[]) => Promise<void>;
    handle[call] = ((...rest: unknown[]) =>
      ++calls > at ? Promise.reject(Object.assign(new Error(code), { code })) : original(...rest)) as never;
    return handle;
  };
  return { ...fs, open };
}

test.each([
  ['writeFile', 0, 'ENOSPC'],
  ['writeFile', 1, 'ENOSPC'],
  ['writeFile', 1, 'EDQUOT'],
  ['sync', 0, 'ENOSPC'],
] as const)(
  'a disk that is full at %s %i (%s): coded error, the old file intact, nothing left behind',
  async (call, at, code) => {
    const folder = temporaryFolder({ 'last.safetensors': 'old' });
    const path = join(folder, 'last.safetensors');
    await expect(writeAtomic(path, [bytes(10), bytes(10)], failing(call, at, code))).rejects.toMatchObject({
      code: 'disk-full',
      message: expect.stringContaining('last.safetensors: no room to write'),
    });
    expect(readFileSync(path, 'utf8')).toBe('old');
    expect(readdirSync(folder)).toEqual(['last.safetensors']);
  },
);

test('other errors of the disk come as they are', async () => {
  const folder = temporaryFolder();
  await expect(writeAtomic(join(folder, 'a'), [bytes(1)], failing('writeFile', 0, 'EIO'))).rejects.toMatchObject({
    code: 'EIO',
  });
  writeFileSync(join(folder, 'file'), '');
  await expect(writeAtomic(join(folder, 'file', 'a'), [bytes(1)])).rejects.toThrow();
  expect(existsSync(join(folder, 'a'))).toBe(false);
});
