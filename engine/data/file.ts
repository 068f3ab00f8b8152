/** Bounded reading of files, gzip or plain: the first bytes for schemas, everything for training. */
import { closeSync, constants, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { Gunzip } from 'fflate';
import { EngineError } from '../util/errors.ts';
import { demandWithin, LIMITS } from './limits.ts';

const inflate = promisify(gunzip);

/** A file: where it is, and its name as the user wrote it, for messages. */
export interface DataFile {
  readonly path: string;
  readonly name: string;
}

/** A pipe is opened at once, and then refused, instead of waiting for whoever writes to it; Windows has no such flag. */
const READ = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);
/** Bytes read from the disk at least. */
const PAGE = 4096;
/** Compressed bytes handed to the streaming decompressor at a time: deflate expands at most 1032-fold. */
const CHUNK = 512;

/**
 * Up to `bytes` decompressed bytes from the start of a file; reads little more of the disk than that takes, and stops inflating there.
 * Throws `data-missing`, `data-empty`, `data-malformed`.
 */
export function readHead(file: DataFile, bytes: number): Uint8Array {
  const raw = readStart(file, Math.max(bytes, PAGE));
  return isGzip(raw) ? inflateHead(file, raw, bytes) : raw.subarray(0, bytes);
}

function inflateHead(file: DataFile, raw: Uint8Array, bytes: number): Uint8Array {
  const parts: Uint8Array[] = [];
  let filled = 0;
  const stream = new Gunzip(part => {
    parts.push(part);
    filled += part.length;
  });
  try {
    for (let at = 0; at < raw.length && filled < bytes; at += CHUNK) stream.push(raw.subarray(at, at + CHUNK));
  } catch (cause) {
    throw brokenGzip(file, cause);
  }
  return Buffer.concat(parts).subarray(0, bytes);
}

/** The whole file, decompressed, at most `limit` bytes of it. Throws `data-missing`, `data-empty`, `data-malformed`. */
export async function readWhole(file: DataFile, limit: number = LIMITS.dataBytes): Promise<Uint8Array> {
  const raw = await readRaw(file);
  if (!isGzip(raw)) {
    demandWithin(file.name, 'bytes', raw.length, limit);
    return raw;
  }
  try {
    return await inflate(raw, { maxOutputLength: limit });
  } catch (cause) {
    throw brokenGzip(file, cause);
  }
}

/** Text of `bytes` in UTF-8, which may end within a character where they are not the whole file. Throws `data-malformed`. */
export function decodeText(file: DataFile, bytes: Uint8Array, whole: boolean): string {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: !whole });
    if (!text.includes('\0')) return text;
  } catch {
    // Told below: what the decoder says names neither file nor remedy.
  }
  throw new EngineError('data-malformed', `${file.name}: expected text in UTF-8, found other bytes; save it as UTF-8`);
}

function readStart(file: DataFile, bytes: number): Uint8Array {
  return readRange(file, 0, bytes);
}

/** Up to `bytes` bytes from offset `start` of a file as it lies on the disk; a negative offset counts from its end. Throws `data-missing`, `data-empty`. */
export function readRange(file: DataFile, start: number, bytes: number): Uint8Array {
  const handle = opened(file, () => openSync(file.path, READ));
  try {
    const stat = fstatSync(handle);
    demandRegular(file, stat);
    const from = start < 0 ? Math.max(0, stat.size + start) : start;
    const buffer = Buffer.alloc(Math.max(0, Math.min(bytes, stat.size - from)));
    let filled = 0;
    for (let count = -1; count !== 0 && filled < buffer.length; filled += count) {
      count = readSync(handle, buffer, filled, buffer.length - filled, from + filled);
    }
    return buffer.subarray(0, filled);
  } finally {
    closeSync(handle);
  }
}

async function readRaw(file: DataFile): Promise<Uint8Array> {
  const handle = await open(file.path, READ).catch((cause: unknown) => {
    throw missing(file, cause);
  });
  try {
    demandRegular(file, await handle.stat());
    return await handle.readFile();
  } finally {
    await handle.close();
  }
}

/** Bytes of a file on the disk. Throws `data-missing`, `data-empty`, `data-malformed`. */
export function sizeOfFile(file: DataFile): number {
  const stat = opened(file, () => statSync(file.path));
  demandRegular(file, stat);
  return stat.size;
}

function demandRegular(file: DataFile, stat: { isFile(): boolean; readonly size: number }): void {
  if (!stat.isFile())
    throw new EngineError('data-malformed', `${file.name}: expected a file, found a folder or a device`);
  if (stat.size === 0)
    throw new EngineError('data-empty', `${file.name}: expected data, found an empty file; copy or download it again`);
  demandWithin(file.name, 'bytes', stat.size, LIMITS.fileBytes);
}

function opened<T>(file: DataFile, open: () => T): T {
  try {
    return open();
  } catch (cause) {
    throw missing(file, cause);
  }
}

function missing(file: DataFile, cause: unknown): EngineError {
  const why = (cause as NodeJS.ErrnoException).code === 'EACCES' ? 'not readable' : 'no such file';
  return new EngineError('data-missing', `${file.name}: ${why}; check the path and the permissions`, { cause });
}

function brokenGzip(file: DataFile, cause: unknown): EngineError {
  const code = (cause as NodeJS.ErrnoException).code;
  const what =
    code === 'Z_BUF_ERROR'
      ? 'expected the end of the gzip stream, found the end of the file; it is truncated, copy or download it again'
      : code === 'ERR_BUFFER_TOO_LARGE'
        ? 'expected no more data than its header declares, found a longer gzip stream'
        : 'expected a gzip stream, found damaged bytes; copy or download it again';
  return new EngineError('data-malformed', `${file.name}: ${what}`, { cause });
}

function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}
