/** What the language needs from a disk: imported texts and schemas of data files, both cached by time stamp and kept inside the workspace. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type ResolvePath, workspacePaths } from '../../engine/data/paths.ts';
import { readSchema } from '../../engine/data/sources.ts';
import type { Call } from '../../engine/ir/program.ts';
import { readShapes } from '../../engine/train/safetensors.ts';
import { EngineError } from '../../engine/util/errors.ts';
import type { LangHost, SchemaResult, WeightsResult } from '../lang/api.ts';
import { weightsPath } from './weights.ts';

export interface LangHostOptions {
  /** Absolute path of the workspace folder that holds a file; undefined for what lies in none (untitled texts). */
  readonly workspaceOf: (uri: string) => string | undefined;
  /** Text of a document the editor has open, which wins over the disk. */
  readonly openText?: (uri: string) => string | undefined;
}

/** A source file larger than this is no program; the checker has a limit of its own. */
const maxTextBytes = 4 << 20;

export function createLangHost({ workspaceOf, openText }: LangHostOptions): LangHost {
  const schemas = new Map<string, { readonly stamp: string; readonly result: SchemaResult }>();
  const pathsFor = (uri: string): ResolvePath | undefined => {
    const workspace = workspaceOf(uri);
    return workspace === undefined ? undefined : workspacePaths(workspace, dirname(fileURLToPath(uri)));
  };
  return {
    readText: uri => openText?.(uri) ?? readWorkspaceText(uri, workspaceOf(uri)),
    readSchema: (source, fromUri) => {
      const resolvePath = pathsFor(fromUri);
      const stamp = stampOf(source, resolvePath);
      const key = JSON.stringify([source, resolvePath === undefined ? '' : dirname(fromUri)]);
      const known = schemas.get(key);
      if (known?.stamp === stamp) return known.result;
      const result = schemaResult(source, resolvePath ?? refuse);
      schemas.set(key, { stamp, result });
      return result;
    },
    readWeights: (from, fromUri) => weightsResult(from, workspaceOf(fromUri), pathsFor(fromUri) ?? refuse),
  };
}

function weightsResult(from: string, workspace: string | undefined, resolvePath: ResolvePath): WeightsResult {
  try {
    return { kind: 'weights', shapes: readShapes(resolvePath(weightsPath(from, workspace ?? ''))) };
  } catch (error) {
    // A file may go, or be closed to us, between two looks at it.
    if (!(error instanceof EngineError))
      return {
        kind: 'problem',
        code: 'data-missing',
        message: `${from}: the file can't be read; check its permissions`,
      };
    const code = error.code === 'checkpoint-malformed' ? 'data-malformed' : 'data-missing';
    return { kind: 'problem', code, message: error.message };
  }
}

/** A text in no workspace folder has no place to look from. */
const refuse: ResolvePath = path => {
  throw new EngineError(
    'data-missing',
    `${path}: expected a file beside a saved program in an open folder; save this one first`,
  );
};

function schemaResult(source: Call, resolvePath: ResolvePath): SchemaResult {
  try {
    return { kind: 'schema', ...readSchema(source, resolvePath) };
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    const blamed = Object.entries(source.args).find(
      ([, value]) => typeof value === 'string' && error.message.startsWith(value),
    );
    return {
      kind: 'problem',
      code: error.code === 'data-missing' ? 'data-missing' : 'data-malformed',
      message: error.message,
      ...(blamed === undefined ? {} : { argument: blamed[0] }),
    };
  }
}

/** Changes when one of the source's files does, or when files come to or go from its folders. */
function stampOf(source: Call, resolvePath: ResolvePath | undefined): string {
  const stamps = Object.values(source.args).map(value => {
    if (typeof value !== 'string' || resolvePath === undefined) return '';
    try {
      return stampOfPath(resolvePath(value));
    } catch {
      return 'missing';
    }
  });
  return stamps.join(' ');
}

/** A folder per class is as new as the newest of its folders. */
function stampOfPath(path: string): string {
  const stat = statSync(path);
  const stamp = `${stat.mtimeMs}:${stat.size}:${stat.ino}`;
  if (!stat.isDirectory()) return stamp;
  const folders = readdirSync(path, { withFileTypes: true }).filter(entry => entry.isDirectory());
  return [stamp, ...folders.map(({ name }) => `${name}:${statSync(join(path, name)).mtimeMs}`)].join(' ');
}

function readWorkspaceText(uri: string, workspace: string | undefined): string | undefined {
  if (workspace === undefined || !uri.startsWith('file:')) return undefined;
  try {
    const path = workspacePaths(workspace)(fileURLToPath(uri));
    const stat = statSync(path);
    // Reading a pipe would wait for whoever writes to it.
    return stat.isFile() && stat.size <= maxTextBytes ? readFileSync(path, 'utf8') : undefined;
  } catch {
    return undefined;
  }
}
