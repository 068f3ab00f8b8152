/** RIFF/WAVE files: the format and the place of the samples from the chunks, the samples as floats of one channel. */
import { EngineError } from '../util/errors.ts';
import type { DataFile } from './file.ts';

export interface WavFormat {
  /** Samples a second, of each channel. */
  readonly rate: number;
  readonly channels: number;
  /** Samples of each channel. */
  readonly length: number;
  readonly encoding: Encoding;
  /** Offset of the samples, in bytes. */
  readonly start: number;
}

interface Encoding {
  readonly bytes: number;
  /** A sample from -1 to 1. */
  readonly read: (view: DataView, at: number) => number;
}

/** By format tag (1 is PCM, 3 IEEE float) and bits. 8 bits are unsigned. */
const ENCODINGS: Readonly<Record<string, Encoding>> = {
  '1/8': { bytes: 1, read: (view, at) => (view.getUint8(at) - 128) / 2 ** 7 },
  '1/16': { bytes: 2, read: (view, at) => view.getInt16(at, true) / 2 ** 15 },
  '1/24': { bytes: 3, read: (view, at) => (view.getUint16(at, true) + view.getInt8(at + 2) * 2 ** 16) / 2 ** 23 },
  '1/32': { bytes: 4, read: (view, at) => view.getInt32(at, true) / 2 ** 31 },
  '3/32': { bytes: 4, read: (view, at) => view.getFloat32(at, true) },
  '3/64': { bytes: 8, read: (view, at) => view.getFloat64(at, true) },
};

/** A format whose true tag stands in the first bytes of its sub-format. */
const EXTENSIBLE = 0xfffe;
const MAX_CHANNELS = 64;

/**
 * What the chunks ahead of the samples say of a file of `size` bytes that starts with `head`. Throws `data-malformed`, also where the samples start
 * beyond `head`.
 */
export function parseWav(file: DataFile, head: Uint8Array, size: number): WavFormat {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const tag = (at: number): string => String.fromCharCode(...head.subarray(at, at + 4));
  if (tag(0) !== 'RIFF' || tag(8) !== 'WAVE')
    throw malformed(file, 'expected a WAV file, found another format; convert it');
  let format: ReturnType<typeof parseFormat> | undefined;
  for (let at = 12; at + 8 <= head.length; ) {
    const bytes = view.getUint32(at + 4, true);
    if (tag(at) === 'fmt ') format = parseFormat(file, view, at + 8, bytes);
    if (tag(at) === 'data') {
      if (format === undefined) throw malformed(file, 'expected a format ahead of the samples, found none');
      return { ...format, start: at + 8, length: lengthOf(file, bytes, size - at - 8, format) };
    }
    at += 8 + bytes + (bytes % 2);
  }
  throw malformed(file, `expected samples within the first ${head.length} bytes, found none; the file is cut`);
}

/** The samples, its channels averaged, at most `length` of them. */
export function readSamples(bytes: Uint8Array, format: WavFormat, samples: Float32Array): void {
  const { encoding, channels, start } = format;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = Math.min(format.length, samples.length);
  for (let at = 0; at < count; at++) {
    let sum = 0;
    for (let c = 0; c < channels; c++) sum += encoding.read(view, start + (at * channels + c) * encoding.bytes);
    samples[at] = sum / channels;
  }
}

function parseFormat(file: DataFile, view: DataView, at: number, bytes: number) {
  if (bytes < 16 || at + Math.min(bytes, 40) > view.byteLength)
    throw malformed(file, 'expected a whole format, found a part; the file is cut');
  const given = view.getUint16(at, true);
  const tag = given === EXTENSIBLE && bytes >= 40 ? view.getUint16(at + 24, true) : given;
  const [channels, rate, bits] = [
    view.getUint16(at + 2, true),
    view.getUint32(at + 4, true),
    view.getUint16(at + 14, true),
  ];
  const encoding = ENCODINGS[`${tag}/${bits}`];
  if (encoding === undefined)
    throw malformed(
      file,
      `expected PCM of 8 to 32 bits or floats, found format ${tag} with ${bits} bits; convert it to PCM`,
    );
  if (channels < 1 || channels > MAX_CHANNELS || rate < 1)
    throw malformed(file, `expected 1 to ${MAX_CHANNELS} channels and a sample rate, found ${channels} at ${rate} Hz`);
  return { encoding, channels, rate };
}

/** A stream of unknown length has all ones there, and some writers zero: then the samples go on to the end. */
function lengthOf(
  file: DataFile,
  bytes: number,
  left: number,
  format: { encoding: Encoding; channels: number },
): number {
  const open = bytes === 0xffffffff || (bytes === 0 && left > 0);
  if (!open && bytes > left)
    throw malformed(file, `expected ${bytes} bytes of samples, found ${left}; the file is cut, copy it again`);
  const length = Math.floor((open ? left : bytes) / (format.encoding.bytes * format.channels));
  if (length > 0) return length;
  throw new EngineError('data-empty', `${file.name}: expected samples, found none; remove the file or record it again`);
}

function malformed(file: DataFile, what: string): EngineError {
  return new EngineError('data-malformed', `${file.name}: ${what}`);
}

/** A WAV file of one channel, 16-bit PCM; samples beyond -1 and 1 are cut off. */
export function encodeWav(samples: Float32Array, rate: number): Uint8Array {
  const bytes = Buffer.alloc(44 + 2 * samples.length);
  bytes.write('RIFF', 0, 'latin1');
  bytes.writeUInt32LE(36 + 2 * samples.length, 4);
  bytes.write('WAVEfmt ', 8, 'latin1');
  bytes.writeUInt32LE(16, 16);
  bytes.writeUInt16LE(1, 20);
  bytes.writeUInt16LE(1, 22);
  bytes.writeUInt32LE(rate, 24);
  bytes.writeUInt32LE(2 * rate, 28);
  bytes.writeUInt16LE(2, 32);
  bytes.writeUInt16LE(16, 34);
  bytes.write('data', 36, 'latin1');
  bytes.writeUInt32LE(2 * samples.length, 40);
  for (const [at, sample] of samples.entries()) {
    const value = Number.isFinite(sample) ? Math.max(-1, Math.min(1, sample)) : 0;
    bytes.writeInt16LE(Math.round(value * 32767), 44 + 2 * at);
  }
  return bytes;
}
