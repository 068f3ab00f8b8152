/** What the language needs from a disk: imported texts, schemas of data files and shapes of weights, kept inside the workspace. */
import { readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { type ResolvePath, workspacePaths } from '../../engine/data/paths.ts';
import { readShapes } from '../../engine/train/safetensors.ts';
import { EngineError } from '../../engine/util/errors.ts';
import { createSchemaStore, type SchemaStore, type SchemaStoreOptions } from '../data/schemaStore.ts';
import { analyze } from '../lang/analyze.ts';
import type { Analysis, LangHost, WeightsResult } from '../lang/api.ts';
import { filePath } from './fileUri.ts';
import { weightsPath } from './weights.ts';

export interface LangHostOptions extends Omit<SchemaStoreOptions, 'placeOf'> {
  /** Absolute path of the workspace folder that holds a file; undefined for what lies in none (untitled texts). */
  readonly workspaceOf: (uri: string) => string | undefined;
  /** Text of a document the editor has open, which wins over the disk. */
  readonly openText?: (uri: string) => string | undefined;
}

/** The checker's view of a disk; schemas arrive in the background. */
export interface DiskHost extends LangHost {
  readonly schemas: SchemaStore;
}

/** A source file larger than this is no program; the checker has a limit of its own. */
const maxTextBytes = 4 << 20;

export function createLangHost({ workspaceOf, openText, ...options }: LangHostOptions): DiskHost {
  const placeOf = (uri: string) => {
    const [workspace, path] = [workspaceOf(uri), filePath(uri)];
    return workspace === undefined || path === undefined ? undefined : { workspace, base: dirname(path) };
  };
  const schemas = createSchemaStore({ placeOf, ...options });
  return {
    schemas,
    readText: uri => openText?.(uri) ?? readWorkspaceText(uri, workspaceOf(uri)),
    readSchema: schemas.read,
    readWeights: (from, fromUri) => {
      const place = placeOf(fromUri);
      return weightsResult(from, place?.workspace, place ? workspacePaths(place.workspace, place.base) : refuse);
    },
  };
}

/** The analysis of a file once the schemas of all its data are known: what a command waits for and an editor doesn't. */
export async function analyzeSettled(uri: string, text: string, host: DiskHost): Promise<Analysis> {
  for (let previous: Analysis | undefined; ; ) {
    const analysis = analyze(uri, text, host, previous);
    if (!host.schemas.waiting) return analysis;
    await host.schemas.settled();
    previous = analysis;
  }
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

function readWorkspaceText(uri: string, workspace: string | undefined): string | undefined {
  const named = filePath(uri);
  if (workspace === undefined || named === undefined) return undefined;
  try {
    const path = workspacePaths(workspace)(named);
    const stat = statSync(path);
    // Reading a pipe would wait for whoever writes to it.
    return stat.isFile() && stat.size <= maxTextBytes ? readFileSync(path, 'utf8') : undefined;
  } catch {
    return undefined;
  }
}
