/** The `audio` source: WAV files of one sample rate, cut or padded to one length. */
import type { Call } from '../ir/program.ts';
import { EngineError } from '../util/errors.ts';
import { type DataFile, readHead, readWhole, sizeOfFile } from './file.ts';
import { type FileKind, type FileSet, fileSet, probes } from './fileSet.ts';
import { demandWithin, LIMITS } from './limits.ts';
import { countArgument, type SourceColumn, type SourceReader, schemaOf } from './schema.ts';
import { parseWav, readSamples, type WavFormat } from './wav.ts';

const KIND: FileKind = {
  noun: 'recordings',
  endings: ['.wav'],
  unreadable: ['.mp3', '.flac', '.ogg', '.opus', '.m4a', '.aac', '.aiff', '.wma'],
};

/** Bytes ahead of the samples: notes and cover art come first in some files. */
const HEAD = 4096;
const LONG_HEAD = 2 ** 20;

/** What every recording becomes. */
interface Wanted {
  readonly length: number;
  readonly rate: number;
}

/**
 * `audio(path, length, rate, names)`: `audio`, f32 [length] from -1 to 1, channels averaged, beside what the file set knows of each file. Recordings
 * longer than `length` are cut, shorter ones end in silence; without it all are as long as the first. All have the sample rate `rate`, or the first's.
 */
export const audioReader: SourceReader = {
  schema(args, resolvePath) {
    const set = fileSet(KIND, args, resolvePath);
    const wanted = wantedOf(args, set);
    for (const at of probes(set.samples)) demandFit(args, wanted, set.file(at), readFormat(set.file(at)));
    const { columns, samples } = schemaOf(set);
    return { samples, columns: [audioColumn(wanted), ...columns] };
  },
  async load(args, { resolvePath, expected }) {
    const set = fileSet(KIND, args, resolvePath, expected);
    const wanted = wantedOf(args, set);
    const { length } = wanted;
    demandWithin(
      set.file(0).name,
      'bytes of samples, which a smaller length makes fewer',
      set.samples * length * 4,
      LIMITS.dataBytes,
    );
    const data = new Float32Array(set.samples * length);
    for (let at = 0; at < set.samples; at++) {
      const file = set.file(at);
      const bytes = await readWhole(file);
      const format = parseWav(file, bytes, bytes.length);
      demandFit(args, wanted, file, format);
      readSamples(bytes, format, data.subarray(at * length, (at + 1) * length));
    }
    return { ...set, columns: [{ ...audioColumn(wanted), data }, ...set.columns] };
  },
};

function readFormat(file: DataFile): WavFormat {
  const size = sizeOfFile(file);
  const head = readHead(file, HEAD);
  try {
    return parseWav(file, head, size);
  } catch (error) {
    if (head.length >= size) throw error;
    return parseWav(file, readHead(file, LONG_HEAD), size);
  }
}

function wantedOf(args: Call['args'], set: FileSet): Wanted {
  const first = readFormat(set.file(0));
  const length = countArgument(args, 'length', 0, 0, 2 ** 26);
  const rate = countArgument(args, 'rate', 0, 0, 2 ** 20);
  return { length: length || first.length, rate: rate || first.rate };
}

function demandFit(args: Call['args'], { length, rate }: Wanted, file: DataFile, found: WavFormat): void {
  if (found.rate !== rate) {
    const than = args.rate ? '' : ' as in the first recording';
    throw new EngineError(
      'data-malformed',
      `${file.name}: expected ${rate} samples a second${than}, found ${found.rate}; convert the file`,
    );
  }
  if (args.length || found.length === length) return;
  throw new EngineError(
    'data-malformed',
    `${file.name}: expected ${length} samples as in the first recording, found ${found.length}; give the source a "length"`,
  );
}

function audioColumn({ length, rate }: Wanted): SourceColumn {
  return { name: 'audio', dtype: 'f32', shape: [length], rate };
}
