/** A table of named columns, whatever file it comes from, to columns of the program: types, categories, tokens and gaps, and `features` beside a target. */
import type { Call, ColumnSchema } from '../ir/program.ts';
import { EngineError } from '../util/errors.ts';
import type { DataFile } from './file.ts';
import { type DataColumn, type DataSet, optionalText, type SourceColumn } from './schema.ts';
import { columnSchema, fillColumn } from './tableColumn.ts';
import { type TextCut, textColumn, textCutOf } from './textColumn.ts';

/** One value as the file has it; undefined where there is none. */
export type Cell = string | number | readonly number[] | undefined;

/**
 * What the cells of a column are: `text` of any kind, to be told from what it says (CSV); `category`, texts that stay texts; `whole` and `real`
 * numbers; `wholes` and `reals` lists of them, all of one length.
 */
export type ColumnKind = 'text' | 'category' | 'whole' | 'real' | 'wholes' | 'reals';

export interface TableColumn {
  readonly name: string;
  readonly kind: ColumnKind;
  readonly cells: readonly Cell[];
  /** The file says that values are missing, be it in rows that have not been read. */
  readonly gaps?: boolean;
}

export interface Table {
  readonly rows: number;
  readonly columns: readonly TableColumn[];
  /** Where row `row` stands in the file, for people: `line 7`. */
  readonly placeOf: (row: number) => string;
}

/** What a program says of the columns. */
export interface Wishes {
  readonly target: string | undefined;
  readonly categories: readonly string[];
  /** Columns to be cut into tokens, and how. */
  readonly texts: readonly string[];
  readonly cut: TextCut;
}

export function wishesOf(args: Call['args']): Wishes {
  return {
    target: optionalText(args, 'target'),
    categories: namesOf(args, 'categories'),
    texts: namesOf(args, 'texts'),
    cut: textCutOf(args),
  };
}

/** Names with commas between. */
function namesOf(args: Call['args'], argument: string): readonly string[] {
  const names = (optionalText(args, argument) ?? '').split(',').map(name => name.trim());
  return names.filter(name => name !== '');
}

/**
 * A column a field: f32, i32, category (i32 with classes), or a vector; with `target`, which must have no missing values, also `features`: all
 * other numeric columns, in order, as f32 [F]. `expected`: the columns to follow, of the program that is run.
 */
export function tableSet(file: DataFile, table: Table, wishes: Wishes, expected?: readonly ColumnSchema[]): DataSet {
  const { target, categories, texts, cut } = wishes;
  for (const name of [...categories, ...texts]) demandColumn(file, table, name);
  const columns = table.columns.map((column): DataColumn => {
    const known = expected?.find(({ name }) => name === column.name);
    if (texts.includes(column.name)) return textColumn(file, table, column, cut, known);
    return fillColumn(
      file,
      table,
      column,
      known ?? columnSchema(file, table, column, categories.includes(column.name)),
    );
  });
  if (target === undefined) return { samples: table.rows, columns };
  demandTarget(file, table, columns, target);
  return { samples: table.rows, columns: [...columns, ...featuresOf(file, table, columns, target)], target };
}

/** Where the column stands. */
function demandColumn(file: DataFile, { columns }: Table, name: string): number {
  const at = columns.findIndex(column => column.name === name);
  if (at >= 0) return at;
  const names = columns.map(column => column.name).join(', ');
  throw new EngineError('data-malformed', `${file.name}: expected a column "${name}", found ${names}`);
}

function demandTarget(file: DataFile, table: Table, columns: readonly DataColumn[], target: string): void {
  const at = demandColumn(file, table, target);
  if (!columns[at]?.missing) return;
  const row = table.columns[at]!.cells.indexOf(undefined);
  throw new EngineError(
    'data-not-finite',
    `${file.name}, ${table.placeOf(row)}: expected a value for the target "${target}", found none; remove the row or fill it in`,
  );
}

/** The numeric columns but the target, side by side; none if there is no such column. */
function featuresOf(file: DataFile, table: Table, columns: readonly DataColumn[], target: string): DataColumn[] {
  const numeric = columns.filter(column => isNumeric(column) && column.name !== target);
  if (numeric.length === 0) return [];
  if (table.columns.some(({ name }) => name === 'features')) {
    throw new EngineError(
      'data-malformed',
      `${file.name}: expected no column "features" beside a target, which names all others together`,
    );
  }
  const data = sideBySide(table.rows, numeric);
  const missing = numeric.reduce((count, column) => count + (column.missing ?? 0), 0);
  return [{ name: 'features', dtype: 'f32', shape: [numeric.length], data, ...(missing > 0 && { missing }) }];
}

/** Numbers, one a row; `features` has a column of itself already, which is a vector. */
export function isNumeric({ classes, shape }: SourceColumn): boolean {
  return classes === undefined && shape.length === 0;
}

/** f32 [rows, columns]. */
export function sideBySide(rows: number, columns: readonly DataColumn[]): Float32Array {
  const data = new Float32Array(rows * columns.length);
  for (let row = 0, at = 0; row < rows; row++) {
    for (const column of columns) data[at++] = column.data[row]!;
  }
  return data;
}
