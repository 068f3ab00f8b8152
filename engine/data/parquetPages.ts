/** Pages of a Parquet column, looked through before they are decoded: the decoder believes what they say of their sizes, and a few bytes can say gigabytes. */
import type { ColumnMetaData, PageHeader, SchemaTree } from 'hyparquet';
import { parquetHeader } from 'hyparquet/src/column.js';
import { getMaxDefinitionLevel, getMaxRepetitionLevel } from 'hyparquet/src/schema.js';
import { compressors } from 'hyparquet-compressors';

/** Bytes of one page, decompressed; writers make pages of one MiB. */
const PAGE_BYTES = 2 ** 28;
/** Those whose lengths the decoder can't be led astray by, once runs are checked. */
const ENCODINGS = [
  'PLAIN',
  'PLAIN_DICTIONARY',
  'RLE_DICTIONARY',
  'RLE',
  'BYTE_STREAM_SPLIT',
  'DELTA_BINARY_PACKED',
  'DELTA_LENGTH_BYTE_ARRAY',
];

/** A column chunk as the footer has it. `path`: from the root of the schema to the column's leaf. */
export interface Chunk {
  readonly meta: ColumnMetaData;
  readonly path: readonly SchemaTree[];
  /** Rows of its row group. */
  readonly rows: number;
  /** Rows that will be decoded: pages behind them are not looked at, unless a list may go on in them. */
  readonly wanted: number;
}

/** Throws an error that says what is wrong with the first page that claims more than there is. */
export function demandPages(bytes: Uint8Array, { meta, path, rows, wanted }: Chunk): void {
  const levels = { repetition: getMaxRepetitionLevel([...path]), definition: getMaxDefinitionLevel([...path]) };
  const most = Number(meta.num_values);
  demand(levels.repetition > 0 ? most <= PAGE_BYTES : most === rows, `${rows} rows have ${most} values`);
  const reader = { view: viewOf(bytes), offset: 0 };
  let values = 0;
  while (reader.offset < bytes.length - 1 && (values < wanted || levels.repetition > 0)) {
    const header = parquetHeader(reader);
    const page = bytes.subarray(reader.offset, reader.offset + header.compressed_page_size);
    const entries = entriesOf(header);
    // A size that is missing is no number, and no comparison holds for it.
    demand(
      header.compressed_page_size >= 0 && reader.offset + header.compressed_page_size <= bytes.length,
      'a page ends beyond its column',
    );
    demand(
      header.uncompressed_page_size >= 0 && header.uncompressed_page_size <= PAGE_BYTES,
      `a page has ${header.uncompressed_page_size} bytes`,
    );
    demand(entries >= 0 && entries <= most, `a page has ${entries} of ${most} values`);
    reader.offset += header.compressed_page_size;
    if (header.dictionary_page_header !== undefined) continue;
    values += entries;
    demand(values <= most, `its pages have more than ${most} values`);
    if (header.data_page_header_v2) demandSecond(page, header, meta, levels);
    else demandFirst(unpacked(page, header.uncompressed_page_size, meta), header, levels);
  }
}

function entriesOf({ dictionary_page_header, data_page_header, data_page_header_v2 }: PageHeader): number {
  return (dictionary_page_header ?? data_page_header ?? data_page_header_v2)?.num_values ?? -1;
}

interface Levels {
  readonly repetition: number;
  readonly definition: number;
}

/** Levels with their lengths ahead, then values, all packed as one. */
function demandFirst(page: Uint8Array, { data_page_header: header }: PageHeader, levels: Levels): void {
  if (header === undefined) throw new Error('a page is of no known type');
  let at = 0;
  for (const level of [levels.repetition, levels.definition]) {
    if (level === 0) continue;
    const length = viewOf(page).getUint32(at, true);
    demandRuns(page.subarray(at + 4, at + 4 + length), widthOf(level), header.num_values);
    at += 4 + length;
  }
  demandValues(page.subarray(at), header.encoding, header.num_values);
}

/** Levels as they are, then values, which alone are packed. */
function demandSecond(
  page: Uint8Array,
  { data_page_header_v2: header, uncompressed_page_size }: PageHeader,
  meta: ColumnMetaData,
  levels: Levels,
): void {
  if (header === undefined) return;
  const { repetition_levels_byte_length: first, definition_levels_byte_length: second, num_values, num_nulls } = header;
  demand(first >= 0 && second >= 0 && first + second <= page.length, 'levels end beyond their page');
  demand(num_nulls >= 0 && num_nulls <= num_values, `${num_nulls} of ${num_values} values are missing`);
  if (levels.repetition > 0) demandRuns(page.subarray(0, first), widthOf(levels.repetition), num_values);
  if (levels.definition > 0) demandRuns(page.subarray(first, first + second), widthOf(levels.definition), num_values);
  const packed = page.subarray(first + second);
  const length = uncompressed_page_size - first - second;
  demand(length >= 0, 'a page is shorter than its levels');
  const plain = header.is_compressed === false || length === 0;
  demandValues(plain ? packed : unpacked(packed, length, meta), header.encoding, num_values - num_nulls);
}

function demandValues(values: Uint8Array, encoding: string, most: number): void {
  demand(ENCODINGS.includes(encoding), `its encoding ${encoding} can't be read; choose plain or dictionary encoding`);
  if (encoding.endsWith('DICTIONARY') && most > 0) demandRuns(values.subarray(1), values[0] ?? 0, most);
  else if (encoding === 'RLE') demandRuns(values.subarray(4), 1, most);
}

/** Runs of levels or of dictionary indices, up to `most` values; no run may go on beyond them. */
function demandRuns(bytes: Uint8Array, width: number, most: number): void {
  demand(width <= 32, `an index has ${width} bits`);
  for (let [at, seen] = [0, 0]; seen < most && at < bytes.length; ) {
    let [header, shift, byte] = [0, 0, 0x80];
    for (; byte >= 0x80 && at < bytes.length && shift < 35; shift += 7) {
      byte = bytes[at++]!;
      header |= (byte & 0x7f) << shift;
    }
    const count = header >>> 1;
    const packed = (header & 1) === 1;
    // Eight values at a time: the last ones may be padding.
    demand(packed || count <= most - seen, `a run of ${count} values among ${most}`);
    seen += packed ? 8 * count : count;
    at += packed ? count * width : Math.ceil(width / 8);
  }
}

function widthOf(level: number): number {
  return 32 - Math.clz32(level);
}

function unpacked(bytes: Uint8Array, length: number, { codec }: ColumnMetaData): Uint8Array {
  if (codec === 'UNCOMPRESSED') return bytes;
  const decompress = compressors[codec];
  if (decompress === undefined)
    throw new Error(`its compression ${codec} can't be read; choose snappy, gzip, zstd or none`);
  return decompress(bytes, length);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function demand(holds: boolean, otherwise: string): void {
  if (!holds) throw new Error(otherwise);
}
