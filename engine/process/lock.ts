/** One engine a run folder: a lock file that dies with its process. */
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EngineError } from '../util/errors.ts';
import { LOCK_FILE } from './runFolder.ts';

/** Takes the folder's lock, from a dead engine if need be; the result gives it back. Throws `run-busy` while another engine lives. */
export function lockRun(folder: string): () => void {
  const path = join(folder, LOCK_FILE);
  const mine = `${process.pid} ${startOf(process.pid)}`;
  for (let tries = 0; tries < 10; tries++) {
    if (create(path, mine)) return () => release(path, mine);
    const holder = read(path);
    if (holder !== undefined && isAlive(holder)) break;
    if (holder !== undefined) removeStale(path, holder);
  }
  throw new EngineError('run-busy', `${folder}: another engine trains this run; attach to it, or stop it first`);
}

/** True when the engine that holds the folder's lock lives. */
export function isLocked(folder: string): boolean {
  const holder = read(join(folder, LOCK_FILE));
  return holder !== undefined && isAlive(holder);
}

/** The lock appears with its content, by a link: it is never seen empty. */
function create(path: string, content: string): boolean {
  const draft = `${path}.${process.pid}.new`;
  writeFileSync(draft, content, { mode: 0o600 });
  try {
    linkSync(draft, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(draft, { force: true });
  }
}

function release(path: string, mine: string): void {
  if (read(path) === mine) rmSync(path, { force: true });
}

/** Moves the lock aside before removing it: if another engine was quicker and what was moved is its lock, it is put back. */
function removeStale(path: string, stale: string): void {
  const aside = `${path}.${process.pid}`;
  try {
    renameSync(path, aside);
    if (read(aside) !== stale) linkSync(aside, path);
  } catch {
    // Another engine moved it first, or took the lock meanwhile: the next try finds out.
  }
  rmSync(aside, { force: true });
}

function isAlive(holder: string): boolean {
  const [pid = '', start = ''] = holder.split(' ');
  if (!/^[1-9]\d*$/.test(pid)) return false;
  try {
    process.kill(Number(pid), 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  return startOf(Number(pid)) === start;
}

/**
 * When a process started, in ticks since boot, where the system tells (Linux): a reused pid is then not mistaken for the old process, nor is one
 * that is dead but whose parent has not taken note (state Z).
 */
function startOf(pid: number): string {
  const stat = read(`/proc/${pid}/stat`);
  // The fields after the command, which is in parentheses and may hold blanks: state is the third of all, start time the 22nd.
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ') ?? [];
  return fields[0] === 'Z' ? 'dead' : (fields[19] ?? '');
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
