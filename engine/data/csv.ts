/** The `csv` source: a table with a header, one column a field; types, categories and missing values are found in the file. */
import type { Call, ColumnSchema } from '../ir/program.ts';
import { EngineError } from '../util/errors.ts';
import { parseTable, type Table } from './csvTable.ts';
import { type TextCut, textColumn, textCutOf } from './csvText.ts';
import { type DataFile, decodeText, readHead, readWhole } from './file.ts';
import { LIMITS } from './limits.ts';
import { type DataColumn, type DataSet, fileArgument, optionalText, type SourceReader, schemaOf } from './schema.ts';
import { columnSchema, fillColumn } from './tableColumn.ts';

/**
 * `csv(path, target, categories, texts, …)`: a column a field, f32, i32 or category (i32 with classes); columns named in `categories`, with commas
 * between, are categories even where they hold numbers, those in `texts` rows of tokens, cut as the rest of the arguments say. With `target`, which must have no missing values, there is also `features`: all
 * other numeric columns, in order, as f32 [F]. The schema is inferred from the first 16 MiB.
 */
export const csvReader: SourceReader = {
  schema(args, resolvePath) {
    const file = fileArgument(args, 'path', resolvePath);
    const bytes = readHead(file, LIMITS.schemaBytes);
    const whole = bytes.length < LIMITS.schemaBytes;
    const text = decodeText(file, bytes, whole);
    const table = parseTable(file, whole ? text : text.slice(0, text.lastIndexOf('\n') + 1));
    return schemaOf(toDataSet(file, table, wishesOf(args)));
  },
  async load(args, { resolvePath, expected }) {
    const file = fileArgument(args, 'path', resolvePath);
    const table = parseTable(file, decodeText(file, await readWhole(file, 2 ** 29), true));
    return toDataSet(file, table, wishesOf(args), expected);
  },
};

/** What a program says of the columns. */
interface Wishes {
  readonly target: string | undefined;
  readonly categories: readonly string[];
  readonly texts: readonly string[];
  readonly cut: TextCut;
}

function wishesOf(args: Call['args']): Wishes {
  const [categories, texts] = ['categories', 'texts'].map(name =>
    (optionalText(args, name) ?? '')
      .split(',')
      .map(each => each.trim())
      .filter(each => each !== ''),
  );
  return { target: optionalText(args, 'target'), categories: categories!, texts: texts!, cut: textCutOf(args) };
}

function toDataSet(
  file: DataFile,
  table: Table,
  { target, categories, texts, cut }: Wishes,
  expected?: readonly ColumnSchema[],
): DataSet {
  for (const name of [...categories, ...texts]) demandColumn(file, table, name);
  const columns = table.header.map((name, at): DataColumn => {
    const known = expected?.find(column => column.name === name);
    if (texts.includes(name)) return textColumn(file, table, at, cut, known);
    return fillColumn(file, table, at, known ?? columnSchema(file, table, at, categories.includes(name)));
  });
  if (target === undefined) return { samples: table.rows.length, columns };
  demandTarget(file, table, columns, target);
  const features = featuresOf(file, table, columns, target);
  return { samples: table.rows.length, columns: [...columns, ...features], target };
}

/** Where the column stands. */
function demandColumn(file: DataFile, table: Table, name: string): number {
  const at = table.header.indexOf(name);
  if (at >= 0) return at;
  throw new EngineError(
    'data-malformed',
    `${file.name}: expected a column "${name}", found ${table.header.join(', ')}`,
  );
}

function demandTarget(file: DataFile, table: Table, columns: readonly DataColumn[], target: string): void {
  const at = demandColumn(file, table, target);
  if (!columns[at]?.missing) return;
  const row = columns[at].data.findIndex(value => Number.isNaN(value) || value < 0);
  throw new EngineError(
    'data-not-finite',
    `${file.name}, line ${table.lineOf(row)}: expected a value for the target "${target}", found none; remove the row or fill it in`,
  );
}

/** The numeric columns but the target, side by side; none if there is no such column. */
function featuresOf(file: DataFile, table: Table, columns: readonly DataColumn[], target: string): DataColumn[] {
  const numeric = columns.filter(column => column.classes === undefined && column.name !== target);
  if (numeric.length === 0) return [];
  if (table.header.includes('features')) {
    throw new EngineError(
      'data-malformed',
      `${file.name}: expected no column "features" beside a target, which names all others together`,
    );
  }
  const data = new Float32Array(table.rows.length * numeric.length);
  for (let row = 0, at = 0; row < table.rows.length; row++) {
    for (const column of numeric) data[at++] = column.data[row]!;
  }
  const missing = numeric.reduce((count, column) => count + (column.missing ?? 0), 0);
  return [{ name: 'features', dtype: 'f32', shape: [numeric.length], data, ...(missing > 0 && { missing }) }];
}
