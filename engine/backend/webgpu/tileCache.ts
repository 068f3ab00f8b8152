/** What was measured on an adapter, kept in a file of the user's cache folder: the best tile of each shape. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { WgslOptions } from '../../codegen/wgsl/shader.ts';
import { allTiles, fits, type Tile, tileName } from '../../codegen/wgsl/tiles.ts';

export interface TileCache {
  /** By `productKey`. */
  readonly tiles: ReadonlyMap<string, Tile>;
  /** Adds what was measured, and to the file what others have written meanwhile. A file that can't be written costs the next run its two seconds. */
  add(measured: ReadonlyMap<string, Tile>): void;
}

type Limits = Pick<WgslOptions, 'workgroupSize' | 'workgroupBytes' | 'matrices'>;

/** A file of ours has some 100 entries of 60 bytes. */
const MOST_BYTES = 2 ** 20;
const MOST_ENTRIES = 10_000;
const LONGEST_KEY = 200;
/** Goes up when kernels change so much that old measurements mean nothing. */
const VERSION = 1;

/** The user's cache folder as the system has it: XDG, Library/Caches, LocalAppData. */
export function userCacheFolder(
  environment: NodeJS.ProcessEnv = process.env,
  platform: NodeJS.Platform = process.platform,
): string {
  if (platform === 'win32') return join(environment.LOCALAPPDATA ?? join(homedir(), 'AppData', 'Local'), 'strata');
  if (platform === 'darwin') return join(homedir(), 'Library', 'Caches', 'strata');
  return join(environment.XDG_CACHE_HOME || join(homedir(), '.cache'), 'strata');
}

/** The cache of the adapter that `identity` describes (vendor, architecture, driver, limits), with the subgroup matrices that may be used. */
export function openTileCache(folder: string, identity: string, limits: Limits): TileCache {
  const table = allTiles(limits).map(tileName).join();
  const hash = createHash('sha256').update(`${VERSION} ${identity} ${table}`).digest('hex').slice(0, 16);
  const path = join(folder, `webgpu-${hash}.json`);
  const known = new Map(readTiles(path, limits));
  return {
    tiles: known,
    add(measured) {
      for (const [key, tile] of [...readTiles(path, limits), ...measured]) known.set(key, tile);
      const entries = [...known].map(([key, tile]) => [key, tileName(tile)]);
      write(folder, path, JSON.stringify({ adapter: identity, tiles: Object.fromEntries(entries) }, undefined, 1));
    },
  };
}

/** Entries that are what they should be; a file that isn't ours has none. */
function readTiles(path: string, limits: Limits): readonly (readonly [string, Tile])[] {
  const byName = new Map(allTiles(limits).map(tile => [tileName(tile), tile]));
  const found = Object.entries(parse(path)).slice(0, MOST_ENTRIES);
  return found.flatMap(([key, name]) => {
    const tile = typeof name === 'string' ? byName.get(name) : undefined;
    return tile !== undefined && fits(tile, limits) && key.length <= LONGEST_KEY ? [[key, tile] as const] : [];
  });
}

function parse(path: string): object {
  try {
    if (statSync(path).size > MOST_BYTES) return {};
    const file: unknown = JSON.parse(readFileSync(path, 'utf8'));
    const found = typeof file === 'object' && file !== null && 'tiles' in file ? file.tiles : undefined;
    return typeof found === 'object' && found !== null ? found : {};
  } catch {
    return {};
  }
}

/** The file is there whole or not at all; what can't be written, or removed, is left. */
function write(folder: string, path: string, text: string): void {
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    mkdirSync(folder, { recursive: true });
    writeFileSync(temporary, text, { mode: 0o600 });
    renameSync(temporary, path);
  } catch {
    if (existsSync(temporary)) rmSync(temporary);
  }
}
