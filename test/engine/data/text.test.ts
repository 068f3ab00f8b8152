/** The text and sequences readers: windows of indices, alphabets, and every way a text can be wrong. */
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { workspacePaths } from '../../../engine/data/paths.ts';
import type { DataSet } from '../../../engine/data/schema.ts';
import { loadSource, readSchema } from '../../../engine/data/sources.ts';
import { createTokenizer, learnVocabulary } from '../../../engine/data/tokenizer.ts';
import type { ColumnSchema } from '../../../engine/ir/program.ts';
import { sharedData } from '../../support/data.ts';
import { temporaryFolder } from '../../support/files.ts';
import { rounds } from '../../support/fuzz.ts';

type Args = Readonly<Record<string, number | string>>;

const source = (args: Args) => ({ name: 'text', args: { path: 't', ...args } });

function load(content: string | Uint8Array, args: Args = {}, expected?: readonly ColumnSchema[]): Promise<DataSet> {
  const resolvePath = workspacePaths(temporaryFolder({ t: content }));
  return loadSource(source(args), { resolvePath, ...(expected && { expected }) });
}

const arrays = ({ columns }: DataSet) => columns.map(({ data }) => [...data]);

test.each<[string, string | Uint8Array, Args, number[][]]>([
  [
    'side by side',
    'abcab',
    { window: 2 },
    [
      [0, 1, 2, 0],
      [1, 2, 0, 1],
    ],
  ],
  [
    'overlapping',
    'abca',
    { window: 2, stride: 1 },
    [
      [0, 1, 1, 2],
      [1, 2, 2, 0],
    ],
  ],
  [
    'with gaps',
    'abcabc',
    { window: 1, stride: 3 },
    [
      [0, 0],
      [1, 1],
    ],
  ],
  [
    'a rest is left out',
    'abcabc',
    { window: 4 },
    [
      [0, 1, 2, 0],
      [1, 2, 0, 1],
    ],
  ],
  [
    'code points, in their order',
    'z😀éa',
    { window: 3 },
    [
      [1, 3, 2],
      [3, 2, 0],
    ],
  ],
  [
    'gzip',
    gzipSync('abab'),
    { window: 3 },
    [
      [0, 1, 0],
      [1, 0, 1],
    ],
  ],
  [
    'a mark of byte order and Windows line ends',
    '\ufeffa\r\nb',
    { window: 2 },
    [
      [1, 0],
      [0, 2],
    ],
  ],
])('windows of a text: %s', async (_, content, args, expected) => {
  expect(arrays(await load(content, args))).toEqual(expected);
});

test('the schema has the alphabet as classes and counts what loading gives', async () => {
  const content = 'the cat sat on the mat\n'.repeat(20);
  const schema = await readSchema(source({ window: 16 }), workspacePaths(temporaryFolder({ t: content })));
  const set = await load(content, { window: 16 });
  expect(schema.samples).toBe(set.samples);
  expect(schema.columns.map(c => c.name)).toEqual(['tokens', 'next']);
  expect(schema.columns[0]).toEqual({
    name: 'tokens',
    dtype: 'i32',
    shape: [16],
    classes: 11,
    classNames: ['\n', ' ', 'a', 'c', 'e', 'h', 'm', 'n', 'o', 's', 't'],
  });
});

test('a test text is read with the alphabet of the training text', async () => {
  const column = { name: 'tokens', dtype: 'i32', shape: [2], classes: 3, classNames: ['a', 'b', 'c'] } as const;
  const expected = [column, { ...column, name: 'next' }];
  expect(arrays(await load('cbc', { window: 2 }, expected))).toEqual([
    [2, 1],
    [1, 2],
  ]);
  await expect(load('abc\nd', { window: 2 }, expected)).rejects.toMatchObject({
    code: 'data-out-of-range',
    message: expect.stringMatching(/^t, line 1: expected one of the 3 characters .* found "\\n"/),
  });
});

test.each<[string, string | Uint8Array, Args, string, RegExp]>([
  ['an empty file', '', {}, 'data-empty', /^t: expected data, found an empty file/],
  [
    'a text that is too short',
    'abc',
    { window: 3 },
    'data-empty',
    /^t: expected at least 4 characters.* found 3; lower the window/,
  ],
  ['other bytes', Uint8Array.of(0x61, 0xff, 0xfe), { window: 1 }, 'data-malformed', /^t: expected text in UTF-8/],
  ['a binary file', 'PK\0\0abc', { window: 1 }, 'data-malformed', /^t: expected text in UTF-8/],
  ['a character that is cut', Buffer.from('ab😀').subarray(0, 4), { window: 1 }, 'data-malformed', /UTF-8/],
  ['an empty window', 'abc', { window: 0 }, 'data-out-of-range', /from 1 to 65536 for "window"/],
  [
    'unknown tokens',
    'abc',
    { tokens: 'letters' },
    'data-out-of-range',
    /^expected "characters", "words" or "bpe" for "tokens" of the source, found "letters"/,
  ],
  ['a vocabulary of one', 'abc', { vocabulary: 1 }, 'data-out-of-range', /from 2 to 65536 for "vocabulary"/],
  [
    'too few words',
    'a b c',
    { tokens: 'words', window: 3 },
    'data-empty',
    /^t: expected at least 4 words for a window of 3, found 3/,
  ],
  ['a negative stride', 'abc', { stride: -1 }, 'data-out-of-range', /for "stride" of the source, found -1/],
])('%s is refused by the schema and by loading', async (_, content, args, code, message) => {
  const error = { code, message: expect.stringMatching(message) };
  const resolvePath = workspacePaths(temporaryFolder({ t: content }));
  await expect(readSchema(source(args), resolvePath)).rejects.toThrow(expect.objectContaining(error));
  await expect(loadSource(source(args), { resolvePath })).rejects.toMatchObject(error);
});

test('words: the most frequent ones, marks and line breaks alone, and one token for the others', async () => {
  const { columns } = await load("to be, or not\nto be: it's", { tokens: 'words', vocabulary: 4, window: 3 });
  expect(columns[0]).toMatchObject({ classes: 4, classNames: ['<unknown>', 'be', 'to', '\n'] });
  expect(columns.map(({ data }) => [...data])).toEqual([
    [2, 1, 0, 0, 0, 3, 2, 1, 0],
    [1, 0, 0, 0, 3, 2, 1, 0, 0],
  ]);
});

test('bpe: the alphabet, then the pairs that occur most, learned pairs first', async () => {
  const { columns } = await load('abab abc abab', { tokens: 'bpe', vocabulary: 6, window: 2 });
  expect(columns[0]).toMatchObject({ classNames: [' ', 'a', 'b', 'c', 'ab', ' ab'] });
  expect(columns.map(({ data }) => [...data])).toEqual([
    [4, 4, 5, 3],
    [4, 5, 3, 5],
  ]);
});

test('a bpe schema has the vocabulary that loading has, and a test text keeps it', async () => {
  const content = 'the cat sat on the mat, the rat sat on the cat\n'.repeat(20);
  const args = { tokens: 'bpe', vocabulary: 30, window: 8 };
  const schema = await readSchema(source(args), workspacePaths(temporaryFolder({ t: content })));
  const set = await load(content, args);
  expect(schema.columns).toEqual(set.columns.map(({ data: _, ...column }) => column));
  const other = await load('the hen sat on the cat '.replace('hen', 'ant').repeat(3), args, schema.columns);
  expect(other.columns[0]?.classNames).toEqual(schema.columns[0]?.classNames);
  await expect(load('the ox sat\non it', args, schema.columns)).rejects.toMatchObject({
    code: 'data-out-of-range',
    message: expect.stringMatching(/^t, line 1: expected one of the 13 characters of the training text, found "x"/),
  });
});

test('tokens of any text put together are the text', () => {
  const texts = fc.array(fc.oneof(fc.string({ unit: 'grapheme' }), fc.constantFrom('ab', ' the', 'é', '\n', '12')), {
    maxLength: 60,
  });
  fc.assert(
    fc.property(
      texts,
      fc.integer({ min: 2, max: 80 }),
      fc.constantFrom('bpe' as const, 'characters' as const),
      (parts, size, kind) => {
        const text = parts.join('');
        const { vocabulary, encode } = createTokenizer(kind, learnVocabulary(kind, text, size));
        expect(new Set(vocabulary).size).toBe(vocabulary.length);
        expect([...(encode(text) as Int32Array)].map(index => vocabulary[index]).join('')).toBe(text);
      },
    ),
    rounds(300),
  );
});

const shakespeare = sharedData('tinyshakespeare/input.txt');
test.skipIf(shakespeare === undefined)('Shakespeare in pairs takes under half the tokens', async () => {
  const args = { path: shakespeare!, tokens: 'bpe', vocabulary: 1000 };
  const set = await loadSource({ name: 'text', args }, { resolvePath: path => path });
  expect(set.columns[0]?.classes).toBe(1000);
  expect(set.samples * 64).toBeLessThan(1_115_394 / 2);
});

test('windows that would fill the memory are refused before they are made', async () => {
  const content = 'ab'.repeat(200_000);
  await expect(load(content, { window: 4000, stride: 1 })).rejects.toMatchObject({ code: 'data-malformed' });
});

test('a huge text is read for its schema up to a cap, in the middle of a character too', async () => {
  const content = `a${'é'.repeat(2 ** 23 + 10)}zzz`;
  const schema = await readSchema(source({ window: 64 }), workspacePaths(temporaryFolder({ t: content })));
  expect(schema.columns[0]!.classNames).toEqual(['a', 'é']);
});

const sequences = (args: Args) => loadSource({ name: 'sequences', args }, { resolvePath: path => path });

test('sequences: next is one ahead, the seed alone decides, and a pair has at most three followers', async () => {
  const set = await sequences({ samples: 200, length: 30, symbols: 5 });
  const [tokens, next] = set.columns.map(column => column.data);
  const followers = new Map<number, Set<number>>();
  for (let at = 0; at < tokens!.length; at++) {
    if (at % 30 === 0) continue;
    expect(next![at - 1]).toBe(tokens![at]);
    const pair = tokens![at - 1]! * 5 + tokens![at]!;
    followers.set(pair, (followers.get(pair) ?? new Set()).add(next![at]!));
  }
  expect(Math.max(...[...followers.values()].map(each => each.size))).toBeLessThanOrEqual(3);
  expect(arrays(await sequences({ samples: 200, length: 30, symbols: 5 }))).toEqual(arrays(set));
  expect(arrays(await sequences({ samples: 200, length: 30, symbols: 5, seed: 1 }))).not.toEqual(arrays(set));
});

test('sequences: the schema is that of what is loaded', async () => {
  const args = { samples: 7, length: 4, symbols: 9 };
  const { samples, columns } = await sequences(args);
  expect(await readSchema({ name: 'sequences', args }, path => path)).toEqual({
    samples,
    columns: columns.map(({ data: _, ...column }) => column),
  });
});
