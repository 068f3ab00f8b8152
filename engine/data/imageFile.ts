/** One PNG or JPEG file: its size from the header alone, its pixels as planes of bytes. */
import { convertIndexedToRgb, decode as decodePng } from 'fast-png';
import jpeg from 'jpeg-js';
import { EngineError } from '../util/errors.ts';
import { type DataFile, readHead, readWhole } from './file.ts';
import { LIMITS } from './limits.ts';

export interface ImageSize {
  readonly width: number;
  readonly height: number;
  /** 1 for grey, 3 for RGB; transparency is dropped. */
  readonly channels: 1 | 3;
}

/** Interleaved bytes, row by row: `data[(y * width + x) * channels + c]`. */
export interface Pixels extends ImageSize {
  readonly data: Uint8Array;
}

/** Bytes that hold the header of nearly every file; a JPEG with long profiles and previews ahead of its size needs more. */
const HEAD = 4096;
const LONG_HEAD = 2 ** 20;

/** The size a header names. Throws `data-malformed` where it isn't a PNG or JPEG, or larger than the cap. */
export function readImageSize(file: DataFile): ImageSize {
  const size = sizeOf(file, readHead(file, HEAD)) ?? sizeOf(file, readHead(file, LONG_HEAD));
  if (size === undefined) throw malformed(file, 'expected the size of a JPEG in its first part, found none; it is cut');
  return size;
}

/** The pixels of a file. Throws `data-malformed` where they are damaged. */
export async function readPixels(file: DataFile): Promise<Pixels> {
  const bytes = await readWhole(file);
  const size = sizeOf(file, bytes);
  if (size === undefined) throw malformed(file, 'expected the size of a JPEG, found none; it is cut');
  try {
    return isPng(bytes) ? pngPixels(bytes, size) : jpegPixels(bytes, size);
  } catch (cause) {
    const message = `${file.name}: expected an intact ${isPng(bytes) ? 'PNG' : 'JPEG'}, found damaged bytes; copy or save it again`;
    throw new EngineError('data-malformed', message, { cause });
  }
}

/** Grey to RGB by repetition, RGB to grey by the luma of ITU-R BT.601, as Pillow's `convert('L')` does. */
export function withChannels(pixels: Pixels, channels: 1 | 3): Pixels {
  if (pixels.channels === channels) return pixels;
  const count = pixels.width * pixels.height;
  const from = pixels.data;
  const data = new Uint8Array(count * channels);
  for (let at = 0; at < count; at++) {
    if (channels === 3) data.fill(from[at]!, at * 3, at * 3 + 3);
    else data[at] = (from[at * 3]! * 19595 + from[at * 3 + 1]! * 38470 + from[at * 3 + 2]! * 7471 + 0x8000) >> 16;
  }
  return { ...pixels, channels, data };
}

function isPng(bytes: Uint8Array): boolean {
  return [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a].every((byte, at) => bytes[at] === byte);
}

/** Undefined for a JPEG whose size lies further on. */
function sizeOf(file: DataFile, bytes: Uint8Array): ImageSize | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const size = isPng(bytes)
    ? pngSize(file, view)
    : bytes[0] === 0xff && bytes[1] === 0xd8
      ? jpegSize(view)
      : otherFormat(file, bytes);
  if (size === undefined) return undefined;
  if (size.width === 0 || size.height === 0 || size.width * size.height > LIMITS.pixels) {
    throw malformed(file, `expected 1 to ${LIMITS.pixels} pixels, found ${size.width} x ${size.height}`);
  }
  return size;
}

/** The IHDR chunk, which comes first (PNG specification, 11.2.1). */
function pngSize(file: DataFile, view: DataView): ImageSize {
  if (view.byteLength < 26) throw malformed(file, 'expected the header of a PNG, found the end of the file; it is cut');
  const grey = (view.getUint8(25) & 2) === 0;
  return { width: view.getUint32(16), height: view.getUint32(20), channels: grey ? 1 : 3 };
}

/** The frame header, SOF0 to SOF15 but the three markers in that range that are none (ITU-T T.81, B.2.2). */
function jpegSize(view: DataView): ImageSize | undefined {
  for (let at = 2; at + 10 <= view.byteLength; ) {
    const marker = view.getUint8(at + 1);
    if (view.getUint8(at) !== 0xff) return undefined;
    if (marker === 0xff) at += 1;
    else if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)) {
      return {
        height: view.getUint16(at + 5),
        width: view.getUint16(at + 7),
        channels: view.getUint8(at + 9) === 1 ? 1 : 3,
      };
    } else at += 2 + view.getUint16(at + 2);
  }
  return undefined;
}

function otherFormat(file: DataFile, bytes: Uint8Array): never {
  const found = [...bytes.subarray(0, 4)].map(byte => byte.toString(16).padStart(2, '0')).join(' ');
  throw malformed(file, `expected a PNG or JPEG image, found a file that starts with ${found}; convert it`);
}

function pngPixels(bytes: Uint8Array, size: ImageSize): Pixels {
  const png = decodePng(bytes, { checkCrc: true });
  // A palette is spread to RGB or RGBA, and bits below a byte to bytes.
  const spread = png.palette ? convertIndexedToRgb(png) : unpacked(png.data, png.depth, png.width * png.channels);
  const per = spread.length / (size.width * size.height);
  const data = new Uint8Array(size.width * size.height * size.channels);
  const shift = png.depth === 16 ? 8 : 0;
  for (let at = 0, to = 0; to < data.length; at += per) {
    for (let c = 0; c < size.channels; c++) data[to++] = spread[at + c]! >> shift;
  }
  return { ...size, data };
}

/** Grey values of 1, 2 or 4 bits, packed in rows that start at a byte, stretched to 0 to 255. */
function unpacked(data: ArrayLike<number>, depth: number, perRow: number): ArrayLike<number> {
  if (depth >= 8) return data;
  const rowBytes = Math.ceil((perRow * depth) / 8);
  const most = 2 ** depth - 1;
  return Uint8Array.from({ length: (data.length / rowBytes) * perRow }, (_, at) => {
    const bit = (at % perRow) * depth;
    const byte = data[Math.floor(at / perRow) * rowBytes + (bit >> 3)]!;
    return (((byte >> (8 - depth - (bit & 7))) & most) * 255) / most;
  });
}

function jpegPixels(bytes: Uint8Array, size: ImageSize): Pixels {
  const options = { useTArray: true, formatAsRGBA: false, tolerantDecoding: false, maxMemoryUsageInMB: 2048 } as const;
  const { data } = jpeg.decode(bytes, { ...options, maxResolutionInMP: LIMITS.pixels / 1e6 });
  if (size.channels === 3) return { ...size, data };
  return { ...size, data: Uint8Array.from({ length: size.width * size.height }, (_, at) => data[at * 3]!) };
}

function malformed(file: DataFile, what: string): EngineError {
  return new EngineError('data-malformed', `${file.name}: ${what}`);
}
