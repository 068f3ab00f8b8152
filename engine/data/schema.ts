/** What a data source is to the checker (a schema) and to the trainer (columns in memory). */
import type { HostArray } from '../backend/backend.ts';
import type { Call, ColumnSchema } from '../ir/program.ts';
import { nameOfPath } from '../util/address.ts';
import { EngineError } from '../util/errors.ts';
import type { DataFile } from './file.ts';
import type { ResolvePath } from './paths.ts';

/** A column as the source describes it, per sample. */
export interface SourceColumn extends ColumnSchema {
  /** Samples without a value: NaN in floats, -1 in categories, until a transform fills them. */
  readonly missing?: number;
}

/** What the checker needs to know of a source; reading it touches headers where the format has them. */
export interface DataSchema {
  readonly columns: readonly SourceColumn[];
  /** Left out where counting them would take as long as loading. */
  readonly samples?: number;
}

/** One column, row-major over all samples. Floats are f32, labels and categories i32, pixels u8. */
export interface DataColumn extends SourceColumn {
  readonly data: HostArray;
}

export interface DataSet {
  readonly samples: number;
  readonly columns: readonly DataColumn[];
  /** The column the source calls its target: what splits are stratified by. */
  readonly target?: string;
}

export interface LoadOptions {
  readonly resolvePath: ResolvePath;
  /** The columns the Program was checked with: dtypes and categories to follow, classes to hold labels to. */
  readonly expected?: readonly ColumnSchema[];
}

/** Reads one kind of source. Both throw EngineError with the file as the user wrote it, the place and a remedy. */
export interface SourceReader {
  /** Runs beside the server where it reads files, so it may take its time; what it reads is capped. */
  readonly schema: (args: Call['args'], resolvePath: ResolvePath) => DataSchema | Promise<DataSchema>;
  readonly load: (args: Call['args'], options: LoadOptions) => Promise<DataSet>;
}

/** A reader of no file: its schema follows from the arguments at once. */
export interface ProceduralReader extends SourceReader {
  readonly schema: (args: Call['args']) => DataSchema;
}

/** The schema of loaded columns: the same without their contents. */
export function schemaOf(set: DataSet): Required<DataSchema> {
  return { samples: set.samples, columns: set.columns.map(({ data: _, ...column }) => column) };
}

/** The string argument `name` of a source. */
export function textArgument(args: Call['args'], name: string): string {
  const value = args[name];
  if (typeof value !== 'string')
    throw new EngineError('program-malformed', `expected a path for "${name}" of the source`);
  return value;
}

/** The file or folder that argument `name` of a source points to. Throws what `resolvePath` does. */
export function fileArgument(args: Call['args'], name: string, resolvePath: ResolvePath): DataFile {
  const given = textArgument(args, name);
  return { name: nameOfPath(given), path: resolvePath(given) };
}

/** An optional string argument; the empty string, its default, is none. */
export function optionalText(args: Call['args'], name: string): string | undefined {
  const value = args[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** A whole-number argument with its default, at least `least`. */
export function countArgument(args: Call['args'], name: string, fallback: number, least: number, most: number): number {
  const value = args[name] ?? fallback;
  if (typeof value !== 'number' || !Number.isInteger(value) || value < least || value > most) {
    throw new EngineError(
      'data-out-of-range',
      `expected a whole number from ${least} to ${most} for "${name}" of the source, found ${String(value)}`,
    );
  }
  return value;
}

/** A float argument with its default. */
export function floatArgument(args: Call['args'], name: string, fallback: number): number {
  const value = args[name] ?? fallback;
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  throw new EngineError('data-out-of-range', `expected a number for "${name}" of the source, found ${String(value)}`);
}
