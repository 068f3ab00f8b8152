/** Writes what is shown of a model into the run folder, in formats that everything can open: PNG, WAV, JSON. */
import { join } from 'node:path';
import { encode as encodePng } from 'fast-png';
import type { HostArray } from '../backend/backend.ts';
import type { Pixels } from '../data/imageFile.ts';
import { resized } from '../data/resize.ts';
import { encodeWav } from '../data/wav.ts';
import type { ViewFormat } from '../ir/program.ts';
import { writeAtomic } from './atomicFile.ts';
import type { SampleKind } from './events.ts';

/** A shown value: an item in each row of `data`, [items, ...shape]. */
export interface Sample {
  readonly as: Exclude<ViewFormat, { readonly kind: 'generate' }>;
  readonly shape: readonly number[];
  readonly items: number;
  readonly data: HostArray;
  /** Texts of tokens. */
  readonly decode?: (tokens: readonly number[]) => string;
}

/** Pixels along a side of an image, recordings, characters of a text and numbers of an item that are kept. */
const SIDE = 256;
const RECORDINGS = 4;
const CHARACTERS = 10_000;
const NUMBERS = 64;

interface Part {
  readonly ending: string;
  readonly bytes: Uint8Array;
}

/** Writes a value as `samples/epoch-3-fake.png`; answers with paths relative to `folder`. Throws `disk-full`. */
export async function writeSample(
  folder: string,
  name: string,
  sample: Sample,
): Promise<{ readonly kind: SampleKind; readonly paths: readonly string[] }> {
  const parts = partsOf(sample);
  return { kind: sample.as.kind, paths: await writeParts(folder, name, parts) };
}

/** Writes a drawn text. Throws `disk-full`. */
export async function writeText(folder: string, name: string, text: string): Promise<readonly string[]> {
  return writeParts(folder, name, [json([text.slice(0, CHARACTERS)])]);
}

async function writeParts(folder: string, name: string, parts: readonly Part[]): Promise<readonly string[]> {
  const paths = parts.map(({ ending }, at) => `samples/${name}${parts.length > 1 ? `-${at + 1}` : ''}.${ending}`);
  for (const [at, { bytes }] of parts.entries()) await writeAtomic(join(folder, paths[at]!), [bytes]);
  return paths;
}

function partsOf({ as, shape, items, data, decode }: Sample): readonly Part[] {
  const width = shape.reduce((product, size) => product * size, 1);
  const item = (at: number): HostArray => data.subarray(at * width, (at + 1) * width);
  const all = Array.from({ length: items }, (_, at) => item(at));
  switch (as.kind) {
    case 'image':
      return [{ ending: 'png', bytes: png(sheet(all.map(pixelsOf(as, rangeOf(data))))) }];
    case 'audio':
      return all.slice(0, RECORDINGS).map(each => ({ ending: 'wav', bytes: encodeWav(each as Float32Array, as.rate) }));
    case 'text':
      return [json(all.map(each => (decode?.([...each]) ?? [...each].join(' ')).slice(0, CHARACTERS)))];
    case 'numbers':
      return [json(all.map(each => ({ shape, numbers: [...each.subarray(0, NUMBERS)].map(readable) })))];
  }
}

function json(items: readonly unknown[]): Part {
  return { ending: 'json', bytes: Buffer.from(`${JSON.stringify({ items })}\n`) };
}

/** JSON has no NaN and no infinity. */
function readable(value: number): number | string {
  return Number.isFinite(value) ? Number(value.toPrecision(6)) : String(value);
}

/** What is black and what is white: 0 and 1 or -1 and 1 where all values lie between them, else the least and the greatest. */
export function rangeOf(data: HostArray): readonly [number, number] {
  let [least, greatest] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of data) {
    if (value < least) least = value;
    if (value > greatest) greatest = value;
  }
  if (least >= 0 && greatest <= 1) return [0, 1];
  if (least >= -1 && greatest <= 1) return [-1, 1];
  return Number.isFinite(greatest - least) && greatest > least ? [least, greatest] : [0, 1];
}

function pixelsOf(as: Extract<ViewFormat, { kind: 'image' }>, [black, white]: readonly [number, number]) {
  const { channels, height, width } = as;
  const count = height * width;
  return (item: HostArray): Pixels => {
    const data = new Uint8Array(count * channels);
    for (let at = 0; at < count; at++) {
      for (let c = 0; c < channels; c++) {
        const value = item[as.order === 'planes' ? c * count + at : at * channels + c]!;
        // A value that isn't finite is black: bytes clamp by themselves only where they are numbers.
        data[at * channels + c] =
          Math.max(0, Math.min(255, Math.round((255 * (value - black)) / (white - black)))) || 0;
      }
    }
    const shrink = Math.max(1, width / SIDE, height / SIDE);
    return resized(
      { width, height, channels, data },
      Math.round(width / shrink) || 1,
      Math.round(height / shrink) || 1,
    );
  };
}

/** All images in rows of one, nearly square, with a line between them. */
function sheet(images: readonly Pixels[]): Pixels {
  const { width, height, channels } = images[0]!;
  const columns = Math.ceil(Math.sqrt(images.length));
  const rows = Math.ceil(images.length / columns);
  const [wide, high] = [columns * (width + 1) - 1, rows * (height + 1) - 1];
  const data = new Uint8Array(wide * high * channels).fill(128);
  for (const [at, image] of images.entries()) {
    const [left, top] = [(at % columns) * (width + 1), Math.floor(at / columns) * (height + 1)];
    for (let y = 0; y < height; y++) {
      const row = image.data.subarray(y * width * channels, (y + 1) * width * channels);
      data.set(row, ((top + y) * wide + left) * channels);
    }
  }
  return { width: wide, height: high, channels, data };
}

function png({ width, height, channels, data }: Pixels): Uint8Array {
  return encodePng({ width, height, channels, data, depth: 8 });
}
