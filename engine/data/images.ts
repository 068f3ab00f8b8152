/** The `images` source: PNG and JPEG files, a folder per class, a pattern of names, or a CSV of paths. */
import type { Call } from '../ir/program.ts';
import { EngineError } from '../util/errors.ts';
import type { DataFile } from './file.ts';
import { type FileKind, type FileSet, fileSet, probes } from './fileSet.ts';
import { type ImageSize, type Pixels, readImageSize, readPixels, withChannels } from './imageFile.ts';
import { demandWithin, LIMITS } from './limits.ts';
import { resized } from './resize.ts';
import { countArgument, type SourceColumn, type SourceReader, schemaOf } from './schema.ts';

const KIND: FileKind = {
  noun: 'images',
  endings: ['.png', '.jpg', '.jpeg'],
  unreadable: ['.bmp', '.gif', '.webp', '.tif', '.tiff', '.avif', '.heic'],
};

/**
 * `images(path, size, channels, names)`: `image`, u8 [channels, height, width] from 0 to 255, beside what the file set knows of each file.
 * All images have the size and channels of the first, unless `size` (both sides, in pixels) and `channels` (1 or 3) say what to make of them.
 */
export const imagesReader: SourceReader = {
  schema(args, resolvePath) {
    const set = fileSet(KIND, args, resolvePath);
    const wanted = wantedSize(args, set);
    for (const at of probes(set.samples)) demandSize(args, wanted, set.file(at), readImageSize(set.file(at)));
    const { columns, samples } = schemaOf(set);
    return { samples, columns: [imageColumn(wanted), ...columns] };
  },
  async load(args, { resolvePath, expected }) {
    const set = fileSet(KIND, args, resolvePath, expected);
    const wanted = wantedSize(args, set);
    const width = wanted.channels * wanted.height * wanted.width;
    demandWithin(
      set.file(0).name,
      'bytes of images, which a smaller size makes fewer',
      set.samples * width,
      LIMITS.dataBytes,
    );
    const data = new Uint8Array(set.samples * width);
    for (let at = 0; at < set.samples; at++) {
      const file = set.file(at);
      const pixels = await readPixels(file);
      demandSize(args, wanted, file, pixels);
      writePlanes(fitted(pixels, wanted), data.subarray(at * width, (at + 1) * width));
    }
    return { ...set, columns: [{ ...imageColumn(wanted), data }, ...set.columns] };
  },
};

/** What every image becomes. */
function wantedSize(args: Call['args'], set: FileSet): ImageSize {
  const size = countArgument(args, 'size', 0, 0, 8192);
  const channels = countArgument(args, 'channels', 0, 0, 3);
  if (channels === 2)
    throw new EngineError('data-out-of-range', 'expected 1 (grey) or 3 (RGB) for "channels" of the source, found 2');
  const first = readImageSize(set.file(0));
  return {
    width: size || first.width,
    height: size || first.height,
    channels: channels === 0 ? first.channels : channels === 1 ? 1 : 3,
  };
}

function demandSize(args: Call['args'], wanted: ImageSize, file: DataFile, found: ImageSize): void {
  if (!args.size && (found.width !== wanted.width || found.height !== wanted.height)) {
    throw new EngineError(
      'data-malformed',
      `${file.name}: expected ${wanted.width} x ${wanted.height} pixels as in the first image, found ${found.width} x ${found.height}; give the source a "size"`,
    );
  }
  if (args.channels || found.channels === wanted.channels) return;
  const name = (channels: 1 | 3): string => (channels === 1 ? 'grey' : 'RGB');
  throw new EngineError(
    'data-malformed',
    `${file.name}: expected ${name(wanted.channels)} as in the first image, found ${name(found.channels)}; give the source "channels"`,
  );
}

function imageColumn({ channels, height, width }: ImageSize): SourceColumn {
  return { name: 'image', dtype: 'u8', shape: [channels, height, width] };
}

function fitted(pixels: Pixels, { width, height, channels }: ImageSize): Pixels {
  return resized(withChannels(pixels, channels), width, height);
}

/** Interleaved pixels to one plane a channel. */
function writePlanes({ data, channels }: Pixels, planes: Uint8Array): void {
  const count = planes.length / channels;
  for (let c = 0; c < channels; c++) {
    for (let at = 0; at < count; at++) planes[c * count + at] = data[at * channels + c]!;
  }
}
