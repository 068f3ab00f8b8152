/** The `safetensors` source: a column a tensor, whose first axis is the samples. */
import type { Call } from '../ir/program.ts';
import { EngineError } from '../util/errors.ts';
import { parseHeader, type SafetensorsHeader } from '../util/safetensorsHeader.ts';
import { type ArraySet, arraySchema, arraySet, ELEMENTS, type StoredArray } from './elements.ts';
import { type DataFile, decodeText, readRange, sizeOfFile } from './file.ts';
import { LIMITS } from './limits.ts';
import type { ResolvePath } from './paths.ts';
import { fileArgument, optionalText, type SourceReader } from './schema.ts';

/** Bytes of the header's length, a little-endian u64. */
const PREFIX = 8;

/** The names of the format by those of NumPy. */
const NAMES: Readonly<Record<string, string>> = {
  BOOL: 'b1',
  U8: 'u1',
  I8: 'i1',
  U16: 'u2',
  I16: 'i2',
  U32: 'u4',
  I32: 'i4',
  U64: 'u8',
  I64: 'i8',
  F16: 'f2',
  BF16: 'bf2',
  F32: 'f4',
  F64: 'f8',
};

/** `safetensors(path, target)`. */
export const safetensorsReader: SourceReader = {
  schema: (args, resolvePath) => arraySchema(tensorsOf(args, resolvePath)),
  load: async (args, { resolvePath, expected }) => arraySet(tensorsOf(args, resolvePath), expected),
};

function tensorsOf(args: Call['args'], resolvePath: ResolvePath): ArraySet {
  const file = fileArgument(args, 'path', resolvePath);
  const target = optionalText(args, 'target');
  const { start, header } = readHeader(file);
  const arrays = header.entries.map(({ name, dtype, shape, begin, end }): StoredArray => {
    const element = ELEMENTS[NAMES[dtype] ?? ''];
    if (element === undefined)
      throw new EngineError(
        'data-malformed',
        `${file.name}: expected numbers in "${name}", found ${dtype}; convert it to F32`,
      );
    const contents = (limit: number = end - begin): Uint8Array =>
      readRange(file, start + begin, Math.min(limit, end - begin));
    return { name, element, little: true, shape, contents };
  });
  return { file, arrays, ...(target !== undefined && { target }) };
}

function readHeader(file: DataFile): { readonly start: number; readonly header: SafetensorsHeader } {
  const size = sizeOfFile(file);
  const prefix = readRange(file, 0, PREFIX);
  const length =
    prefix.length < PREFIX ? undefined : Number(new DataView(prefix.buffer, prefix.byteOffset).getBigUint64(0, true));
  if (length === undefined || length > Math.min(LIMITS.schemaBytes, size - PREFIX)) {
    throw new EngineError(
      'data-malformed',
      `${file.name}: expected the header of a safetensors file, found ${length ?? prefix.length} bytes of it in a file of ${size}; it is cut or another format`,
    );
  }
  const start = PREFIX + length;
  const text = decodeText(file, readRange(file, PREFIX, length), true);
  try {
    return { start, header: parseHeader(text, size - start, file.name) };
  } catch (error) {
    // To the parser every file is a checkpoint.
    throw error instanceof EngineError ? new EngineError('data-malformed', error.message, { cause: error }) : error;
  }
}
