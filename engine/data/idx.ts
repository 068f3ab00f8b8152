/** The `idx` source: MNIST's format of images and labels (LeCun, yann.lecun.com/exdb/mnist), plain or gzip. */
import type { HostArray } from '../backend/backend.ts';
import type { DType } from '../ir/graph.ts';
import type { Call } from '../ir/program.ts';
import { EngineError } from '../util/errors.ts';
import { type DataFile, readHead, readWhole } from './file.ts';
import { checkedProduct, LIMITS } from './limits.ts';
import type { ResolvePath } from './paths.ts';
import { type DataColumn, type SourceColumn, type SourceReader, textArgument } from './schema.ts';

/** What the first bytes of an IDX file say. */
interface IdxHeader {
  readonly element: Element;
  readonly dims: readonly number[];
  /** Offset of the data and its length, in bytes. */
  readonly start: number;
  readonly bytes: number;
}

interface Element {
  readonly bytes: number;
  readonly dtype: DType;
  readonly read: (view: DataView, at: number) => number;
}

/** By the third byte of the magic number; all big-endian. */
const ELEMENTS: Readonly<Record<number, Element>> = {
  8: { bytes: 1, dtype: 'u8', read: (view, at) => view.getUint8(at) },
  9: { bytes: 1, dtype: 'i32', read: (view, at) => view.getInt8(at) },
  11: { bytes: 2, dtype: 'i32', read: (view, at) => view.getInt16(at) },
  12: { bytes: 4, dtype: 'i32', read: (view, at) => view.getInt32(at) },
  13: { bytes: 4, dtype: 'f32', read: (view, at) => view.getFloat32(at) },
  14: { bytes: 8, dtype: 'f32', read: (view, at) => view.getFloat64(at) },
};

const HEADER_BYTES = 4 + 4 * LIMITS.rank;
/** The names of MNIST-like files say which is which; a swapped pair is a common mistake. */
const SWAPPED = 'are images and labels swapped';

/** `idx(images, labels)`: columns `image` and, where labels are given, `label` with its classes. */
export const idxReader: SourceReader = {
  schema(args, resolvePath) {
    const { images, labels } = files(args, resolvePath);
    const header = parseHeader(images, readHead(images, HEADER_BYTES));
    const columns: SourceColumn[] = [imageColumn(images, header)];
    if (labels) {
      const bytes = readHead(labels, Math.min(LIMITS.schemaBytes, 64 + (header.dims[0] ?? 0) * 8));
      const labelHeader = labelsHeader(labels, bytes);
      demandPairs(images, header, labels, labelHeader);
      columns.push(labelColumn(countClasses(bytes, labelHeader)));
    }
    return { columns, samples: header.dims[0] ?? 0 };
  },
  async load(args, { resolvePath, expected }) {
    const { images, labels } = files(args, resolvePath);
    const header = parseHeader(images, readHead(images, HEADER_BYTES));
    const [imageBytes, labelBytes] = await Promise.all([
      readWhole(images, header.start + header.bytes),
      labels && readWhole(labels),
    ]);
    const labelHeader = labels && labelBytes && labelsHeader(labels, labelBytes);
    if (labels && labelHeader) demandPairs(images, header, labels, labelHeader);
    const pixels = decode(images, imageBytes, header, header.element.dtype);
    const columns: DataColumn[] = [{ ...imageColumn(images, header), data: pixels }];
    if (labels && labelBytes && labelHeader) {
      const data = decode(labels, labelBytes, labelHeader, 'i32');
      const classes =
        expected?.find(column => column.name === 'label')?.classes ?? countClasses(labelBytes, labelHeader);
      demandLabels(labels, data, classes);
      columns.push({ ...labelColumn(classes), data });
    }
    return { samples: header.dims[0] ?? 0, columns, ...(labels && { target: 'label' }) };
  },
};

function files(args: Call['args'], resolvePath: ResolvePath): { images: DataFile; labels?: DataFile } {
  const named = (name: string): DataFile => ({
    name: textArgument(args, name),
    path: resolvePath(textArgument(args, name)),
  });
  return { images: named('images'), ...(args.labels !== undefined && { labels: named('labels') }) };
}

function parseHeader(file: DataFile, bytes: Uint8Array): IdxHeader {
  const [first, second, code = -1, rank = 0] = bytes;
  if (bytes.length < 4)
    throw malformed(
      file,
      `expected an IDX header, found ${bytes.length} bytes; the file is truncated, copy or download it again`,
    );
  const element = ELEMENTS[code];
  if (first !== 0 || second !== 0 || !element) {
    const found = [...bytes.subarray(0, 4)].map(byte => byte.toString(16).padStart(2, '0')).join(' ');
    throw malformed(
      file,
      `expected an IDX file, which starts with 00 00 and a type from 08 to 0e, found ${found}; check which file it is`,
    );
  }
  if (rank < 1 || rank > LIMITS.rank)
    throw malformed(file, `expected 1 to ${LIMITS.rank} dimensions in byte 3, found ${rank}`);
  const start = 4 + 4 * rank;
  if (bytes.length < start)
    throw malformed(file, `expected a header of ${start} bytes, found ${bytes.length}; the file is truncated`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const dims = Array.from({ length: rank }, (_, axis) => view.getUint32(4 + 4 * axis));
  const size = checkedProduct([...dims, element.bytes], LIMITS.dataBytes);
  if (size === undefined)
    throw malformed(file, `expected at most ${LIMITS.dataBytes} bytes of data, found dimensions ${dims.join(' x ')}`);
  if (size === 0)
    throw new EngineError('data-empty', `${file.name}: expected samples, found dimensions ${dims.join(' x ')}`);
  return { element, dims, start, bytes: size };
}

function labelsHeader(file: DataFile, bytes: Uint8Array): IdxHeader {
  const header = parseHeader(file, bytes);
  if (header.dims.length !== 1)
    throw malformed(file, `expected one label a sample, found ${header.dims.join(' x ')}; ${SWAPPED}?`);
  if (header.element.dtype === 'f32') throw malformed(file, 'expected whole numbers as labels, found floats');
  return header;
}

function imageColumn(file: DataFile, { element, dims }: IdxHeader): SourceColumn {
  if (dims.length < 2) throw malformed(file, `expected images, found one number a sample; ${SWAPPED}?`);
  return { name: 'image', dtype: element.dtype, shape: dims.slice(1) };
}

function labelColumn(classes: number): SourceColumn {
  return { name: 'label', dtype: 'i32', shape: [], classes };
}

function demandPairs(
  images: DataFile,
  { dims: [left] }: IdxHeader,
  labels: DataFile,
  { dims: [right] }: IdxHeader,
): void {
  if (left === right) return;
  throw malformed(labels, `expected ${left} labels, one for each image of ${images.name}, found ${right}`);
}

/** One more than the greatest label among the bytes at hand. */
function countClasses(bytes: Uint8Array, { element, dims, start }: IdxHeader): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = Math.min(dims[0] ?? 0, Math.floor((bytes.length - start) / element.bytes));
  let greatest = 0;
  for (let i = 0; i < count; i++) greatest = Math.max(greatest, element.read(view, start + i * element.bytes));
  return greatest + 1;
}

function decode(
  file: DataFile,
  bytes: Uint8Array,
  { element, start, bytes: size }: IdxHeader,
  dtype: DType,
): HostArray {
  const found = bytes.length - start;
  if (found < size)
    throw malformed(
      file,
      `expected ${size} bytes of data, found ${found}; the file is truncated, copy or download it again`,
    );
  if (found > size)
    throw malformed(file, `expected ${size} bytes of data, found ${found}; its header and contents disagree`);
  if (dtype === 'u8') return bytes.subarray(start);
  const count = size / element.bytes;
  const values = dtype === 'f32' ? new Float32Array(count) : new Int32Array(count);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let i = 0; i < count; i++) values[i] = element.read(view, start + i * element.bytes);
  return values;
}

function demandLabels(file: DataFile, labels: HostArray, classes: number): void {
  const at = labels.findIndex(label => label < 0 || label >= classes);
  if (at < 0) return;
  throw new EngineError(
    'data-out-of-range',
    `${file.name}: expected labels from 0 to ${classes - 1}, found ${labels[at]} at sample ${at}; check that it belongs to these images`,
  );
}

function malformed(file: DataFile, what: string): EngineError {
  return new EngineError('data-malformed', `${file.name}: ${what}`);
}
