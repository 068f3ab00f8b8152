/** Reads and analyses the `.strata` files that a command names, with the folder that their data paths may not leave. */
import { readFileSync } from 'node:fs';
import { dirname, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isInside } from '../../engine/data/paths.ts';
import { EngineError } from '../../engine/util/errors.ts';
import { createSchemaWorker } from '../data/schemaWorker.ts';
import type { Analysis } from '../lang/api.ts';
import { filePath, fileUri } from '../runs/fileUri.ts';
import { analyzeSettled, createLangHost } from '../runs/langHost.ts';

export interface Source {
  /** As the user named it. */
  readonly name: string;
  /** Absolute path. */
  readonly path: string;
  /** Where runs go and what data paths stay inside of: the current folder if it holds the file, else the file's own. */
  readonly workspace: string;
  readonly text: string;
  readonly analysis: Analysis;
}

/** The thread that reads data files lies beside the command line's bundle; a hostile file ends the thread alone. */
const thread = createSchemaWorker(fileURLToPath(new URL('./schemas.js', import.meta.url)));

/** With the schemas of its data files. */
export async function readSource(name: string): Promise<Source> {
  const path = resolve(name);
  const workspace = workspaceOf(path);
  const text = readText(path, name);
  const host = createLangHost({
    ...thread,
    workspaceOf: uri => {
      const file = filePath(uri);
      return file === undefined ? undefined : workspaceOf(file);
    },
  });
  return { name, path, workspace, text, analysis: await analyzeSettled(fileUri(path), text, host) };
}

export function readText(path: string, name: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new EngineError('data-missing', `${name}: expected a .strata file, found none; check the path`, { cause });
  }
}

/** The path of a file as a user in `workspace` would write it. */
export function shortPath(path: string, workspace: string): string {
  return relative(workspace, path) || path;
}

function workspaceOf(path: string): string {
  return isInside(process.cwd(), path) ? process.cwd() : dirname(path);
}
