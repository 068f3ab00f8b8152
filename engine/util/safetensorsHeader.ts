/** The JSON header of a safetensors file, held to the format: every byte of the data belongs to exactly one tensor. */
import { EngineError } from './errors.ts';

export interface TensorEntry {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  /** Byte range within the data. */
  readonly begin: number;
  readonly end: number;
}

export interface SafetensorsHeader {
  readonly entries: readonly TensorEntry[];
  readonly metadata: Readonly<Record<string, string>>;
}

const MAX_TENSORS = 65_536;
const MAX_RANK = 32;

const WIDTHS = [
  [1, ['BOOL', 'U8', 'I8', 'F8_E4M3', 'F8_E5M2']],
  [2, ['I16', 'U16', 'F16', 'BF16']],
  [4, ['I32', 'U32', 'F32']],
  [8, ['I64', 'U64', 'F64']],
] as const;
/** Bytes of an element by dtype. */
const BYTES: ReadonlyMap<string, number> = new Map(
  WIDTHS.flatMap(([bytes, names]) => names.map(name => [name, bytes])),
);

/** Parses and validates the header of a file with `dataBytes` bytes of data. Throws `checkpoint-malformed` naming the first fault. */
export function parseHeader(text: string, dataBytes: number, file: string): SafetensorsHeader {
  const twice = firstDuplicateKey(text);
  if (twice !== undefined) throw malformed(file, `expected each name once, found "${short(twice)}" twice`);
  const json = parseObject(text, file);
  const names = Object.keys(json).filter(name => name !== '__metadata__');
  if (names.length > MAX_TENSORS)
    throw malformed(file, `expected at most ${MAX_TENSORS} tensors, found ${names.length}`);
  const entries = names.map(name => parseEntry(name, json[name], file));
  demandCover(entries, dataBytes, file);
  return { entries, metadata: parseMetadata(json.__metadata__, file) };
}

function parseObject(text: string, file: string): Readonly<Record<string, unknown>> {
  try {
    const json: unknown = text.startsWith('{') ? JSON.parse(text) : undefined;
    if (isRecord(json)) return json;
  } catch {
    // Falls through: whatever isn't an object is refused alike.
  }
  throw malformed(file, 'expected a JSON object as header, found other text');
}

function parseEntry(name: string, value: unknown, file: string): TensorEntry {
  const place = `tensor "${short(name)}"`;
  if (!isRecord(value)) throw malformed(file, `${place}: expected dtype, shape and offsets`);
  const { dtype, shape, data_offsets: offsets } = value;
  const width = typeof dtype === 'string' ? BYTES.get(dtype) : undefined;
  if (typeof dtype !== 'string' || width === undefined) throw malformed(file, `${place}: expected a known dtype`);
  if (!isCounts(shape) || shape.length > MAX_RANK)
    throw malformed(file, `${place}: expected a shape of at most ${MAX_RANK} sizes`);
  if (!isCounts(offsets) || offsets.length !== 2) throw malformed(file, `${place}: expected two offsets`);
  const [begin = 0, end = 0] = offsets;
  const bytes = shape.reduce((product, size) => product * size, width);
  if (!Number.isSafeInteger(bytes) || end - begin !== bytes) {
    throw malformed(file, `${place}: expected ${bytes} bytes for ${dtype}[${shape.join(', ')}], found ${end - begin}`);
  }
  return { name, dtype, shape, begin, end };
}

/** No holes, no overlaps, nothing behind the last tensor: sorted by offset, each starts where the one before ends. */
function demandCover(entries: readonly TensorEntry[], dataBytes: number, file: string): void {
  let at = 0;
  for (const { name, begin, end } of [...entries].sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (begin !== at) throw malformed(file, `tensor "${short(name)}": expected to start at byte ${at}, found ${begin}`);
    at = end;
  }
  if (at > dataBytes) throw malformed(file, `expected ${at} bytes of tensors, found ${dataBytes}; the file is cut`);
  if (at < dataBytes)
    throw malformed(file, `expected ${at} bytes of tensors, found ${dataBytes}; bytes follow the last tensor`);
}

function parseMetadata(value: unknown, file: string): Readonly<Record<string, string>> {
  if (value === undefined) return {};
  if (isRecord(value) && Object.values(value).every(each => typeof each === 'string'))
    return value as Record<string, string>;
  throw malformed(file, 'expected metadata of texts alone');
}

/** JSON.parse keeps the last of equal keys in silence; this finds them first. Gives up, without a verdict, where text isn't JSON. */
function firstDuplicateKey(text: string): string | undefined {
  const open: Set<string>[] = [];
  for (const match of text.matchAll(/"(?:[^"\\]|\\.)*"(\s*:)?|[{}[\]]/gs)) {
    const token = match[0];
    if (token === '{' || token === '[') open.push(new Set());
    else if (token === '}' || token === ']') open.pop();
    else if (match[1] !== undefined) {
      const key = unquote(token.slice(0, token.lastIndexOf('"') + 1));
      if (key !== undefined && open.at(-1)?.has(key)) return key;
      if (key !== undefined) open.at(-1)?.add(key);
    }
  }
  return undefined;
}

function unquote(literal: string): string | undefined {
  try {
    return JSON.parse(literal) as string;
  } catch {
    return undefined;
  }
}

function isCounts(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every(each => Number.isSafeInteger(each) && each >= 0);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function short(name: string): string {
  return name.length > 60 ? `${name.slice(0, 60)}…` : name;
}

function malformed(file: string, what: string): EngineError {
  return new EngineError('checkpoint-malformed', `${file}: ${what}`);
}
