/** Downloading data that a program names by its address: on request alone, under caps, and kept only if it is the file that was meant. */
import { createHash, randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { LIMITS } from '../../engine/data/limits.ts';
import { DATA_FOLDER, workspacePaths } from '../../engine/data/paths.ts';
import { type Address, demandPublic } from '../../engine/util/address.ts';
import { EngineError } from '../../engine/util/errors.ts';
import { ignoreInGit } from '../runs/store.ts';

export interface FetchOptions {
  /** Absolute path of the workspace folder, whose `.strata/data` the file goes to. */
  readonly workspace: string;
  readonly signal?: AbortSignal;
  /** Bytes so far, and in all where the server says so. */
  readonly onProgress?: (bytes: number, total: number | undefined) => void;
  /** Bytes of a file at most. */
  readonly limit?: number;
  /** Milliseconds without a byte after which it is given up. */
  readonly patience?: number;
}

export interface Fetched {
  readonly address: Address;
  /** What the file is kept under. */
  readonly sha256: string;
  readonly bytes: number;
}

const maxRedirects = 5;

/**
 * Downloads to `.strata/data/<sha256>`, where a file appears whole or not at all. Throws `data-missing` if it can't be had, `data-malformed` if it is
 * too large or another one, `data-empty`, `unsupported` for addresses and redirects that are not followed, `disk-full`.
 */
export async function fetchData(address: Address, options: FetchOptions): Promise<Fetched> {
  const { workspace, limit = LIMITS.fileBytes, patience = 30_000 } = options;
  const folder = dataFolder(workspace);
  const stop = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, stop.signal]) : stop.signal;
  const timer = setTimeout(() => stop.abort(new Error(`no answer within ${patience / 1000} s`)), patience);
  const part = join(folder, `${randomUUID()}.part`);
  try {
    const response = await follow(demandPublic(address.url), signal);
    const total = totalOf(response);
    if (total !== undefined) demandSize(address, total, limit);
    const file = await open(part, 'wx', 0o600);
    const progress = (bytes: number): void => {
      timer.refresh();
      demandSize(address, bytes, limit);
      options.onProgress?.(bytes, total);
    };
    const { sha256, bytes } = await receive(response, file, progress).finally(() => file.close());
    demandMeant(address, sha256, bytes);
    await rename(part, join(folder, sha256));
    return { address, sha256, bytes };
  } catch (error) {
    throw failureOf(address, error, options.signal);
  } finally {
    clearTimeout(timer);
    await rm(part, { force: true });
  }
}

/** Made if it isn't there; a link that leads out of the workspace is refused. */
function dataFolder(workspace: string): string {
  mkdirSync(join(workspace, DATA_FOLDER), { recursive: true, mode: 0o700 });
  ignoreInGit(workspace);
  return workspacePaths(workspace)(DATA_FOLDER);
}

async function follow(start: URL, signal: AbortSignal): Promise<Response> {
  let url = start;
  for (let hops = 0; hops <= maxRedirects; hops++) {
    // Packed on the way it would have another checksum.
    const headers = { 'accept-encoding': 'identity' };
    const response = await fetch(url, { redirect: 'manual', credentials: 'omit', signal, headers });
    const location = response.headers.get('location');
    if (response.status === 200) return response;
    await response.body?.cancel();
    if (response.status < 300 || response.status >= 400 || location === null) {
      const found = `${response.status} ${response.statusText}`.trim();
      throw new EngineError('data-missing', `${start.href}: expected a file, found HTTP ${found}; check the address`);
    }
    url = redirectTarget(url, location);
  }
  throw new EngineError('unsupported', `${start.href}: expected at most ${maxRedirects} redirects, found more`);
}

/** Where a redirect leads. Throws `unsupported` for one from or to anything but https. */
export function redirectTarget(from: URL, location: string): URL {
  const to = URL.canParse(location, from) ? new URL(location, from) : undefined;
  if (to !== undefined && from.protocol === 'https:' && to.protocol === 'https:') return demandPublic(to.href);
  const target = to === undefined ? location.slice(0, 200) : `${to.origin}${to.pathname}`;
  throw new EngineError(
    'unsupported',
    `${from.href}: expected a redirect from https to https, found one to ${target}; name that address if you trust it`,
  );
}

function totalOf(response: Response): number | undefined {
  const length = response.headers.get('content-length');
  return length !== null && /^\d+$/.test(length) ? Number(length) : undefined;
}

async function receive(response: Response, file: FileHandle, progress: (bytes: number) => void) {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    progress(bytes);
    hash.update(chunk);
    await file.writeFile(chunk);
  }
  return { sha256: hash.digest('hex'), bytes };
}

function demandSize({ url }: Address, bytes: number, limit: number): void {
  if (bytes <= limit) return;
  throw new EngineError('data-malformed', `${url}: expected at most ${limit} bytes, found more; split the file`);
}

function demandMeant({ url, sha256 }: Address, found: string, bytes: number): void {
  if (bytes === 0) throw new EngineError('data-empty', `${url}: expected data, found an empty file`);
  if (sha256 === undefined || sha256 === found) return;
  throw new EngineError(
    'data-malformed',
    `${url}: expected a file of sha256 ${sha256}, found ${found}; it has changed, or is not the one that was meant`,
  );
}

/** What the network and the disk throw names neither address nor remedy. */
function failureOf({ url }: Address, error: unknown, cancelled: AbortSignal | undefined): unknown {
  if (error instanceof EngineError) return error;
  if (cancelled?.aborted === true) return new EngineError('data-missing', `${url}: the download was cancelled`);
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new EngineError('disk-full', `${url}: the disk is full; free some space and fetch it again`);
  }
  const why = cause instanceof Error ? cause.message || code : String(cause);
  return new EngineError('data-missing', `${url}: it can't be fetched: ${why}; check the address and the connection`, {
    cause: error,
  });
}
