/** Reads and analyses the `.strata` files that a command names, with the folder that their data paths may not leave. */
import { readFileSync } from 'node:fs';
import { dirname, relative, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { isInside } from '../../engine/data/paths.ts';
import { EngineError } from '../../engine/util/errors.ts';
import { createSchemaWorker } from '../data/schemaWorker.ts';
import type { Analysis } from '../lang/api.ts';
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
    workspaceOf: uri => (uri.startsWith('file:') ? workspaceOf(fileURLToPath(uri)) : undefined),
  });
  return { name, path, workspace, text, analysis: await analyzeSettled(pathToFileURL(path).href, text, host) };
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
