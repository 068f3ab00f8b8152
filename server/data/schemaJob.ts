/** Reading the schema of one source from the disk, unless its files are those of the last reading: what a worker does for the schema store. */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type ResolvePath, workspacePaths } from '../../engine/data/paths.ts';
import { readSchema } from '../../engine/data/sources.ts';
import type { Call } from '../../engine/ir/program.ts';
import { EngineError } from '../../engine/util/errors.ts';
import { type SettledSchema, schemaProblem } from './schemaResult.ts';

/** Plain data, so that it can be posted to a worker. */
export interface SchemaJob {
  readonly source: Call;
  /** Absolute path of the folder that the files lie in. */
  readonly workspace: string;
  /** Absolute path of the folder that relative paths start at. */
  readonly base: string;
  /** Of the last reading: with equal stamps nothing is read. */
  readonly stamp?: string;
}

export interface SchemaAnswer {
  /** Changes when one of the source's files does, or when files come to or go from its folders. */
  readonly stamp: string;
  /** Absent where the stamp is the one of the job. */
  readonly result?: SettledSchema;
}

/** Never rejects but for mistakes of ours. */
export async function runSchemaJob({ source, workspace, base, stamp: known }: SchemaJob): Promise<SchemaAnswer> {
  const resolvePath = workspacePaths(workspace, base);
  const stamp = await stampOf(source, resolvePath);
  if (stamp === known) return { stamp };
  return { stamp, result: await schemaResult(source, resolvePath) };
}

async function schemaResult(source: Call, resolvePath: ResolvePath): Promise<SettledSchema> {
  try {
    return { kind: 'schema', ...(await readSchema(source, resolvePath)) };
  } catch (error) {
    if (error instanceof EngineError) return schemaProblem(source, error);
    throw error;
  }
}

async function stampOf(source: Call, resolvePath: ResolvePath): Promise<string> {
  const paths = Object.values(source.args).filter(value => typeof value === 'string');
  const stamps = await Promise.all(paths.map(path => stampOfPath(path, resolvePath).catch(() => 'missing')));
  return stamps.join(' ');
}

/** A folder per class is as new as the newest of its folders. */
async function stampOfPath(spelled: string, resolvePath: ResolvePath): Promise<string> {
  const path = resolvePath(spelled);
  const { mtimeMs, size, ino, isFolder } = await look(path);
  const stamp = `${mtimeMs}:${size}:${ino}`;
  if (!isFolder) return stamp;
  const folders = (await readdir(path, { withFileTypes: true })).filter(entry => entry.isDirectory());
  const stamps = await Promise.all(
    folders.map(async ({ name }) => `${name}:${(await look(join(path, name))).mtimeMs}`),
  );
  return [stamp, ...stamps].join(' ');
}

async function look(path: string) {
  const found = await stat(path);
  return { mtimeMs: found.mtimeMs, size: found.size, ino: found.ino, isFolder: found.isDirectory() };
}
