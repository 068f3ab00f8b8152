/** The `text` source: a file as windows of characters, each with the character that follows; what language models learn from. */
import type { Call, ColumnSchema } from '../ir/program.ts';
import { EngineError } from '../util/errors.ts';
import { type DataFile, decodeText, readHead, readWhole } from './file.ts';
import { demandWithin, LIMITS } from './limits.ts';
import { countArgument, type DataSchema, fileArgument, type SourceColumn, type SourceReader } from './schema.ts';

/** Bytes of text that are trained on at most. */
const TEXT_BYTES = 2 ** 28;

/**
 * `text(path, window, stride)`: columns `tokens` and `next`, index(V) [window], the second one character ahead of the first. Windows start
 * every `stride` characters; V counts the distinct characters (code points), whose index is their place in the order of code points. The alphabet
 * is that of the first 16 MiB; line ends are read as \n.
 */
export const textReader: SourceReader = {
  schema(args, resolvePath): DataSchema {
    const file = fileArgument(args, 'path', resolvePath);
    const cut = cutOf(args);
    const bytes = readHead(file, LIMITS.schemaBytes);
    const text = decode(file, bytes, bytes.length < LIMITS.schemaBytes);
    const alphabet = alphabetOf(file, text);
    return { samples: windowCount(file, codePoints(text), cut), columns: columnsOf(cut, alphabet) };
  },
  async load(args, { resolvePath, expected }) {
    const file = fileArgument(args, 'path', resolvePath);
    const cut = cutOf(args);
    const text = decode(file, await readWhole(file, TEXT_BYTES), true);
    const alphabet = expectedAlphabet(expected) ?? alphabetOf(file, text);
    const indices = encode(file, text, alphabet);
    const samples = windowCount(file, indices.length, cut);
    demandWithin(
      file.name,
      'bytes of windows, which a longer stride makes fewer',
      samples * cut.window * 8,
      LIMITS.dataBytes,
    );
    const [tokens, next] = columnsOf(cut, alphabet);
    return {
      samples,
      columns: [
        { ...tokens!, data: windows(indices, samples, cut, 0) },
        { ...next!, data: windows(indices, samples, cut, 1) },
      ],
    };
  },
};

/** How a text is cut, in characters. */
interface Cut {
  readonly window: number;
  readonly stride: number;
}

function cutOf(args: Call['args']): Cut {
  const window = countArgument(args, 'window', 64, 1, 65_536);
  const stride = countArgument(args, 'stride', 0, 0, 2 ** 30);
  return { window, stride: stride === 0 ? window : stride };
}

/** Text of a file, its line ends read as \n. */
function decode(file: DataFile, bytes: Uint8Array, whole: boolean): string {
  return decodeText(file, bytes, whole).replaceAll('\r\n', '\n');
}

/** The distinct characters in the order of their code points. */
function alphabetOf(file: DataFile, text: string): readonly string[] {
  const alphabet = [...new Set(text)].sort((a, b) => a.codePointAt(0)! - b.codePointAt(0)!);
  demandWithin(file.name, 'different characters', alphabet.length, LIMITS.categories);
  return alphabet;
}

/** The alphabet that the program was checked with. */
function expectedAlphabet(expected: readonly ColumnSchema[] | undefined): readonly string[] | undefined {
  return expected?.find(column => column.name === 'tokens')?.classNames;
}

function codePoints(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}

function encode(file: DataFile, text: string, alphabet: readonly string[]): Int32Array {
  const indexOf = new Map(alphabet.map((character, index) => [character, index]));
  const indices = new Int32Array(text.length);
  let count = 0;
  let line = 1;
  for (const character of text) {
    const index = indexOf.get(character);
    if (index === undefined) {
      throw new EngineError(
        'data-out-of-range',
        `${file.name}, line ${line}: expected one of the ${alphabet.length} characters of the training text, found ${JSON.stringify(character)}; remove it, or add it to the training text`,
      );
    }
    if (character === '\n') line++;
    indices[count++] = index;
  }
  return indices.subarray(0, count);
}

/** Whole windows that have a next character throughout. */
function windowCount(file: DataFile, characters: number, { window, stride }: Cut): number {
  if (characters > window) return Math.floor((characters - 1 - window) / stride) + 1;
  throw new EngineError(
    'data-empty',
    `${file.name}: expected at least ${window + 1} characters for a window of ${window}, found ${characters}; lower the window or add text`,
  );
}

function columnsOf({ window }: Cut, alphabet: readonly string[]): SourceColumn[] {
  const column = { dtype: 'i32', shape: [window], classes: alphabet.length, classNames: alphabet } as const;
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
