/** The `parquet` source: a column a field, types from the footer, categories and lengths of lists from the rows. */
import type { ColumnSchema } from '../ir/program.ts';
import { EngineError } from '../util/errors.ts';
import type { DataFile } from './file.ts';
import { demandWithin, LIMITS } from './limits.ts';
import { openParquet, type ParquetFile } from './parquetFile.ts';
import { fileArgument, type SourceReader, schemaOf } from './schema.ts';
import { type Cell, type Table, type TableColumn, tableSet, wishesOf } from './table.ts';
import { isListKind } from './tableColumn.ts';

/**
 * `parquet(path, target, categories)`: as `csv`, but the file says what its columns are. Numbers are f32, or i32 where they are whole, fit and
 * have no gaps; texts and truth values categories; dates and times days since 1970; lists of numbers, all of one length, vectors. Columns of
 * other types (maps, structures, bytes, lists of texts) are left out. The schema is that of the footer and of rows of at most 16 MiB.
 */
export const parquetReader: SourceReader = {
  async schema(args, resolvePath) {
    const file = fileArgument(args, 'path', resolvePath);
    const opened = await openParquet(file);
    const head = Math.max(1, Math.floor(LIMITS.schemaBytes / Math.max(1, opened.bytes / opened.rows)));
    const table = await tableOf(file, opened, Math.min(opened.rows, head));
    const { columns } = schemaOf(tableSet(file, table, wishesOf(args)));
    return { samples: opened.rows, columns };
  },
  async load(args, { resolvePath, expected }) {
    const file = fileArgument(args, 'path', resolvePath);
    return tableSet(file, await readParquet(file, expected), wishesOf(args), expected);
  },
};

/** All rows of a file, with the columns that are `expected` whatever their lists' lengths are. */
export async function readParquet(file: DataFile, expected: readonly ColumnSchema[] = []): Promise<Table> {
  const opened = await openParquet(file);
  return tableOf(file, opened, opened.rows, expected);
}

/** The first rows of a file; lists of different lengths are no vectors. */
async function tableOf(
  file: DataFile,
  opened: ParquetFile,
  rows: number,
  expected: readonly ColumnSchema[] = [],
): Promise<Table> {
  demandColumns(file, opened);
  const columns: TableColumn[] = [];
  for (const column of opened.columns) {
    const cells = await opened.read(column, rows);
    const known = expected.some(({ name }) => name === column.name);
    if (!isListKind(column.kind) || known || isRegular(cells)) columns.push({ ...column, cells });
  }
  return { rows, columns, placeOf: row => `row ${row + 1}` };
}

function demandColumns(file: DataFile, { rows, columns, leftOut }: ParquetFile): void {
  demandWithin(file.name, 'rows', rows, LIMITS.rows);
  demandWithin(file.name, 'columns', columns.length, LIMITS.columns);
  if (rows === 0) throw new EngineError('data-empty', `${file.name}: expected rows, found none`);
  const twice = columns.find(({ name }, at) => columns.findIndex(other => other.name === name) !== at);
  if (twice !== undefined) {
    const what = `expected different column names, found "${twice.name}" twice`;
    throw new EngineError('data-malformed', `${file.name}: ${what}`);
  }
  if (columns.length > 0) return;
  const found = leftOut.length === 0 ? 'no columns' : `${leftOut.slice(0, 6).join(', ')} of other types`;
  throw new EngineError('data-malformed', `${file.name}: expected columns of numbers, texts or dates, found ${found}`);
}

function isRegular(cells: readonly Cell[]): boolean {
  const lengths = new Set(cells.flatMap(cell => (Array.isArray(cell) ? [cell.length] : [])));
  return lengths.size === 1 && !lengths.has(0);
}
