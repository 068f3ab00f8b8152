/** Stored arrays of numbers, of NumPy and safetensors, as columns: whose first axis is the samples, in the dtypes of the program. */
import type { HostArray } from '../backend/backend.ts';
import type { DType } from '../ir/graph.ts';
import type { ColumnSchema } from '../ir/program.ts';
import { EngineError } from '../util/errors.ts';
import type { DataFile } from './file.ts';
import { checkedProduct, LIMITS } from './limits.ts';
import type { DataColumn, DataSet, SourceColumn } from './schema.ts';

export interface Element {
  readonly bytes: number;
  /** What it becomes: bytes stay bytes, other whole numbers i32, floats f32. */
  readonly dtype: DType;
  readonly read: (view: DataView, at: number, little: boolean) => number;
}

/** By kind and bytes, as NumPy names them; `bf2` is bfloat16. */
export const ELEMENTS: Readonly<Record<string, Element>> = {
  b1: { bytes: 1, dtype: 'u8', read: (view, at) => view.getUint8(at) },
  u1: { bytes: 1, dtype: 'u8', read: (view, at) => view.getUint8(at) },
  i1: { bytes: 1, dtype: 'i32', read: (view, at) => view.getInt8(at) },
  u2: { bytes: 2, dtype: 'i32', read: (view, at, little) => view.getUint16(at, little) },
  i2: { bytes: 2, dtype: 'i32', read: (view, at, little) => view.getInt16(at, little) },
  u4: { bytes: 4, dtype: 'i32', read: (view, at, little) => view.getUint32(at, little) },
  i4: { bytes: 4, dtype: 'i32', read: (view, at, little) => view.getInt32(at, little) },
  u8: { bytes: 8, dtype: 'i32', read: (view, at, little) => Number(view.getBigUint64(at, little)) },
  i8: { bytes: 8, dtype: 'i32', read: (view, at, little) => Number(view.getBigInt64(at, little)) },
  f2: { bytes: 2, dtype: 'f32', read: (view, at, little) => halfToNumber(view.getUint16(at, little)) },
  bf2: { bytes: 2, dtype: 'f32', read: (view, at, little) => bfloatToNumber(view.getUint16(at, little)) },
  f4: { bytes: 4, dtype: 'f32', read: (view, at, little) => view.getFloat32(at, little) },
  f8: { bytes: 8, dtype: 'f32', read: (view, at, little) => view.getFloat64(at, little) },
};

/** An array as a header describes it. */
export interface StoredArray {
  readonly name: string;
  readonly element: Element;
  readonly little: boolean;
  /** Samples first. */
  readonly shape: readonly number[];
  /** Its contents, at most the given number of bytes of them; all where that is left out. */
  readonly contents: (limit?: number) => Uint8Array;
}

/** Columns of arrays, and which one is the target. */
export interface ArraySet {
  readonly file: DataFile;
  readonly arrays: readonly StoredArray[];
  readonly target?: string;
}

/** Schema and samples; a target of whole numbers gets its classes from its contents. Throws `data-malformed`, `data-empty`, `data-out-of-range`. */
export function arraySchema(set: ArraySet): { readonly samples: number; readonly columns: readonly SourceColumn[] } {
  const samples = demandSamples(set);
  return { samples, columns: set.arrays.map(array => columnOf(set, array)) };
}

/** The same with contents, labels held to the classes of `expected`. */
export function arraySet(set: ArraySet, expected: readonly ColumnSchema[] = []): DataSet {
  const samples = demandSamples(set);
  const columns = set.arrays.map((array): DataColumn => {
    const data = decode(set.file, array, array.contents());
    const classes = expected.find(column => column.name === array.name)?.classes;
    if (!isClasses(set, array)) return { ...plainColumn(array), data };
    return { ...plainColumn(array), classes: demandClasses(set.file, array.name, data, classes), data };
  });
  return { samples, columns, ...(set.target !== undefined && { target: set.target }) };
}

function columnOf(set: ArraySet, array: StoredArray): SourceColumn {
  if (!isClasses(set, array)) return plainColumn(array);
  const { bytes } = array.element;
  const limit = Math.floor(LIMITS.schemaBytes / bytes) * bytes;
  const head = array.contents(limit);
  const seen = { ...array, shape: [Math.min(array.shape[0]!, limit / bytes)] };
  return { ...plainColumn(array), classes: demandClasses(set.file, array.name, decode(set.file, seen, head)) };
}

/** A target of one whole number a sample holds classes. */
function isClasses({ target }: ArraySet, { name, element, shape }: StoredArray): boolean {
  return name === target && shape.length === 1 && element.dtype !== 'f32';
}

function plainColumn({ name, element, shape }: StoredArray): SourceColumn {
  return { name, dtype: element.dtype, shape: shape.slice(1) };
}

function demandClasses(file: DataFile, name: string, data: HostArray, known?: number): number {
  let most = 0;
  for (const value of data) most = Math.max(most, value);
  const classes = known ?? most + 1;
  const at = data.findIndex(value => value < 0 || value >= classes);
  if (at < 0 && classes <= LIMITS.categories) return classes;
  const found = at < 0 ? `${most}` : `${data[at]} in sample ${at}`;
  const limit = Math.min(classes, LIMITS.categories) - 1;
  throw new EngineError(
    'data-out-of-range',
    `${file.name}: expected classes from 0 to ${limit} in "${name}", found ${found}; mend the array or leave "target" out`,
  );
}

function demandSamples({ file, arrays, target }: ArraySet): number {
  const [first] = arrays;
  if (first === undefined) throw new EngineError('data-empty', `${file.name}: expected arrays, found none`);
  const names = arrays.map(({ name }) => name);
  if (target !== undefined && !names.includes(target)) {
    throw malformed(file, `expected an array "${target}", found ${names.slice(0, 8).join(', ')}`);
  }
  for (const { name, element, shape } of arrays) {
    const [samples] = shape;
    if (samples === undefined) throw malformed(file, `expected an axis of samples in "${name}", found a single number`);
    if (samples !== first.shape[0]) {
      throw malformed(file, `expected ${first.shape[0]} samples in "${name}" as in "${first.name}", found ${samples}`);
    }
    if (shape.length > LIMITS.rank || checkedProduct([...shape, element.bytes], LIMITS.dataBytes) === undefined)
      throw malformed(file, `expected at most ${LIMITS.dataBytes} bytes in "${name}", found [${shape.join(', ')}]`);
    if (shape.includes(0))
      throw new EngineError('data-empty', `${file.name}: expected numbers in "${name}", found [${shape.join(', ')}]`);
  }
  return first.shape[0]!;
}

/** Throws `data-malformed` for missing bytes, `data-out-of-range` for whole numbers beyond 32 bits. */
function decode(file: DataFile, { name, element, little, shape }: StoredArray, bytes: Uint8Array): HostArray {
  const count = checkedProduct(shape, LIMITS.dataBytes) ?? 0;
  if (bytes.length < count * element.bytes) {
    const wanted = count * element.bytes;
    throw malformed(
      file,
      `expected ${wanted} bytes of "${name}", found ${bytes.length}; the file is cut, copy it again`,
    );
  }
  if (element.dtype === 'u8') return bytes.slice(0, count);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const data = element.dtype === 'f32' ? new Float32Array(count) : new Int32Array(count);
  for (let at = 0; at < count; at++) {
    const value = element.read(view, at * element.bytes, little);
    data[at] = value;
    if (element.dtype === 'i32' && data[at] !== value) {
      throw new EngineError(
        'data-out-of-range',
        `${file.name}: expected whole numbers of 32 bits in "${name}", found ${value}; store it as floats`,
      );
    }
  }
  return data;
}

/** IEEE 754 binary16. */
function halfToNumber(bits: number): number {
  const [sign, exponent, fraction] = [bits & 0x8000 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

function bfloatToNumber(bits: number): number {
  const view = new DataView(new ArrayBuffer(4));
  view.setUint16(0, bits);
  return view.getFloat32(0);
}

function malformed(file: DataFile, what: string): EngineError {
  return new EngineError('data-malformed', `${file.name}: ${what}`);
}
