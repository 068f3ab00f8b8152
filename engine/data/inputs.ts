/** Files that someone hands to a trained model: samples of the kind of its data source, without targets. */
import { extname } from 'node:path';
import type { ColumnSchema, DataPlan } from '../ir/program.ts';
import { EngineError } from '../util/errors.ts';
import { newArray } from './batches.ts';
import { parseTable } from './csvTable.ts';
import { type DataFile, decodeText, readWhole } from './file.ts';
import { readPixels, withChannels } from './imageFile.ts';
import { readParquet } from './parquet.ts';
import type { ResolvePath } from './paths.ts';
import { resized } from './resize.ts';
import type { DataColumn, DataSet } from './schema.ts';
import { loadSource } from './sources.ts';
import { isNumeric, sideBySide, type Table, wishesOf } from './table.ts';
import { fillColumn } from './tableColumn.ts';
import { textColumn } from './textColumn.ts';
import { parseWav, readSamples } from './wav.ts';

/** Samples, and what each is called: its file, and its row where the file has several. */
export interface Inputs {
  readonly set: DataSet;
  readonly names: readonly { readonly file: string; readonly row?: number }[];
}

/**
 * The samples of `files`: rows of tables, images, recordings, or stored arrays, as `plan.source` reads them. Only the columns that `plan.prepare`
 * reads must be there. Throws `data-*`, and `unsupported` where the files are of no kind that the model takes.
 */
export async function loadInputs(plan: DataPlan, files: readonly string[], resolvePath: ResolvePath): Promise<Inputs> {
  const needed = neededColumns(plan);
  const parts: Inputs[] = [];
  for (const name of files) parts.push(await loadFile(plan, needed, { name, path: resolvePath(name) }));
  return {
    set: {
      samples: parts.reduce((sum, { set }) => sum + set.samples, 0),
      columns: needed.map((column, at) =>
        joined(
          column,
          parts.map(({ set }) => set.columns[at]!),
        ),
      ),
    },
    names: parts.flatMap(({ names }) => names),
  };
}

/** The columns behind `plan.prepare`, which has the batch in front of them and of nothing else. */
function neededColumns({ prepare, columns }: DataPlan): readonly ColumnSchema[] {
  const inputs = prepare.nodes.filter(({ op, type }) => op === 'input' && typeof type.shape[0] === 'object');
  const known = new Set(inputs.map(({ attributes }) => String(attributes.name)));
  return columns.filter(({ name }) => known.has(name));
}

async function loadFile(plan: DataPlan, needed: readonly ColumnSchema[], file: DataFile): Promise<Inputs> {
  const ending = extname(file.name.replace(/\.gz$/i, '')).toLowerCase();
  const [only, ...others] = needed;
  const single = (data: DataColumn['data']): Inputs => ({
    set: { samples: 1, columns: [{ ...only!, data }] },
    names: [{ file: file.name }],
  });
  const isImage = ['.png', '.jpg', '.jpeg'].includes(ending);
  if (only && others.length === 0 && isImage && imageSize(only)) return single(await imageInput(plan, only, file));
  if (only && others.length === 0 && ending === '.wav' && only.rate !== undefined)
    return single(await soundInput(plan, only, file));
  if (['csv', 'parquet'].includes(plan.source.name) && !isImage && ending !== '.wav')
    return tableInput(plan, needed, file);
  return arrayInput(plan, needed, file);
}

function imageSize({ shape, dtype }: ColumnSchema) {
  const [channels, height, width] = shape.length === 2 ? [1, ...shape] : shape;
  if (shape.length > 3 || height === undefined || width === undefined || (channels !== 1 && channels !== 3))
    return undefined;
  return dtype === 'u8' || dtype === 'f32' ? ({ channels, height, width } as const) : undefined;
}

/** Bytes, or numbers from 0 to 1 where the source has those; grey or RGB as the source's images are. */
async function imageInput({ source }: DataPlan, column: ColumnSchema, file: DataFile): Promise<DataColumn['data']> {
  const { channels, height, width } = imageSize(column)!;
  const found = await readPixels(file);
  if (!source.args.size && (found.width !== width || found.height !== height))
    throw malformed(
      file,
      `expected ${width} x ${height} pixels as in training, found ${found.width} x ${found.height}; scale the image`,
    );
  if (!source.args.channels && found.channels !== channels && channels === 3)
    throw malformed(file, 'expected RGB as in training, found grey; convert the image');
  const { data } = resized(withChannels(found, channels), width, height);
  const planes = newArray(column.dtype, data.length);
  const scale = column.dtype === 'f32' ? 1 / 255 : 1;
  const count = height * width;
  for (let at = 0; at < data.length; at++)
    planes[(at % channels) * count + Math.floor(at / channels)] = data[at]! * scale;
  return planes;
}

async function soundInput({ source }: DataPlan, { shape, rate }: ColumnSchema, file: DataFile): Promise<Float32Array> {
  const bytes = await readWhole(file);
  const format = parseWav(file, bytes, bytes.length);
  const [length] = shape;
  if (format.rate !== rate)
    throw malformed(file, `expected ${rate} samples a second as in training, found ${format.rate}; convert the file`);
  if (!source.args.length && format.length !== length)
    throw malformed(file, `expected ${length} samples as in training, found ${format.length}; cut or pad the file`);
  const samples = new Float32Array(length!);
  readSamples(bytes, format, samples);
  return samples;
}

/** Rows with the needed columns in any order, whatever else the table has; `features` are its numeric columns by the names of the training table. */
async function tableInput(plan: DataPlan, needed: readonly ColumnSchema[], file: DataFile): Promise<Inputs> {
  const table = await readTable(plan, needed, file);
  const { target, texts, cut } = wishesOf(plan.source.args);
  const filled = (schema: ColumnSchema): DataColumn => {
    const column = table.columns.find(({ name }) => name === schema.name);
    if (column === undefined) {
      const names = table.columns.map(({ name }) => name).join(', ');
      throw malformed(file, `expected a column "${schema.name}" as in training, found ${names}`);
    }
    if (texts.includes(schema.name)) return textColumn(file, table, column, cut, schema);
    return fillColumn(file, table, column, schema);
  };
  const features = (schema: ColumnSchema): DataColumn => {
    const numeric = plan.columns.filter(column => isNumeric(column) && column.name !== target);
    return { ...schema, data: sideBySide(table.rows, numeric.map(filled)) };
  };
  const isFeatures = ({ name }: ColumnSchema) => name === 'features' && target !== undefined;
  const columns = needed.map(schema => (isFeatures(schema) ? features(schema) : filled(schema)));
  return { set: { samples: table.rows, columns }, names: rowNames(file, table.rows) };
}

async function readTable({ source }: DataPlan, needed: readonly ColumnSchema[], file: DataFile): Promise<Table> {
  if (source.name === 'parquet') return readParquet(file, needed);
  return parseTable(file, decodeText(file, await readWhole(file, 2 ** 29), true));
}

/** Names of the argument that holds the samples, by source; others, with labels, are left out. */
const ARRAYS: Readonly<Record<string, string>> = { idx: 'images', npy: 'path', npz: 'path', safetensors: 'path' };

async function arrayInput(plan: DataPlan, needed: readonly ColumnSchema[], file: DataFile): Promise<Inputs> {
  const { source } = plan;
  const argument = ARRAYS[source.name];
  if (argument === undefined) throw unfit(plan, file);
  const args = { [argument]: file.name };
  const set = await loadSource({ name: source.name, args }, { resolvePath: () => file.path, expected: needed });
  const columns = needed.map(({ name }) => set.columns.find(column => column.name === name)!);
  return { set: { samples: set.samples, columns }, names: rowNames(file, set.samples) };
}

/** What a model of each source takes, where that is a file. */
const KINDS: Readonly<Record<string, string>> = {
  csv: 'a CSV table',
  parquet: 'a Parquet file',
  images: 'a PNG or JPEG image',
  digits: 'a PNG or JPEG image',
  audio: 'a WAV file',
};

function unfit({ source }: DataPlan, file: DataFile): EngineError {
  const kind = KINDS[source.name];
  if (kind !== undefined)
    return new EngineError('unsupported', `${file.name}: expected ${kind} as in training; hand over such a file`);
  const remedy = source.name === 'text' ? 'draw text with "strata generate"' : 'train on files to predict for files';
  return new EngineError(
    'unsupported',
    `${file.name}: expected a model of files of samples, found one of ${source.name}(); ${remedy}`,
  );
}

function rowNames({ name }: DataFile, samples: number): Inputs['names'] {
  return Array.from({ length: samples }, (_, row) => ({ file: name, row: row + 1 }));
}

function joined(schema: ColumnSchema, parts: readonly DataColumn[]): DataColumn {
  const data = newArray(
    schema.dtype,
    parts.reduce((sum, part) => sum + part.data.length, 0),
  );
  let at = 0;
  for (const part of parts) {
    data.set(part.data, at);
    at += part.data.length;
  }
  const missing = parts.reduce((sum, part) => sum + (part.missing ?? 0), 0);
  return { ...schema, data, ...(missing > 0 && { missing }) };
}

function malformed(file: DataFile, what: string): EngineError {
  return new EngineError('data-malformed', `${file.name}: ${what}`);
}
