/** The data sources by name: the reader of each, the schema for the checker and the columns for training. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import type { Call, ColumnSchema } from '../ir/program.ts';
import { isAddress, nameOfPath, parseAddress } from '../util/address.ts';
import { EngineError } from '../util/errors.ts';
import { audioReader } from './audio.ts';
import { csvReader } from './csv.ts';
import { idxReader } from './idx.ts';
import { imagesReader } from './images.ts';
import { npyReader, npzReader } from './numpy.ts';
import { parquetReader } from './parquet.ts';
import type { ResolvePath } from './paths.ts';
import { procedural } from './procedural.ts';
import { safetensorsReader } from './safetensors.ts';
import type { DataSchema, DataSet, LoadOptions, SourceReader } from './schema.ts';
import { textReader } from './text.ts';

export const readers: Readonly<Record<string, SourceReader>> = {
  ...procedural,
  audio: audioReader,
  csv: csvReader,
  idx: idxReader,
  images: imagesReader,
  npy: npyReader,
  npz: npzReader,
  parquet: parquetReader,
  safetensors: safetensorsReader,
  text: textReader,
};

/** What `source` holds, from headers and capped reads. Throws EngineError. */
export async function readSchema(source: Call, resolvePath: ResolvePath): Promise<DataSchema> {
  return readerOf(source).schema(source.args, resolvePath);
}

/** Everything `source` holds, held to the columns the Program was checked with. Throws EngineError. */
export async function loadSource(source: Call, options: LoadOptions): Promise<DataSet> {
  for (const value of Object.values(source.args)) {
    if (typeof value === 'string' && isAddress(value)) await demandFetched(value, options.resolvePath);
  }
  const set = await readerOf(source).load(source.args, options);
  for (const column of options.expected ?? []) demandColumn(source, set, column);
  return set;
}

function readerOf(source: Call): SourceReader {
  const reader = Object.hasOwn(readers, source.name) ? readers[source.name] : undefined;
  if (reader !== undefined) return reader;
  throw new EngineError(
    'unsupported',
    `expected one of the sources ${Object.keys(readers).join(', ')}, found ${source.name}`,
  );
}

/** What was fetched is what the program means, or it is refused: anybody may have written to the folder since. */
async function demandFetched(path: string, resolvePath: ResolvePath): Promise<void> {
  const { url, sha256 } = parseAddress(path);
  const file = resolvePath(path);
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk);
  const found = hash.digest('hex');
  if (found === sha256) return;
  throw new EngineError(
    'data-malformed',
    `${url}: expected a file of sha256 ${sha256}, found ${found}; remove ${file} and fetch it again`,
  );
}

/** The data may have changed since the program was checked, and a test source is checked against the training columns. */
function demandColumn(source: Call, set: DataSet, expected: ColumnSchema): void {
  const found = set.columns.find(column => column.name === expected.name);
  const describe = (column: ColumnSchema): string => `${column.dtype}[${column.shape.join(', ')}]`;
  if (found && describe(found) === describe(expected)) return;
  throw new EngineError(
    'data-malformed',
    `${placeOf(source)}: expected a column "${expected.name}" of type ${describe(expected)}, found ${found ? describe(found) : 'none'}; the data changed or differs from the training data`,
  );
}

/** The source as its user knows it: its first path, or its name. */
export function placeOf(source: Call): string {
  const path = Object.values(source.args).find(value => typeof value === 'string');
  return typeof path === 'string' ? nameOfPath(path) : `${source.name}()`;
}
