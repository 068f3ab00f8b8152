/** One column of a table: its type inferred from its cells, its cells encoded by its type. */
import type { HostArray } from '../backend/backend.ts';
import type { ColumnSchema } from '../ir/program.ts';
import { EngineError } from '../util/errors.ts';
import type { DataFile } from './file.ts';
import { demandWithin, LIMITS } from './limits.ts';
import type { DataColumn } from './schema.ts';
import type { Cell, ColumnKind, Table, TableColumn } from './table.ts';

/**
 * Of texts: whole numbers are i32, other numbers and whole numbers with gaps f32 (a gap is NaN), ISO dates f32 in days since 1970-01-01,
 * anything else a category, and numbers too where `asCategory`: i32 with its names in order of the alphabet or of size, a gap is -1.
 * Typed cells are what they are by the same rules; lists of numbers are vectors, f32 or i32.
 */
export function columnSchema(file: DataFile, table: Table, column: TableColumn, asCategory = false): ColumnSchema {
  const { name, kind, cells } = column;
  const gaps = column.gaps === true || cells.includes(undefined);
  if (isListKind(kind)) return vectorSchema(column, gaps);
  if (asCategory || kind === 'category') return category(file, name, textsOf(cells));
  if (kind !== 'text') return numeric(name, kind === 'whole' && !gaps && cells.every(isWhole));
  const texts = textsOf(cells);
  demandNoStrays(file, table, column);
  if (texts.length > 0 && texts.every(text => daysOf(text) !== undefined)) return numeric(name, false);
  if (!texts.every(isNumber)) return category(file, name, texts);
  return numeric(name, !gaps && texts.every(text => /^[+-]?\d+$/.test(text) && isWhole(Number(text))));
}

/** Whether cells are lists of numbers. */
export function isListKind(kind: ColumnKind): boolean {
  return kind === 'wholes' || kind === 'reals';
}

function numeric(name: string, whole: boolean): ColumnSchema {
  return { name, dtype: whole ? 'i32' : 'f32', shape: [] };
}

function vectorSchema({ name, kind, cells }: TableColumn, gaps: boolean): ColumnSchema {
  const [first] = cells.filter(cell => cell !== undefined);
  const whole = kind === 'wholes' && !gaps && cells.every(cell => isList(cell) && cell.every(isWhole));
  return { name, dtype: whole ? 'i32' : 'f32', shape: [isList(first) ? first.length : 0] };
}

/** The different texts of a column. */
function textsOf(cells: readonly Cell[]): readonly string[] {
  const texts = new Set(cells);
  texts.delete(undefined);
  return [...texts].map(String);
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
function demandNoStrays(file: DataFile, table: Table, { name, cells }: TableColumn): void {
  const present = cells.filter(cell => typeof cell === 'string');
  const kinds = [
    { one: 'a number', many: 'numbers', fits: isNumber },
    { one: 'a date such as 2024-12-31', many: 'dates', fits: (cell: string) => daysOf(cell) !== undefined },
  ];
  for (const { one, many, fits } of kinds) {
    const fitting = present.filter(fits).length;
    if (fitting === present.length || fitting < MOSTLY * present.length) continue;
    const stray = present.find(cell => !fits(cell)) ?? '';
    const place = `${file.name}, ${table.placeOf(cells.indexOf(stray))}, column "${name}"`;
    const found = `"${stray.slice(0, 40)}" among ${fitting} ${many}`;
    throw new EngineError('data-malformed', `${place}: expected ${one}, found ${found}; mend the cell or empty it`);
  }
}

/** Encodes a column as `schema` says. Throws `data-out-of-range` for a new category, `data-malformed` for a text among numbers. */
export function fillColumn(file: DataFile, table: Table, column: TableColumn, schema: ColumnSchema): DataColumn {
  const { cells } = column;
  const width = schema.shape.reduce((a, b) => a * b, 1);
  const floats = schema.dtype === 'f32';
  const data = floats ? new Float32Array(cells.length * width) : new Int32Array(cells.length * width);
  const encode = encoderOf(column, schema);
  let missing = 0;
  cells.forEach((cell, row) => {
    if (cell === undefined && (floats || schema.classes !== undefined)) {
      data.fill(floats ? Number.NaN : -1, row * width, (row + 1) * width);
      missing++;
    } else if (!encode(cell, data, row)) throw unexpected(file, table.placeOf(row), schema, cell);
  });
  return { ...schema, data, ...(missing > 0 && { missing }) };
}

/** Writes what a cell says to its row of `data`; false for a cell that isn't of its column's kind. */
type Encoder = (cell: Cell, data: HostArray, row: number) => boolean;

/** A column of dates is told from one of numbers by its first value: both are f32. */
function encoderOf({ cells }: TableColumn, { classNames, dtype, shape: [width] }: ColumnSchema): Encoder {
  if (classNames) return categoryEncoder(classNames);
  const check = dtype === 'f32' ? () => true : isWhole;
  if (width !== undefined) return vectorEncoder(width, check);
  const first = cells.find(cell => cell !== undefined);
  const dates = typeof first === 'string' && daysOf(first) !== undefined;
  return scalarEncoder(dates && dtype === 'f32' ? daysOf : numberOf, check);
}

function scalarEncoder(numberIn: (text: string) => number | undefined, check: (value: number) => boolean): Encoder {
  return (cell, data, row) => {
    const value = typeof cell === 'string' ? numberIn(cell) : cell;
    if (typeof value !== 'number' || !check(value)) return false;
    data[row] = value;
    return true;
  };
}

function vectorEncoder(width: number, check: (value: number) => boolean): Encoder {
  return (cell, data, row) => {
    if (!isList(cell) || cell.length !== width || !cell.every(check)) return false;
    data.set(cell, row * width);
    return true;
  };
}

function categoryEncoder(names: readonly string[]): Encoder {
  const codes = new Map(names.map((name, code) => [name, code]));
  return (cell, data, row) => {
    const code = codes.get(String(cell));
    if (code !== undefined) data[row] = code;
    return code !== undefined;
  };
}

/** Milliseconds of a day. */
export const DAY = 86_400_000;
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

function numberOf(text: string): number | undefined {
  return isNumber(text) ? Number(text) : undefined;
}

/** A whole number that i32 holds. */
function isWhole(value: Cell): boolean {
  return typeof value === 'number' && Number.isInteger(value) && Math.abs(value) < 2 ** 31;
}

function isList(cell: Cell): cell is readonly number[] {
  return Array.isArray(cell);
}

function unexpected(file: DataFile, row: string, schema: ColumnSchema, cell: Cell): EngineError {
  const place = `${file.name}, ${row}, column "${schema.name}"`;
  const found = isList(cell) ? `[${cell.slice(0, 6).join(', ')}] of ${cell.length}` : quoted(cell);
  if (schema.classNames) {
    const names = schema.classNames.slice(0, 6).join(', ');
    const more = schema.classNames.length > 6 ? ' …' : '';
    return new EngineError('data-out-of-range', `${place}: expected one of ${names}${more}, found ${found}`);
  }
  const [width] = schema.shape;
  const number = schema.dtype === 'f32' ? 'number' : 'whole number';
  const expected = width === undefined ? `a ${number}` : `a list of ${width} ${number}s`;
  return new EngineError('data-malformed', `${place}: expected ${expected}, found ${found}`);
}

function quoted(cell: string | number | undefined): string {
  if (cell === undefined) return 'nothing';
  return typeof cell === 'string' ? `"${cell.slice(0, 40)}"` : String(cell);
}
