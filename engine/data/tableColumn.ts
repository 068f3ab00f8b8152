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
 * Whole numbers are i32, other numbers and whole numbers with gaps f32 (a gap is NaN), ISO dates f32 in days since 1970-01-01,
 * anything else a category, and numbers too where `asCategory`: i32 with its names in order of the alphabet or of size, a gap is -1.
 */
export function columnSchema(file: DataFile, table: Table, at: number, asCategory = false): ColumnSchema {
  const name = table.header[at]!;
  const values = new Set<string>();
  let missing = 0;
  for (const row of table.rows) {
    const cell = row[at]!.trim();
    if (MISSING.has(cell)) missing++;
    else values.add(cell);
  }
  const texts = [...values];
  if (asCategory) return category(file, name, texts);
  demandNoStrays(file, table, at);
  if (texts.length > 0 && texts.every(text => daysOf(text) !== undefined)) return { name, dtype: 'f32', shape: [] };
  if (texts.every(isNumber)) {
    const whole = missing === 0 && texts.every(text => /^[+-]?\d+$/.test(text) && Math.abs(Number(text)) < 2 ** 31);
    return { name, dtype: whole ? 'i32' : 'f32', shape: [] };
  }
  return category(file, name, texts);
}

function category(file: DataFile, name: string, texts: readonly string[]): ColumnSchema {
  demandWithin(`${file.name}, column "${name}"`, 'different texts', texts.length, LIMITS.categories);
  const bySize = (a: string, b: string) => Number(a) - Number(b);
  const classNames = texts.every(isNumber) ? texts.toSorted(bySize) : texts.toSorted();
  return { name, dtype: 'i32', shape: [], classes: texts.length, classNames };
}

/** Above this share of numbers or dates, a text among them is taken for a mistake and not for one more category. */
const MOSTLY = 0.9;

/** Throws `data-malformed` for the odd text in a column of numbers or dates: as categories they would be dropped from `features` in silence. */
function demandNoStrays(file: DataFile, table: Table, at: number): void {
  const cells = table.rows.map(row => row[at]!.trim());
  const present = cells.filter(cell => !MISSING.has(cell)).length;
  const kinds = [
    { one: 'a number', many: 'numbers', fits: isNumber },
    { one: 'a date such as 2024-12-31', many: 'dates', fits: (cell: string) => daysOf(cell) !== undefined },
  ];
  for (const { one, many, fits } of kinds) {
    const fitting = cells.filter(fits).length;
    if (fitting === present || fitting < MOSTLY * present) continue;
    const row = cells.findIndex(cell => !MISSING.has(cell) && !fits(cell));
    const place = `${file.name}, line ${table.lineOf(row)}, column "${table.header[at]}"`;
    const found = `"${cells[row]!.slice(0, 40)}" among ${fitting} ${many}`;
    throw new EngineError('data-malformed', `${place}: expected ${one}, found ${found}; mend the cell or empty it`);
  }
}

/** Encodes column `at` as `schema` says. Throws `data-out-of-range` for a new category, `data-malformed` for a text among numbers. */
export function fillColumn(file: DataFile, table: Table, at: number, schema: ColumnSchema): DataColumn {
  const data = schema.dtype === 'f32' ? new Float32Array(table.rows.length) : new Int32Array(table.rows.length);
  const encode = encoderOf(table, at, schema);
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

/** A column of dates is told from one of numbers by its first value: both are f32. */
function encoderOf(table: Table, at: number, schema: ColumnSchema): Encoder {
  if (schema.classNames) return categoryEncoder(schema.classNames);
  if (schema.dtype !== 'f32') return whole;
  const first = table.rows.find(row => !MISSING.has(row[at]!.trim()))?.[at];
  return first !== undefined && daysOf(first.trim()) !== undefined ? daysOf : decimal;
}

const decimal: Encoder = cell => (isNumber(cell) ? Number(cell) : undefined);
const whole: Encoder = cell => (isNumber(cell) && Number.isInteger(Number(cell)) ? Number(cell) : undefined);

function categoryEncoder(names: readonly string[]): Encoder {
  const codes = new Map(names.map((name, code) => [name, code]));
  return cell => codes.get(cell);
}

/** Milliseconds of a day. */
const DAY = 86_400_000;
const ISO_DATE = /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d(?:\.\d+)?))?(Z|[+-]\d\d:?\d\d)?)?$/;

/**
 * Days since 1970-01-01 of a date, or of a date with a time (in UTC where it names no zone), as ISO 8601 writes them; undefined for other
 * text and for days that no calendar has. In f32 a time of today is exact to about three minutes.
 */
export function daysOf(text: string): number | undefined {
  const parts = ISO_DATE.exec(text);
  if (!parts) return undefined;
  const [year, month, day, hour, minute, second] = parts.slice(1, 7).map(part => Number(part ?? 0));
  const midnight = Date.UTC(year!, month! - 1, day);
  const known = new Date(midnight);
  if (known.getUTCMonth() !== month! - 1 || known.getUTCDate() !== day) return undefined;
  if (hour! > 23 || minute! > 59 || second! >= 61) return undefined;
  const time = (hour! * 60 + minute! - offsetOf(parts[7])) * 60 + second!;
  return (midnight + time * 1000) / DAY;
}

/** Minutes that a zone such as `+01:30` is ahead of UTC. */
function offsetOf(zone: string | undefined): number {
  if (zone === undefined || zone === 'Z') return 0;
  const minutes = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(-2));
  return zone.startsWith('-') ? -minutes : minutes;
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
