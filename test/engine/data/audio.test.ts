/** The audio reader: WAV formats, lengths and labels, and every way a recording can be wrong. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { workspacePaths } from '../../../engine/data/paths.ts';
import type { DataSet } from '../../../engine/data/schema.ts';
import { loadSource, readSchema } from '../../../engine/data/sources.ts';
import { parseWav, readSamples } from '../../../engine/data/wav.ts';
import { sharedData } from '../../support/data.ts';
import { temporaryFolder } from '../../support/files.ts';
import { rounds } from '../../support/fuzz.ts';

interface Format {
  readonly tag?: number;
  readonly bits?: number;
  readonly channels?: number;
  readonly rate?: number;
  /** What the chunk says; its true length by default. */
  readonly declared?: number;
  readonly note?: Uint8Array;
}

function chunk(name: string, body: Uint8Array, declared = body.length): Uint8Array {
  const header = Buffer.alloc(8);
  header.write(name, 'latin1');
  header.writeUInt32LE(declared, 4);
  return Buffer.concat([header, body, new Uint8Array(body.length % 2)]);
}

function wav(
  contents: Uint8Array,
  { tag = 1, bits = 16, channels = 1, rate = 8000, declared, note }: Format = {},
): Uint8Array {
  const format = Buffer.alloc(16);
  format.writeUInt16LE(tag, 0);
  format.writeUInt16LE(channels, 2);
  format.writeUInt32LE(rate, 4);
  format.writeUInt16LE(bits, 14);
  const parts = [chunk('fmt ', format), ...(note ? [chunk('LIST', note)] : []), chunk('data', contents, declared)];
  return chunk('RIFF', Buffer.concat([Buffer.from('WAVE'), ...parts]));
}

const pcm = (...values: number[]) => new Uint8Array(Int16Array.from(values, value => value * 2 ** 15).buffer);
const source = (args: Readonly<Record<string, string | number>>) => ({ name: 'audio', args: { path: 'rec', ...args } });

function load(
  files: Readonly<Record<string, Uint8Array>>,
  args: Readonly<Record<string, string | number>> = {},
): Promise<DataSet> {
  return loadSource(source(args), { resolvePath: workspacePaths(temporaryFolder(files)) });
}

const two = { 'rec/yes/a.wav': wav(pcm(0.5, -0.5, 0.25)), 'rec/no/b.wav': wav(pcm(1 / 4)) };

test('a folder per class, cut and padded', async () => {
  const { columns, samples, target } = await load(two, { length: 2 });
  expect([samples, target]).toEqual([2, 'label']);
  expect(columns).toEqual([
    { name: 'audio', dtype: 'f32', shape: [2], rate: 8000, data: Float32Array.of(0.25, 0, 0.5, -0.5) },
    { name: 'label', dtype: 'i32', shape: [], classes: 2, classNames: ['no', 'yes'], data: Int32Array.of(0, 1) },
  ]);
  const schema = await readSchema(source({ length: 2 }), workspacePaths(temporaryFolder(two)));
  expect(schema).toEqual({ samples, columns: columns.map(({ data: _, ...column }) => column) });
});

test.each<[string, Uint8Array, Format, number[]]>([
  ['8 bits', Uint8Array.of(128, 192, 0), { bits: 8 }, [0, 0.5, -1]],
  ['24 bits', Uint8Array.of(0, 0, 0x40, 0, 0, 0xc0), { bits: 24 }, [0.5, -0.5]],
  ['32 bits', new Uint8Array(Int32Array.of(2 ** 30, -(2 ** 31)).buffer), { bits: 32 }, [0.5, -1]],
  ['floats', new Uint8Array(Float32Array.of(0.125, -0.75).buffer), { tag: 3, bits: 32 }, [0.125, -0.75]],
  ['doubles', new Uint8Array(Float64Array.of(0.125).buffer), { tag: 3, bits: 64 }, [0.125]],
  ['two channels', pcm(0.5, 0.25, -0.5, 0), { channels: 2 }, [0.375, -0.25]],
  ['a stream of unknown length', pcm(0.5, 0.25), { declared: 0xffffffff }, [0.5, 0.25]],
  ['a long note ahead of the samples', pcm(0.5), { note: new Uint8Array(50_001) }, [0.5]],
])('%s', async (_, contents, format, expected) => {
  const { columns } = await load({ 'rec/a.wav': wav(contents, format) });
  expect([...columns[0]!.data]).toEqual(expected);
  const schema = await readSchema(source({}), workspacePaths(temporaryFolder({ 'rec/a.wav': wav(contents, format) })));
  expect(schema.columns[0]?.shape).toEqual([expected.length]);
});

test('what 16 bits hold comes back', () => {
  fc.assert(
    fc.property(fc.int16Array({ minLength: 1 }), values => {
      const bytes = wav(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
      const format = parseWav({ name: 'a', path: 'a' }, bytes, bytes.length);
      const samples = new Float32Array(format.length);
      readSamples(bytes, format, samples);
      expect([...samples].map(sample => sample * 2 ** 15)).toEqual([...values]);
    }),
  );
});

test('any bytes are samples or a coded error', () => {
  const mutated = fc.record({ at: fc.nat(60), byte: fc.nat(255), cut: fc.nat(60) });
  fc.assert(
    fc.property(fc.array(mutated, { maxLength: 4 }), changes => {
      let bytes = wav(pcm(0.5, 0.25, 0.125, 0, 0, 0));
      for (const { at, byte } of changes) bytes[at % bytes.length] = byte;
      if (changes[0]) bytes = bytes.subarray(0, changes[0].cut);
      try {
        const format = parseWav({ name: 'a', path: 'a' }, bytes, bytes.length);
        readSamples(bytes, format, new Float32Array(format.length));
      } catch (error) {
        expect(error).toMatchObject({ name: 'EngineError' });
      }
    }),
    rounds(2000),
  );
});

const bytes = Buffer.from(wav(pcm(0.5, 0.25)));
test.each<[string, Readonly<Record<string, Uint8Array>>, Readonly<Record<string, string | number>>, string, RegExp]>([
  [
    'text',
    { 'rec/a.wav': Buffer.from('hello') },
    {},
    'data-malformed',
    /^rec\/a.wav: expected a WAV file, found another format/,
  ],
  [
    'a file cut in its format',
    { 'rec/a.wav': bytes.subarray(0, 24) },
    {},
    'data-malformed',
    /^rec\/a.wav: expected a whole format/,
  ],
  [
    'a file cut in its samples',
    { 'rec/a.wav': bytes.subarray(0, 46) },
    {},
    'data-malformed',
    /expected 4 bytes of samples, found 2/,
  ],
  [
    'a file without samples',
    { 'rec/a.wav': wav(new Uint8Array(0)) },
    {},
    'data-empty',
    /^rec\/a.wav: expected samples, found none/,
  ],
  [
    'a compressed format',
    { 'rec/a.wav': wav(pcm(0.5), { tag: 85 }) },
    {},
    'data-malformed',
    /found format 85 with 16 bits; convert/,
  ],
  ['no channels', { 'rec/a.wav': wav(pcm(0.5), { channels: 0 }) }, {}, 'data-malformed', /found 0 at 8000 Hz/],
  [
    'another sample rate',
    { ...two, 'rec/yes/c.wav': wav(pcm(0.5), { rate: 16000 }) },
    { length: 2 },
    'data-malformed',
    /^rec\/yes\/c.wav: expected 8000 samples a second as in the first recording, found 16000/,
  ],
  [
    'a sample rate that is not the asked one',
    two,
    { length: 2, rate: 16000 },
    'data-malformed',
    /^rec\/no\/b.wav: expected 16000 samples a second, found 8000/,
  ],
  [
    'other lengths',
    two,
    {},
    'data-malformed',
    /^rec\/yes\/a.wav: expected 1 samples as in the first recording, found 3; give the source a "length"/,
  ],
  ['an MP3', { 'rec/a.mp3': pcm(0.5) }, {}, 'data-malformed', /^rec\/a.mp3: expected one of the formats wav/],
])('%s is refused by the schema and by loading', async (_, files, args, code, message) => {
  const error = { code, message: expect.stringMatching(message) };
  const resolvePath = workspacePaths(temporaryFolder(files));
  await expect(readSchema(source(args), resolvePath)).rejects.toThrow(expect.objectContaining(error));
  await expect(loadSource(source(args), { resolvePath })).rejects.toMatchObject(error);
});

const fsdd = sharedData('fsdd');
test.skipIf(fsdd === undefined)('spoken digits: labels, speakers and takes from the names', async () => {
  const args = { path: fsdd!, length: 8000, rate: 8000, names: '{label}_{speaker}_{take}.wav' };
  const set = await loadSource({ name: 'audio', args }, { resolvePath: path => path });
  expect(set.samples).toBe(1200);
  expect(set.columns.map(({ name, shape, classes }) => [name, shape, classes])).toEqual([
    ['audio', [8000], undefined],
    ['label', [], 10],
    ['speaker', [], 6],
    ['take', [], 20],
  ]);
  const counts = new Array<number>(10).fill(0);
  for (const label of set.columns[1]!.data) counts[label]!++;
  expect(counts).toEqual(new Array(10).fill(120));
  let loudest = 0;
  for (const sample of set.columns[0]!.data) loudest = Math.max(loudest, Math.abs(sample));
  expect(loudest).toBeGreaterThan(0.5);
  expect(loudest).toBeLessThanOrEqual(1);
});
