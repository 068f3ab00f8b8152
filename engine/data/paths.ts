/** Paths that come from a `.strata` file: they stay inside the workspace, links resolved, whatever they are spelled like. */
import { existsSync, realpathSync } from 'node:fs';
import { isAbsolute, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isAddress, parseAddress } from '../util/address.ts';
import { EngineError } from '../util/errors.ts';

/** Absolute, link-free path of a file of the workspace; throws `data-missing`, `path-outside-workspace` or `unsupported`. */
export type ResolvePath = (path: string) => string;

/**
 * Resolver for a workspace folder. Relative paths are looked up from `base` (the folder of the source file, the workspace by default).
 * Both the spelled path and what it links to must lie in the workspace; network paths are refused on every platform.
 */
export function workspacePaths(workspace: string, base: string = workspace): ResolvePath {
  return path => {
    const spelled = isAddress(path) ? fetchedPath(workspace, path) : resolve(base, decode(path));
    if (!isInside(resolve(workspace), spelled)) throw outside(path);
    const real = existing(spelled, path);
    if (!isInside(existing(resolve(workspace), workspace), real)) throw outside(path);
    return real;
  };
}

/** True when `inner` is `folder` or lies in it, compared by segment: `/work2` is not in `/work`. */
export function isInside(folder: string, inner: string): boolean {
  const way = relative(folder, inner);
  return way === '' || (!isAbsolute(way) && way.split(sep)[0] !== '..');
}

function decode(path: string): string {
  if (path.includes('\0')) throw new EngineError('path-outside-workspace', 'expected a path, found a zero byte in it');
  if (/^[\\/]{2}/.test(path)) {
    throw new EngineError('path-outside-workspace', `${path}: expected a file of the workspace, found a network path`);
  }
  if (/^file:/i.test(path)) return fromFileUrl(path);
  if (/^[a-z][a-z0-9+.-]+:/i.test(path)) {
    throw new EngineError(
      'unsupported',
      `${path}: expected a file of the workspace or an http address; download the file first`,
    );
  }
  return join(path);
}

/** Where `strata fetch` puts what an address names. */
export const DATA_FOLDER = join('.strata', 'data');

/** Nothing is downloaded here: a file that has not been fetched is missing. */
function fetchedPath(workspace: string, path: string): string {
  const { url, sha256 } = parseAddress(path);
  if (sha256 === undefined) {
    const what = 'expected a checksum behind the address, as in "…#sha256=9f86…"; fetch it once to see what it is';
    throw new EngineError('data-missing', `${url}: ${what}`);
  }
  const spelled = join(resolve(workspace), DATA_FOLDER, sha256);
  if (existsSync(spelled)) return spelled;
  throw new EngineError('data-missing', `${url}: not fetched yet; fetch it with "strata fetch", or train, which does`);
}

function fromFileUrl(path: string): string {
  try {
    const url = new URL(path);
    if (url.host === '') return fileURLToPath(url);
  } catch {
    // An address that doesn't parse is refused like one with a host.
  }
  throw new EngineError('path-outside-workspace', `${path}: expected a file of the workspace, found another host's`);
}

function existing(absolute: string, spelled: string): string {
  try {
    return realpathSync.native(absolute);
  } catch (cause) {
    throw new EngineError(
      'data-missing',
      `${spelled}: no such file; check the path, which starts at the folder of the source`,
      {
        cause,
      },
    );
  }
}

function outside(path: string): EngineError {
  return new EngineError(
    'path-outside-workspace',
    `${path}: expected a file of the workspace, found a path that leads out of it; copy the file into the workspace`,
  );
}
