/** Files that are there whole or not at all: written beside their place, synced, renamed. */
import * as fs from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { EngineError } from '../util/errors.ts';

/** The calls of node:fs/promises it takes, so that a full disk can be tried. */
export type Files = Pick<typeof fs, 'open' | 'rename' | 'rm' | 'mkdir'>;

/** What the system says when there is no room: disk full, quota used up, file size limit reached. */
const NO_ROOM: ReadonlySet<string | undefined> = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);

/**
 * Replaces the file `path` by `parts`, making its folder if need be. A crash at any moment leaves the old file or the new one.
 * Throws `disk-full` where there is no room; the old file is then untouched and nothing else is left behind.
 */
export async function writeAtomic(path: string, parts: readonly Uint8Array[], files: Files = fs): Promise<void> {
  const folder = dirname(path);
  const temporary = join(folder, `.${basename(path)}.${process.pid}.tmp`);
  try {
    await files.mkdir(folder, { recursive: true });
    await writeSynced(temporary, parts, files);
    await files.rename(temporary, path);
    await syncFolder(folder, files);
  } catch (cause) {
    await files.rm(temporary, { force: true });
    throw asDiskFull(path, cause);
  }
}

/** `disk-full` for an error that says so, the error itself otherwise. */
export function asDiskFull(path: string, cause: unknown): unknown {
  if (!NO_ROOM.has((cause as NodeJS.ErrnoException).code)) return cause;
  return new EngineError(
    'disk-full',
    `${path}: no room to write; free some space and resume the run, what was saved before is intact`,
    {
      cause,
    },
  );
}

async function writeSynced(path: string, parts: readonly Uint8Array[], files: Files): Promise<void> {
  const handle = await files.open(path, 'w', 0o600);
  try {
    for (const part of parts) await handle.writeFile(part);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Makes the rename itself durable; Windows has no handle on folders, and needs none. */
async function syncFolder(folder: string, files: Files): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await files.open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
