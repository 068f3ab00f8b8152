/** One column of a table: its type inferred from its cells, its cells encoded by its type. */
import type { ColumnSchema } from '../ir/program.ts';
import { EngineError } from '../util/errors.ts';
import type { Table } from './csvTable.ts';
import type { DataFile } from './file.ts';
import { demandWithin, LIMITS } from './limits.ts';
import type { DataColumn } from './schema.ts';

/** Spellings of "no value", as pandas' `read_csv` takes them, and the question mark of the UCI tables. */
const MISSING = new Set(['', 'NA', 'N/A', 'n/a', 'NaN', 'nan', 'NULL', 'null', 'None', '?']);

/**
 * Whole numbers are i32, other numbers and whole numbers with gaps f32 (a gap is NaN), anything else a category:
 * i32 with its names in alphabetical order, a gap is -1.
 */
export function columnSchema(file: DataFile, table: Table, at: number): ColumnSchema {
  const name = table.header[at]!;
  const values = new Set<string>();
  let missing = 0;
  for (const row of table.rows) {
    const cell = row[at]!.trim();
    if (MISSING.has(cell)) missing++;
    else values.add(cell);
  }
  const texts = [...values];
  demandNoStrays(file, table, at);
  if (texts.every(isNumber)) {
    const whole = missing === 0 && texts.every(text => /^[+-]?\d+$/.test(text) && Math.abs(Number(text)) < 2 ** 31);
    return { name, dtype: whole ? 'i32' : 'f32', shape: [] };
  }
  demandWithin(`${file.name}, column "${name}"`, 'different texts', texts.length, LIMITS.categories);
  return { name, dtype: 'i32', shape: [], classes: texts.length, classNames: texts.sort() };
}

/** Above this share of numbers, a text among them is taken for a mistake and not for one more category. */
const MOSTLY = 0.9;

/** Throws `data-malformed` for the odd text in a column of numbers: as categories they would be dropped from `features` in silence. */
function demandNoStrays(file: DataFile, table: Table, at: number): void {
  const cells = table.rows.map(row => row[at]!.trim());
  const strays = cells.filter(cell => !MISSING.has(cell) && !isNumber(cell)).length;
  const numbers = cells.filter(isNumber).length;
  if (strays === 0 || numbers < MOSTLY * (numbers + strays)) return;
  const row = cells.findIndex(cell => !MISSING.has(cell) && !isNumber(cell));
  const place = `${file.name}, line ${table.lineOf(row)}, column "${table.header[at]}"`;
  const found = `"${cells[row]!.slice(0, 40)}" among ${numbers} numbers`;
  throw new EngineError('data-malformed', `${place}: expected a number, found ${found}; mend the cell or empty it`);
}

/** Encodes column `at` as `schema` says. Throws `data-out-of-range` for a new category, `data-malformed` for a text among numbers. */
export function fillColumn(file: DataFile, table: Table, at: number, schema: ColumnSchema): DataColumn {
  const data = schema.dtype === 'f32' ? new Float32Array(table.rows.length) : new Int32Array(table.rows.length);
  const encode = schema.classNames ? categoryEncoder(schema.classNames) : schema.dtype === 'f32' ? decimal : whole;
  let missing = 0;
  table.rows.forEach((row, index) => {
    const cell = row[at]!.trim();
    const value = MISSING.has(cell) ? undefined : encode(cell);
    if (value !== undefined) data[index] = value;
    else if (MISSING.has(cell) && encode !== whole) {
      data[index] = schema.dtype === 'f32' ? Number.NaN : -1;
      missing++;
    } else throw unexpected(file, table.lineOf(index), schema, cell);
  });
  return { ...schema, data, ...(missing > 0 && { missing }) };
}

/** The number a cell says, or undefined: what an encoder makes of text that isn't of its column's kind. */
type Encoder = (cell: string) => number | undefined;

const decimal: Encoder = cell => (isNumber(cell) ? Number(cell) : undefined);
const whole: Encoder = cell => (isNumber(cell) && Number.isInteger(Number(cell)) ? Number(cell) : undefined);

function categoryEncoder(names: readonly string[]): Encoder {
  const codes = new Map(names.map((name, code) => [name, code]));
  return cell => codes.get(cell);
}

function isNumber(text: string): boolean {
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text);
}

function unexpected(file: DataFile, line: number, schema: ColumnSchema, cell: string): EngineError {
  const place = `${file.name}, line ${line}, column "${schema.name}"`;
  const found = cell === '' ? 'nothing' : `"${cell.slice(0, 40)}"`;
  if (schema.classNames) {
    const names = schema.classNames.slice(0, 6).join(', ');
    return new EngineError(
      'data-out-of-range',
      `${place}: expected one of ${names}${schema.classNames.length > 6 ? ' …' : ''}, found ${found}`,
    );
  }
  return new EngineError(
    'data-malformed',
    `${place}: expected a ${schema.dtype === 'f32' ? '' : 'whole '}number, found ${found}`,
  );
}
