/** Safetensors files (huggingface.co/docs/safetensors): a bounded reader that trusts nothing, and the encoder. */
import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import type { HostArray } from '../backend/backend.ts';
import { EngineError } from '../util/errors.ts';
import { parseHeader, type TensorEntry } from '../util/safetensorsHeader.ts';

/** Bytes of the header's length, a little-endian u64. */
const PREFIX = 8;
/** Caps of the reader; the header's cap is the reference implementation's. */
const MAX_HEADER = 100_000_000;

export interface NamedTensor {
  readonly shape: readonly number[];
  readonly data: HostArray;
}

export interface Safetensors {
  readonly tensors: ReadonlyMap<string, NamedTensor>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** Reads and validates a file; nothing is allocated beyond the file's own size. Throws `checkpoint-missing`, `checkpoint-malformed`. */
export async function readSafetensors(path: string): Promise<Safetensors> {
  const handle = await open(path, 'r').catch((cause: unknown) => {
    throw new EngineError('checkpoint-missing', `${path}: no such checkpoint; train first, or check the path`, {
      cause,
    });
  });
  try {
    const stat = await handle.stat();
    if (!stat.isFile()) throw malformed(path, 'expected a file, found a folder or a device');
    const { size } = stat;
    const prefix = Buffer.alloc(Math.min(PREFIX, size));
    await handle.read(prefix, 0, prefix.length, 0);
    headerBytes(prefix, size, path);
    return parseSafetensors(await handle.readFile(), path);
  } finally {
    await handle.close();
  }
}

/** Largest header that is read while somebody types. */
const MAX_TYPED_HEADER = 4 << 20;

/** Names and shapes of a file, from its header alone. Throws `checkpoint-missing`, `checkpoint-malformed`. */
export function readShapes(path: string): ReadonlyMap<string, readonly number[]> {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined)
    throw new EngineError('checkpoint-missing', `${path}: no such checkpoint; train first, or check the path`);
  // Opening a pipe would wait for whoever writes to it.
  if (!stat.isFile()) throw malformed(path, 'expected a file, found a folder or a device');
  const file = openSync(path, 'r');
  try {
    const prefix = Buffer.alloc(Math.min(PREFIX, stat.size));
    readSync(file, prefix, 0, prefix.length, 0);
    const length = headerBytes(prefix, stat.size, path);
    if (length > MAX_TYPED_HEADER)
      throw malformed(path, `expected a header of at most ${MAX_TYPED_HEADER} bytes, found ${length}`);
    const header = Buffer.alloc(length);
    readSync(file, header, 0, length, PREFIX);
    const { entries } = parseHeader(decodeUtf8(header, path), stat.size - PREFIX - length, path);
    return new Map(entries.map(({ name, shape }) => [name, shape]));
  } finally {
    closeSync(file);
  }
}

/** Validates and decodes the bytes of a file called `name`. Throws `checkpoint-malformed`. */
export function parseSafetensors(bytes: Uint8Array, name: string): Safetensors {
  const length = headerBytes(bytes, bytes.length, name);
  const start = PREFIX + length;
  const text = decodeUtf8(bytes.subarray(PREFIX, start), name);
  const { entries, metadata } = parseHeader(text, bytes.length - start, name);
  const tensors = new Map(
    entries.map(entry => [entry.name, { shape: entry.shape, data: decode(entry, bytes.subarray(start), name) }]),
  );
  return { tensors, metadata };
}

/** The parts of a file in order: 4-byte tensors before bytes, so that each is aligned; the header padded to 8 bytes with blanks. */
export function encodeSafetensors({ tensors, metadata }: Safetensors): Uint8Array[] {
  const ordered = [...tensors].sort(([, a], [, b]) => b.data.BYTES_PER_ELEMENT - a.data.BYTES_PER_ELEMENT);
  const header: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  header.__metadata__ = metadata;
  let end = 0;
  for (const [name, { shape, data }] of ordered) {
    const begin = end;
    end += data.byteLength;
    header[name] = { dtype: dtypeOf(data), shape, data_offsets: [begin, end] };
  }
  const text = Buffer.from(JSON.stringify(header));
  const padded = Buffer.alloc(PREFIX + Math.ceil(text.length / PREFIX) * PREFIX, ' ');
  padded.writeBigUInt64LE(BigInt(padded.length - PREFIX));
  text.copy(padded, PREFIX);
  return [padded, ...ordered.map(([, { data }]) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength))];
}

function headerBytes(prefix: Uint8Array, size: number, name: string): number {
  if (size < PREFIX) throw malformed(name, `expected at least ${PREFIX} bytes, found ${size}; the file is cut`);
  const length = new DataView(prefix.buffer, prefix.byteOffset, PREFIX).getBigUint64(0, true);
  if (length > BigInt(MAX_HEADER))
    throw malformed(name, `expected a safetensors header of at most ${MAX_HEADER} bytes, found ${length}`);
  if (length > BigInt(size - PREFIX)) {
    throw malformed(name, `expected a header of ${length} bytes, found a file of ${size}; the file is cut`);
  }
  return Number(length);
}

function decodeUtf8(bytes: Uint8Array, name: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new EngineError('checkpoint-malformed', `${name}: expected a header in UTF-8, found other bytes`, { cause });
  }
}

/** Copies a tensor out of the data, which may be unaligned. */
function decode({ dtype, begin, end }: TensorEntry, data: Uint8Array, file: string): HostArray {
  const bytes = new Uint8Array(data.subarray(begin, end));
  switch (dtype) {
    case 'F32':
      return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
    case 'I32':
      return new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
    case 'U32':
      return new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
    case 'U8':
    case 'BOOL':
      return bytes;
    case 'F64':
      return Float32Array.from(new Float64Array(bytes.buffer, bytes.byteOffset, bytes.length / 8));
    default:
      throw malformed(
        file,
        `expected tensors of F32, F64, I32, U32, U8 or BOOL, found ${dtype}; convert the file to F32`,
      );
  }
}

function dtypeOf(data: HostArray): string {
  if (data instanceof Float32Array) return 'F32';
  if (data instanceof Int32Array) return 'I32';
  return data instanceof Uint32Array ? 'U32' : 'U8';
}

function malformed(file: string, what: string): EngineError {
  return new EngineError('checkpoint-malformed', `${file}: ${what}`);
}
