/** A Parquet file: which of its columns can be used, and their cells; what it says of its sizes is checked before it is believed. */
import {
  type AsyncBuffer,
  type ColumnChunk,
  type FileMetaData,
  parquetMetadata,
  parquetScan,
  parquetSchema,
  type SchemaElement,
  type SchemaTree,
} from 'hyparquet';
import { getSchemaPath } from 'hyparquet/src/schema.js';
import { compressors } from 'hyparquet-compressors';
import { EngineError } from '../util/errors.ts';
import { type DataFile, readRange, sizeOfFile } from './file.ts';
import { demandWithin, LIMITS } from './limits.ts';
import { demandPages } from './parquetPages.ts';
import type { Cell, ColumnKind } from './table.ts';
import { DAY } from './tableColumn.ts';

export interface ParquetColumn {
  readonly name: string;
  readonly kind: ColumnKind;
  /** The footer counts values that are missing. */
  readonly gaps: boolean;
}

export interface ParquetFile {
  readonly rows: number;
  /** Of all columns, decompressed, as the footer says. */
  readonly bytes: number;
  readonly columns: readonly ParquetColumn[];
  /** Names of the columns whose types no field can have. */
  readonly leftOut: readonly string[];
  /** The first `rows` cells of a column. Throws `data-malformed`. */
  readonly read: (column: ParquetColumn, rows: number) => Promise<readonly Cell[]>;
}

/** The footer's length and the mark at the end. */
const TAIL = 8;

/** Days since 1970, as tables have dates. */
const parsers = {
  dateFromDays: (days: number) => days,
  timestampFromMilliseconds: (time: bigint) => Number(time) / DAY,
  timestampFromMicroseconds: (time: bigint) => Number(time) / 1000 / DAY,
  timestampFromNanoseconds: (time: bigint) => Number(time) / 1e6 / DAY,
  stringFromBytes: (bytes: Uint8Array | undefined) => bytes && new TextDecoder('utf-8', { fatal: true }).decode(bytes),
};

/** Reads the footer. Throws `data-missing`, `data-empty`, `data-malformed`. */
export function openParquet(file: DataFile): Promise<ParquetFile> {
  return guarded(file, 'the footer', async () => {
    const size = sizeOfFile(file);
    const metadata = footerOf(file, size);
    const bytes = demandSizes(file, metadata, size);
    const named = parquetSchema(metadata).children.map(node => {
      const { name } = node.element;
      return { name, kind: kindOf(node), gaps: hasGaps(metadata, name) };
    });
    return {
      rows: Number(metadata.num_rows),
      bytes,
      columns: named.filter((column): column is ParquetColumn => column.kind !== undefined),
      leftOut: named.filter(({ kind }) => kind === undefined).map(({ name }) => name),
      read: ({ name }, count) =>
        guarded(file, `column "${name}"`, () => readCells({ file, size, metadata }, name, count)),
    };
  });
}

function footerOf(file: DataFile, size: number): FileMetaData {
  const tail = readRange(file, -TAIL, TAIL);
  const mark = new TextDecoder().decode(tail.subarray(4));
  if (tail.length < TAIL || mark !== 'PAR1') {
    const found = mark === 'PARE' ? 'an encrypted one' : 'another end; it is cut or of another kind';
    throw malformed(file, `expected a Parquet file, found ${found}`);
  }
  const length = new DataView(tail.buffer, tail.byteOffset).getUint32(0, true);
  demandWithin(file.name, 'bytes of footer', length, Math.min(LIMITS.schemaBytes, size));
  return parquetMetadata(readRange(file, -TAIL - length, TAIL + length), { geoparquet: false });
}

/** The decompressed bytes of all columns; row groups must add up, and chunks lie in the file. */
function demandSizes(file: DataFile, { num_rows, row_groups }: FileMetaData, size: number): number {
  const rows = row_groups.reduce((sum, group) => sum + Number(group.num_rows), 0);
  if (rows !== Number(num_rows)) throw malformed(file, `expected ${num_rows} rows in its row groups, found ${rows}`);
  let bytes = 0;
  for (const chunk of row_groups.flatMap(group => group.columns)) {
    const { start, end } = placeOf(file, chunk);
    if (start < 0 || end < start || end > size)
      throw malformed(file, 'expected its columns within the file, found a place beyond its end');
    bytes += Number(chunk.meta_data?.total_uncompressed_size ?? 0);
  }
  demandWithin(file.name, 'bytes of columns', bytes, LIMITS.dataBytes);
  return bytes;
}

function placeOf(
  file: DataFile,
  { file_path, meta_data }: ColumnChunk,
): { readonly start: number; readonly end: number } {
  if (meta_data === undefined || file_path !== undefined)
    throw malformed(file, 'expected its columns in the file itself, found them elsewhere');
  const { dictionary_page_offset: dictionary, data_page_offset: data, total_compressed_size: length } = meta_data;
  const start = Number(dictionary !== undefined && dictionary > 0n && dictionary < data ? dictionary : data);
  return { start, end: start + Number(length) };
}

/** Texts and truth values are categories; of nested columns lists of numbers alone can be fields. */
function kindOf(node: SchemaTree): ColumnKind | undefined {
  const path = lineOf(node);
  const leaf = path?.at(-1)?.element;
  if (path === undefined || leaf === undefined) return undefined;
  const kind = scalarKind(leaf);
  const lists = path.filter(({ element }) => element.repetition_type === 'REPEATED').length;
  if (lists === 0) return path.length === 1 ? kind : undefined;
  if (lists > 1) return undefined;
  return kind === 'whole' ? 'wholes' : kind === 'real' ? 'reals' : undefined;
}

/** The nodes from a column to its only leaf, or undefined if there are several. */
function lineOf(node: SchemaTree): readonly SchemaTree[] | undefined {
  const [child, other] = node.children;
  if (child === undefined) return [node];
  const rest = other === undefined ? lineOf(child) : undefined;
  return rest && [node, ...rest];
}

function scalarKind({ type, converted_type: converted, logical_type: logical }: SchemaElement): ColumnKind | undefined {
  const meaning = logical?.type ?? converted ?? '';
  if (type === 'BOOLEAN' || ['UTF8', 'STRING', 'ENUM'].includes(meaning)) return 'category';
  if (type === 'INT96' || /^(DATE|TIMESTAMP.*|DECIMAL|FLOAT16)$/.test(meaning)) return 'real';
  if (type === 'FLOAT' || type === 'DOUBLE') return 'real';
  const whole = meaning === '' || /^U?INT(EGER)?(_\d+)?$/.test(meaning);
  return (type === 'INT32' || type === 'INT64') && whole ? 'whole' : undefined;
}

function hasGaps({ row_groups }: FileMetaData, name: string): boolean {
  const chunks = row_groups.flatMap(group => group.columns.filter(c => c.meta_data?.path_in_schema[0] === name));
  return chunks.some(chunk => Number(chunk.meta_data?.statistics?.null_count ?? 0) > 0);
}

interface Opened {
  readonly file: DataFile;
  readonly size: number;
  readonly metadata: FileMetaData;
}

/** Row group after row group, each column chunk read and checked by itself. */
async function readCells({ file, size, metadata }: Opened, name: string, rows: number): Promise<Cell[]> {
  const cells: Cell[] = [];
  let chunk = { start: 0, bytes: new ArrayBuffer(0) };
  const buffer: AsyncBuffer = {
    byteLength: size,
    slice: (start, end = size) => chunk.bytes.slice(start - chunk.start, end - chunk.start),
  };
  const scan = await parquetScan({
    file: buffer,
    metadata,
    columns: [name],
    compressors,
    parsers,
    geoparquet: false,
    useOffsetIndex: false,
  });
  let rowStart = 0;
  for (const group of metadata.row_groups) {
    const rowEnd = Math.min(rowStart + Number(group.num_rows), rows);
    const found = group.columns.find(column => column.meta_data?.path_in_schema[0] === name);
    const meta = found?.meta_data;
    if (rowEnd <= rowStart || found === undefined || meta === undefined) break;
    const { start, end } = placeOf(file, found);
    const bytes = readRange(file, start, end - start);
    const path = getSchemaPath(metadata.schema, meta.path_in_schema);
    demandPages(bytes, { meta, path, rows: Number(group.num_rows), wanted: rowEnd - rowStart });
    chunk = { start, bytes: new Uint8Array(bytes).buffer };
    const values = await scan.readColumn({ column: name, rowStart, rowEnd });
    for (const value of values) cells.push(cellOf(value));
    rowStart = rowEnd;
  }
  if (cells.length !== rows) throw malformed(file, `expected ${rows} rows of "${name}", found ${cells.length}`);
  return cells;
}

/** NaN is a gap, as in other tables; truth values become texts. */
function cellOf(value: unknown): Cell {
  if (typeof value === 'string') return value;
  if (typeof value === 'boolean') return String(value);
  if (Array.isArray(value) || ArrayBuffer.isView(value))
    return Array.from(value as unknown[], item => Number(item ?? Number.NaN));
  if (value === null || value === undefined) return undefined;
  const number = Number(value);
  return Number.isNaN(number) ? undefined : number;
}

/** What the decoder throws names neither file nor remedy. */
async function guarded<T>(file: DataFile, part: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof EngineError) throw cause;
    const why = cause instanceof Error ? ` (${cause.message.slice(0, 120)})` : '';
    throw new EngineError(
      'data-malformed',
      `${file.name}: expected ${part} of a Parquet file, found damaged bytes${why}; write it again`,
      { cause },
    );
  }
}

function malformed(file: DataFile, what: string): EngineError {
  return new EngineError('data-malformed', `${file.name}: ${what}; write it again`);
}
