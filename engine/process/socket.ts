/** Where the engine listens: a Unix socket in the run folder, its owner's alone, or a named pipe on Windows. */
import { randomUUID } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { connect, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EngineError } from '../util/errors.ts';
import { SOCKET_FILE } from './runFolder.ts';

/** Bytes of `sun_path`, its closing zero not counted: 104 on macOS, 108 on Linux. */
const LONGEST = 103;

/** A path to listen on for this run folder, and what tidies it up. */
export interface Address {
  readonly path: string;
  remove(): void;
}

/** The folder's socket, or one in a private folder of the temporary directory where the path would be too long. */
export function chooseAddress(folder: string, platform: NodeJS.Platform = process.platform): Address {
  if (platform === 'win32') return { path: `\\\\.\\pipe\\strata-${randomUUID()}`, remove: () => {} };
  const inside = join(folder, SOCKET_FILE);
  if (Buffer.byteLength(inside) <= LONGEST) return { path: inside, remove: () => rmSync(inside, { force: true }) };
  const elsewhere = mkdtempSync(join(tmpdir(), 'strata-'));
  return { path: join(elsewhere, 's'), remove: () => rmSync(elsewhere, { recursive: true, force: true }) };
}

/** Listens with access for the owner alone. A socket that a dead engine left is taken over; throws `socket-taken` where somebody answers. */
export async function listenPrivately(server: Server, { path }: Address): Promise<void> {
  const isFile = !path.startsWith('\\\\');
  if (isFile) await removeStale(path);
  // The socket is made with this mask, so there is no moment at which others could connect.
  const mask = isFile ? process.umask(0o177) : 0;
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', (cause: NodeJS.ErrnoException) =>
        reject(cause.code === 'EADDRINUSE' ? taken(path, cause) : cause),
      );
      server.listen(path, resolve);
    });
  } finally {
    if (isFile) process.umask(mask);
  }
  if (isFile) chmodSync(path, 0o600);
}

/** Closes the run folder to others; on Windows it inherits the rights of its owner's folder. */
export function closeToOthers(folder: string): void {
  if (process.platform !== 'win32') chmodSync(folder, 0o700);
}

function removeStale(path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const probe = connect(path);
    probe.once('connect', () => {
      probe.destroy();
      reject(taken(path));
    });
    probe.once('error', (error: NodeJS.ErrnoException) => {
      try {
        if (error.code === 'ECONNREFUSED' || error.code === 'ENOTSOCK') rmSync(path, { force: true });
        resolve();
      } catch (cause) {
        reject(new EngineError('socket-taken', `${path}: expected a socket, found a folder; remove it`, { cause }));
      }
    });
  });
}

function taken(path: string, cause?: unknown): EngineError {
  return new EngineError('socket-taken', `${path}: another process listens here; stop it, or start the run anew`, {
    cause,
  });
}
