/** The `text` source: a file as windows of tokens, each with the token that follows; what language models learn from. */
import type { Call, ColumnSchema } from '../ir/program.ts';
import { EngineError } from '../util/errors.ts';
import { type DataFile, decodeText, readHead, readWhole } from './file.ts';
import { demandWithin, LIMITS } from './limits.ts';
import { countArgument, type DataSchema, fileArgument, type SourceColumn, type SourceReader } from './schema.ts';
import { createTokenizer, kindOf, LEARNED, learnVocabulary, type TokenKind } from './tokenizer.ts';

/** Bytes of text that are trained on at most. */
const TEXT_BYTES = 2 ** 28;

/**
 * `text(path, window, stride, tokens, vocabulary)`: columns `tokens` and `next`, index(V) [window], the second one token ahead of the first. Windows
 * start every `stride` tokens. Characters are code points, in their order; words the most frequent ones; for `bpe` pairs are learned from the first
 * half million characters. The vocabulary is that of the first 16 MiB, and travels with the program as class names; line ends are read as \n.
 */
export const textReader: SourceReader = {
  schema(args, resolvePath): DataSchema {
    const file = fileArgument(args, 'path', resolvePath);
    const cut = cutOf(args);
    const bytes = readHead(file, LIMITS.schemaBytes);
    const text = decode(file, bytes, bytes.length < LIMITS.schemaBytes);
    const vocabulary = learned(file, cut, text);
    const columns = columnsOf(cut, vocabulary);
    if (cut.kind === 'bpe') return { columns };
    return { samples: windowCount(file, encode(file, cut, text, vocabulary).length, cut), columns };
  },
  async load(args, { resolvePath, expected }) {
    const file = fileArgument(args, 'path', resolvePath);
    const cut = cutOf(args);
    const text = decode(file, await readWhole(file, TEXT_BYTES), true);
    const vocabulary = expectedVocabulary(expected) ?? learned(file, cut, text);
    const indices = encode(file, cut, text, vocabulary);
    const samples = windowCount(file, indices.length, cut);
    demandWithin(
      file.name,
      'bytes of windows, which a longer stride makes fewer',
      samples * cut.window * 8,
      LIMITS.dataBytes,
    );
    const [tokens, next] = columnsOf(cut, vocabulary);
    return {
      samples,
      columns: [
        { ...tokens!, data: windows(indices, samples, cut, 0) },
        { ...next!, data: windows(indices, samples, cut, 1) },
      ],
    };
  },
};

/** How a text is cut, in tokens. */
interface Cut {
  readonly window: number;
  readonly stride: number;
  readonly kind: TokenKind;
  /** Tokens of the vocabulary at most. */
  readonly size: number;
}

/** What the tokens are called in messages. */
const NOUNS: Readonly<Record<TokenKind, string>> = { characters: 'characters', words: 'words', bpe: 'tokens' };

function cutOf(args: Call['args']): Cut {
  const window = countArgument(args, 'window', 64, 1, 65_536);
  const stride = countArgument(args, 'stride', 0, 0, 2 ** 30);
  const size = countArgument(args, 'vocabulary', 1000, 2, LIMITS.categories);
  return { window, stride: stride === 0 ? window : stride, kind: kindOf(args.tokens ?? 'characters'), size };
}

/** Text of a file, its line ends read as \n. */
function decode(file: DataFile, bytes: Uint8Array, whole: boolean): string {
  return decodeText(file, bytes, whole).replaceAll('\r\n', '\n');
}

function learned(file: DataFile, { kind, size }: Cut, text: string): readonly string[] {
  const vocabulary = learnVocabulary(kind, text, size, LEARNED);
  demandWithin(file.name, 'different characters', vocabulary.length, LIMITS.categories);
  return vocabulary;
}

/** The vocabulary that the program was checked with. */
function expectedVocabulary(expected: readonly ColumnSchema[] | undefined): readonly string[] | undefined {
  return expected?.find(column => column.name === 'tokens')?.classNames;
}

function encode(file: DataFile, { kind }: Cut, text: string, vocabulary: readonly string[]): Int32Array {
  const result = createTokenizer(kind, vocabulary).encode(text);
  if (result instanceof Int32Array) return result;
  const line = text.slice(0, result.at).split('\n').length;
  const known = vocabulary.filter(token => [...token].length === 1).length;
  throw new EngineError(
    'data-out-of-range',
    `${file.name}, line ${line}: expected one of the ${known} characters of the training text, found ${JSON.stringify(result.strange)}; remove it, or add it to the training text`,
  );
}

/** Whole windows that have a next token throughout. */
function windowCount(file: DataFile, tokens: number, { window, stride, kind }: Cut): number {
  if (tokens > window) return Math.floor((tokens - 1 - window) / stride) + 1;
  throw new EngineError(
    'data-empty',
    `${file.name}: expected at least ${window + 1} ${NOUNS[kind]} for a window of ${window}, found ${tokens}; lower the window or add text`,
  );
}

function columnsOf({ window }: Cut, vocabulary: readonly string[]): SourceColumn[] {
  const column = { dtype: 'i32', shape: [window], classes: vocabulary.length, classNames: vocabulary } as const;
  return [
    { name: 'tokens', ...column },
    { name: 'next', ...column },
  ];
}

function windows(indices: Int32Array, samples: number, { window, stride }: Cut, ahead: number): Int32Array {
  const rows = new Int32Array(samples * window);
  for (let row = 0; row < samples; row++) {
    const start = row * stride + ahead;
    rows.set(indices.subarray(start, start + window), row * window);
  }
  return rows;
}
