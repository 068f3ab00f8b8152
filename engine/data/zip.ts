/** The entries of a zip file, listed from its directory and inflated one by one under a cap; what `npz` needs of the format. */
import { constants, inflateRawSync } from 'node:zlib';
import { EngineError } from '../util/errors.ts';
import { type DataFile, readRange, sizeOfFile } from './file.ts';
import { LIMITS } from './limits.ts';

export interface ZipEntry {
  readonly name: string;
  /** 0 is stored, 8 deflated. */
  readonly method: number;
  /** Bytes in the file, and after inflating. */
  readonly packed: number;
  readonly size: number;
  /** Offset of its local header. */
  readonly at: number;
}

/** PKWARE's APPNOTE 6.3.10: 4.3.7 local header, 4.3.12 directory, 4.3.16 end of directory. */
const LOCAL = 0x04034b50;
const DIRECTORY = 0x02014b50;
const END = 0x06054b50;
const END_BYTES = 22;
/** The end of the directory may be followed by a comment. */
const MAX_COMMENT = 65_535;
/** Packed bytes from which the start of an entry is inflated; deflate expands at most 1032-fold. */
const HEAD_BYTES = 4096;

/** The entries of a file, in its order. Throws `data-malformed`. */
export function zipEntries(file: DataFile): readonly ZipEntry[] {
  const tail = viewOf(readRange(file, -(END_BYTES + MAX_COMMENT), END_BYTES + MAX_COMMENT));
  let end = tail.byteLength - END_BYTES;
  while (end >= 0 && tail.getUint32(end, true) !== END) end--;
  if (end < 0) throw malformed(file, 'expected the directory of a zip file, found none; it is cut or another format');
  const [count, bytes, at] = [
    tail.getUint16(end + 10, true),
    tail.getUint32(end + 12, true),
    tail.getUint32(end + 16, true),
  ];
  if (count === 0xffff || at === 0xffffffff)
    throw malformed(file, 'expected a zip file of less than 4 GiB, found a larger one');
  if (bytes > LIMITS.schemaBytes) throw malformed(file, 'expected fewer entries, found too large a directory');
  const directory = viewOf(readRange(file, at, bytes));
  const entries: ZipEntry[] = [];
  for (let from = 0; entries.length < count; ) {
    if (from + 46 > directory.byteLength || directory.getUint32(from, true) !== DIRECTORY)
      throw malformed(file, `expected ${count} entries in its directory, found ${entries.length}`);
    const [nameBytes, extra, comment] = [28, 30, 32].map(offset => directory.getUint16(from + offset, true));
    const name = new Uint8Array(directory.buffer, directory.byteOffset + from + 46).subarray(0, nameBytes);
    entries.push({
      name: new TextDecoder().decode(name),
      method: directory.getUint16(from + 10, true),
      packed: directory.getUint32(from + 20, true),
      size: directory.getUint32(from + 24, true),
      at: directory.getUint32(from + 42, true),
    });
    from += 46 + nameBytes! + extra! + comment!;
  }
  return entries;
}

/** The first bytes of an entry, whatever they inflate to. */
export function readZipHead(file: DataFile, entry: ZipEntry): Uint8Array {
  return unpacked(file, entry, HEAD_BYTES);
}

/** A whole entry. Throws `data-malformed` where it is damaged or larger than the directory says. */
export function readZipEntry(file: DataFile, entry: ZipEntry): Uint8Array {
  const bytes = unpacked(file, entry, entry.packed);
  if (bytes.length === entry.size) return bytes;
  throw malformed(file, `expected ${entry.size} bytes of ${entry.name}, found ${bytes.length}`);
}

function unpacked(file: DataFile, entry: ZipEntry, limit: number): Uint8Array {
  const local = viewOf(readRange(file, entry.at, 30));
  if (local.byteLength < 30 || local.getUint32(0, true) !== LOCAL)
    throw malformed(file, `expected the entry ${entry.name}, found other bytes`);
  const start = entry.at + 30 + local.getUint16(26, true) + local.getUint16(28, true);
  const packed = Math.min(limit, entry.packed, sizeOfFile(file));
  const bytes = readRange(file, start, packed);
  if (entry.method === 0) return bytes;
  if (entry.method !== 8 || entry.size > LIMITS.dataBytes)
    throw malformed(file, `expected ${entry.name} stored or deflated, at most ${LIMITS.dataBytes} bytes of it`);
  try {
    const part = packed < entry.packed;
    const maxOutputLength = part ? packed * 1033 : Math.max(1, entry.size);
    return inflateRawSync(bytes, { maxOutputLength, ...(part && { finishFlush: constants.Z_SYNC_FLUSH }) });
  } catch (cause) {
    const message = `${file.name}: expected ${entry.name} to be intact, found damaged bytes; copy or save the file again`;
    throw new EngineError('data-malformed', message, { cause });
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function malformed(file: DataFile, what: string): EngineError {
  return new EngineError('data-malformed', `${file.name}: ${what}`);
}
