/** CSV text to a table: the header checked, ragged rows refused with their line. */
import Papa from 'papaparse';
import { EngineError } from '../util/errors.ts';
import type { DataFile } from './file.ts';
import { demandWithin, LIMITS } from './limits.ts';
import type { Cell, Table } from './table.ts';

/** Spellings of "no value", as pandas' `read_csv` takes them, and the question mark of the UCI tables. */
const MISSING = new Set(['', 'NA', 'N/A', 'n/a', 'NaN', 'nan', 'NULL', 'null', 'None', '?']);

/**
 * Parses RFC 4180 text (comma, semicolon or tab separated, by what the header has); of one that is not `whole` all but the last row, which may be
 * cut in the middle of a cell. Throws `data-malformed`, `data-empty`.
 */
export function parseTable(file: DataFile, text: string, whole = true): Table {
  const clean = text.replace(/^\uFEFF/, '');
  const parsed = Papa.parse<string[]>(clean, { delimiter: delimiterOf(clean) });
  if (!whole) parsed.data.pop();
  const kept = parsed.data.map((cells, at) => ({ cells, at })).filter(({ cells }) => !isBlank(cells));
  const header = (kept[0]?.cells ?? []).map(cell => cell.trim());
  const lineOf = (at: number): number => lineOfRecord(clean, at);
  for (const error of parsed.errors) {
    if (error.type === 'Quotes' && (whole || (error.row ?? 0) < parsed.data.length))
      throw malformed(file, lineOf(error.row ?? 0), 'expected a closing quote, found the end of the text');
  }
  demandHeader(file, header);
  demandWithin(file.name, 'rows', kept.length - 1, LIMITS.rows);
  for (const { cells, at } of kept) {
    if (cells.length !== header.length)
      throw malformed(file, lineOf(at), `expected ${header.length} cells, found ${cells.length}`);
  }
  if (kept.length < 2) throw new EngineError('data-empty', `${file.name}: expected rows below the header, found none`);
  const rows = kept.slice(1);
  const columns = header.map((name, column) => ({
    name,
    kind: 'text' as const,
    cells: rows.map(({ cells }) => cellOf(cells[column]!)),
  }));
  return { rows: rows.length, columns, placeOf: row => `line ${lineOf(rows[row]?.at ?? 0)}` };
}

function cellOf(text: string): Cell {
  const cell = text.trim();
  return MISSING.has(cell) ? undefined : cell;
}

function delimiterOf(text: string): string {
  const end = text.indexOf('\n');
  const first = end < 0 ? text : text.slice(0, end);
  const count = (mark: string): number => first.split(mark).length;
  return [',', ';', '\t'].reduce((best, mark) => (count(mark) > count(best) ? mark : best));
}

function demandHeader(file: DataFile, header: readonly string[]): void {
  if (header.length === 0) throw new EngineError('data-empty', `${file.name}: expected a header line, found no text`);
  demandWithin(file.name, 'columns', header.length, LIMITS.columns);
  const nameless = header.indexOf('');
  if (nameless >= 0) throw malformed(file, 1, `expected a name for column ${nameless + 1}, found none`);
  const twice = header.find((name, at) => header.indexOf(name) !== at);
  if (twice !== undefined) throw malformed(file, 1, `expected different column names, found "${twice}" twice`);
  if (header.every(name => Number.isFinite(Number(name)))) {
    throw malformed(file, 1, 'expected a header with the names of the columns, found numbers; add a first line');
  }
}

function isBlank(cells: readonly string[]): boolean {
  return cells.length === 1 && cells[0]?.trim() === '';
}

function lineOfRecord(text: string, record: number): number {
  let at = 0;
  let start = 0;
  Papa.parse<string[]>(text, {
    delimiter: delimiterOf(text),
    step(result, parser) {
      if (at++ === record) parser.abort();
      else start = result.meta.cursor;
    },
  });
  return text.slice(0, start).split('\n').length;
}

function malformed(file: DataFile, line: number, what: string): EngineError {
  return new EngineError('data-malformed', `${file.name}, line ${line}: ${what}`);
}
