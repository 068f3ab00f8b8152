/** The run folders of a workspace: `.strata/runs/<time>-<name>/`. Creates them, finds them, tells what is in them. Knows nothing of processes. */
import { existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import * as v from 'valibot';
import { isInside } from '../../engine/data/paths.ts';
import type { Program } from '../../engine/ir/program.ts';
import { printProgram } from '../../engine/ir/programText.ts';
import {
  LAST_CHECKPOINT,
  PROGRAM_FILE,
  REQUEST_FILE,
  type RunRequest,
  readRequest,
  SOURCE_FILE,
} from '../../engine/process/runFolder.ts';
import { EngineError } from '../../engine/util/errors.ts';
import type { RunIdentity } from './history.ts';

/** Who a run is, beside the engine's files: `run.json`. */
const IDENTITY_FILE = 'run.json';
const identitySchema = v.object({
  name: v.string(),
  source: v.string(),
  started: v.number(),
  choice: v.exactOptional(v.string()),
});

export interface NewRun {
  readonly program: Program;
  /** Text of the source file, kept as it was. */
  readonly text: string;
  /** Path of the source file relative to the workspace, for people. */
  readonly source: string;
  readonly request: RunRequest;
  /** Folder to use instead of a new one below `.strata/runs`. */
  readonly folder?: string;
}

export function runsFolder(workspace: string): string {
  return join(workspace, '.strata', 'runs');
}

/** Writes all that the engine needs into a new folder, the owner's alone. Throws `run-busy` if the folder is taken, `disk-full`. */
export function createRun({ program, text, source, request, folder }: NewRun): RunIdentity {
  const started = Date.now();
  const path = folder === undefined ? freeFolder(request.workspace, program.name, started) : resolve(folder);
  if (existsSync(join(path, REQUEST_FILE))) {
    throw new EngineError(
      'run-busy',
      `${path}: expected a new folder, found a run; resume it, or choose another folder`,
    );
  }
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    if (folder === undefined) ignoreInGit(request.workspace);
    const choice = Object.entries(program.choice ?? {}).map(([name, value]) => `${name}=${value}`);
    const identity = { name: program.name, source, started, ...(choice.length > 0 && { choice: choice.join(' ') }) };
    writeFileSync(join(path, IDENTITY_FILE), `${JSON.stringify(identity, null, 2)}\n`);
    writeFileSync(join(path, PROGRAM_FILE), printProgram(program));
    writeFileSync(join(path, SOURCE_FILE), text);
    writeFileSync(join(path, REQUEST_FILE), `${JSON.stringify(request, null, 2)}\n`);
    return { id: basename(path), folder: path, ...identity };
  } catch (cause) {
    throw writeFailure(path, cause);
  }
}

/** Turns the request of a folder into one that resumes. */
export function requestResume(folder: string): void {
  const request: RunRequest = { ...readRequest(folder), resume: true };
  try {
    writeFileSync(join(folder, REQUEST_FILE), `${JSON.stringify(request, null, 2)}\n`);
  } catch (cause) {
    throw writeFailure(folder, cause);
  }
}

/** Runs of a workspace, newest first; folders that are no runs are passed over. */
export function listRuns(workspace: string): readonly RunIdentity[] {
  const parent = runsFolder(workspace);
  if (!existsSync(parent)) return [];
  return readdirSync(parent)
    .map(name => readIdentity(join(parent, name)))
    .filter(run => run !== undefined)
    .sort((a, b) => b.started - a.started || (a.id < b.id ? 1 : -1));
}

/** Who the run in `folder` is; undefined where there is none. */
export function readIdentity(folder: string): RunIdentity | undefined {
  try {
    const parsed = v.safeParse(identitySchema, JSON.parse(readFileSync(join(folder, IDENTITY_FILE), 'utf8')));
    return parsed.success ? { id: basename(folder), folder, ...parsed.output } : undefined;
  } catch {
    return undefined;
  }
}

export function hasCheckpoint(folder: string): boolean {
  return existsSync(join(folder, LAST_CHECKPOINT));
}

/** The folder meant by a path, or by the name of a run of the workspace. Throws `run-missing`. */
export function findRun(nameOrPath: string, workspace: string): RunIdentity {
  const found = readIdentity(resolve(workspace, nameOrPath)) ?? readIdentity(join(runsFolder(workspace), nameOrPath));
  if (found !== undefined) return found;
  throw new EngineError(
    'run-missing',
    `${nameOrPath}: expected a run folder or the name of a run; list them with "strata runs"`,
  );
}

/** True if `folder` is a run of `workspace`, links resolved: what comes over a protocol is not trusted to be. */
export function isRunOf(folder: string, workspace: string): boolean {
  try {
    const real = realpathSync(folder);
    return isInside(realpathSync(runsFolder(workspace)), real) && readIdentity(real) !== undefined;
  } catch {
    return false;
  }
}

/** `2026-11-24T09-30-12-first`, with a number behind it if two runs start in one second. */
function freeFolder(workspace: string, name: string, time: number): string {
  const stamp = new Date(time).toISOString().slice(0, 19).replaceAll(':', '-');
  const base = join(runsFolder(workspace), `${stamp}-${name.replaceAll(/[^\w-]/g, '_')}`);
  for (let n = 1; ; n++) {
    const path = n === 1 ? base : `${base}-${n}`;
    if (!existsSync(path)) return path;
  }
}

/** Runs are outputs, and fetched data is the addresses': `.strata` keeps itself out of version control. */
export function ignoreInGit(workspace: string): void {
  const file = join(workspace, '.strata', '.gitignore');
  if (!existsSync(file)) writeFileSync(file, '*\n');
}

function writeFailure(path: string, cause: unknown): unknown {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new EngineError('disk-full', `${path}: the disk is full; free some space and start again`, { cause });
  }
  // Making a folder and its parents on a read-only disk fails with ENOENT.
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS' || code === 'ENOENT') {
    return new EngineError('run-missing', `${path}: the folder can't be written; check its permissions`, { cause });
  }
  if (code === 'EEXIST' || code === 'ENOTDIR') {
    return new EngineError(
      'run-missing',
      `${path}: expected a folder, found a file on the way; choose another folder`,
      {
        cause,
      },
    );
  }
  return cause;
}
