/** Columns of a table that hold texts: each cell cut into tokens, all rows of one length, the rest of a row filled with a token that says so. */
import type { Call, ColumnSchema } from '../ir/program.ts';
import { EngineError } from '../util/errors.ts';
import type { DataFile } from './file.ts';
import { demandWithin, LIMITS } from './limits.ts';
import { countArgument, type DataColumn } from './schema.ts';
import type { Table, TableColumn } from './table.ts';
import { createTokenizer, kindOf, LEARNED, learnVocabulary, type TokenKind } from './tokenizer.ts';

/** Token 0 of such a column: there is no more text. */
const PADDING = '<padding>';

/** How the texts of a table are cut. */
export interface TextCut {
  readonly kind: TokenKind;
  /** Tokens of the vocabulary at most, padding aside. */
  readonly size: number;
  /** Tokens of a row; 0: as many as the longest text has. */
  readonly length: number;
}

export function textCutOf(args: Call['args']): TextCut {
  return {
    kind: kindOf(args.tokens ?? 'words'),
    size: countArgument(args, 'vocabulary', 1000, 2, LIMITS.categories - 1),
    length: countArgument(args, 'length', 0, 0, 65_536),
  };
}

/** A column of texts as index(V) [length], padded at the end and cut where it is longer. Throws `data-malformed` for an empty text, `data-out-of-range` for strange characters. */
export function textColumn(
  file: DataFile,
  table: Table,
  { name, cells }: TableColumn,
  { kind, size, length }: TextCut,
  expected?: ColumnSchema,
): DataColumn {
  const texts = cells.map(cell => (cell === undefined ? '' : String(cell).trim()));
  const all = texts.join(kind === 'characters' ? '' : ' ');
  const vocabulary = expected?.classNames ?? [PADDING, ...learnVocabulary(kind, all, size, LEARNED)];
  demandWithin(`${file.name}, column "${name}"`, 'different characters', vocabulary.length, LIMITS.categories);
  const { encode } = createTokenizer(kind, vocabulary.slice(1));
  const encoded = texts.map((text, row) => {
    const tokens = encode(text);
    if (tokens instanceof Int32Array && tokens.length > 0) return tokens;
    const found = tokens instanceof Int32Array ? 'nothing' : JSON.stringify(tokens.strange);
    const wanted = found === 'nothing' ? 'a text' : 'one of the characters of the training texts';
    const code = found === 'nothing' ? 'data-malformed' : 'data-out-of-range';
    const place = `${file.name}, ${table.placeOf(row)}, column "${name}"`;
    throw new EngineError(code, `${place}: expected ${wanted}, found ${found}; mend the text or remove the row`);
  });
  const longest = encoded.reduce((most, tokens) => Math.max(most, tokens.length), 0);
  const width = (expected?.shape[0] as number | undefined) ?? (length || longest);
  demandWithin(file.name, 'bytes of tokens', texts.length * width * 4, LIMITS.dataBytes);
  const data = new Int32Array(texts.length * width);
  for (const [row, tokens] of encoded.entries())
    data.set(
      tokens.subarray(0, width).map(token => token + 1),
      row * width,
    );
  return { name, dtype: 'i32', shape: [width], classes: vocabulary.length, classNames: vocabulary, data };
}
