/** Tiles measured on a device: kept in a file, taken from it, measured anew where the file says nothing that can be used; never a bit of the results. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openTileCache, userCacheFolder } from '../../../../engine/backend/webgpu/tileCache.ts';
import { defaultOptions } from '../../../../engine/codegen/wgsl/shader.ts';
import { tileName, tiles } from '../../../../engine/codegen/wgsl/tiles.ts';
import { scheduleGraph } from '../../../../engine/kernel/schedule.ts';
import { GraphBuilder } from '../../../../engine/ops/builder.ts';
import { openWebgpu } from '../../../support/devices.ts';
import { hostArray, randomLeaves } from '../../../support/runSchedule.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'strata-tiles-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const onlyFile = () => join(folder, readdirSync(folder)[0]!);

describe('the cache of tiles', () => {
  const open = (identity = 'adapter') => openTileCache(folder, identity, defaultOptions);
  const measured = (key: string, n: number) => new Map([[key, tiles[n]!]]);

  it('is there again, for the same adapter alone, with what others have added', () => {
    const [first, second] = [open(), open()];
    first.add(measured('1 2 3', 4));
    second.add(measured('4 5 6', 5));
    expect([...open().tiles]).toEqual([
      ['1 2 3', tiles[4]],
      ['4 5 6', tiles[5]],
    ]);
    expect(open('another').tiles.size).toBe(0);
    expect(readdirSync(folder)).toHaveLength(1);
  });

  it.each([
    ['nothing', ''],
    ['no JSON', '{"tiles": {'],
    ['another type', '[1, 2]'],
    ['no object of tiles', '{"tiles": "all"}'],
    ['unknown tiles', '{"tiles": {"a": "7x7 1x1 3", "b": 5, "c": null, "__proto__": {"d": 1}}}'],
    ['a key beyond all measure', JSON.stringify({ tiles: { ['k'.repeat(1000)]: tileName(tiles[0]!) } })],
    ['megabytes', JSON.stringify({ tiles: { a: tileName(tiles[0]!) }, more: 'x'.repeat(2 ** 21) })],
  ])('that holds %s is ignored and written anew', (_, text) => {
    open().add(measured('k', 1));
    writeFileSync(onlyFile(), text);
    expect(open().tiles.size).toBe(0);
    open().add(measured('k', 2));
    expect([...open().tiles]).toEqual([['k', tiles[2]]]);
  });

  it('has no tile that the device is too small for', () => {
    open().add(
      new Map([
        ['large', tiles[0]!],
        ['small', tiles.find(tile => tileName(tile).startsWith('4x128'))!],
      ]),
    );
    const small = openTileCache(folder, 'adapter', { workgroupSize: 128, workgroupBytes: 16384 });
    expect([...small.tiles.keys()]).toEqual(['small']);
  });

  it('that can not be written costs no run', () => {
    const cache = openTileCache(join(onlyFileAt('x'), 'below'), 'adapter', defaultOptions);
    cache.add(measured('k', 1));
    expect(cache.tiles.get('k')).toBe(tiles[1]);
  });

  it("lies in the user's cache folder", () => {
    expect(userCacheFolder({ XDG_CACHE_HOME: '/cache' }, 'linux')).toBe(join('/cache', 'strata'));
    expect(userCacheFolder({ LOCALAPPDATA: '/local' }, 'win32')).toBe(join('/local', 'strata'));
    expect(userCacheFolder({}, 'linux')).toMatch(/\.cache.strata$/);
    expect(userCacheFolder({}, 'darwin')).toMatch(/Caches.strata$/);
  });
});

/** A file where a folder should be. */
function onlyFileAt(name: string): string {
  writeFileSync(join(folder, name), '');
  return join(folder, name);
}

describe('measuring', () => {
  it('happens once for each shape, as far as its time goes, and changes no bit', {
    timeout: 300_000,
  }, async context => {
    const b = new GraphBuilder();
    const w = b.input('w', { dtype: 'f32', shape: [40, 40] });
    const x = b.matmul(b.input('x', { dtype: 'f32', shape: [24, 40] }), w);
    const graph = b.finish('g', [{ name: 'y', value: b.matmul(b.exp(b.mul(x, 0.01)), b.transpose(w)) }]);
    const leaves = randomLeaves(graph);
    const run = async (tuneMilliseconds?: number) => {
      const tune = tuneMilliseconds !== undefined;
      const backend =
        (await openWebgpu({ tune, tuneMilliseconds: tuneMilliseconds ?? 0, cacheFolder: folder })) ?? context.skip();
      try {
        const executable = await backend.compile([scheduleGraph(graph)]);
        for (const [name, leaf] of Object.entries(leaves)) executable.write(name, hostArray(leaf));
        executable.run('g', 1);
        return { y: await executable.read('y'), tuning: executable.tuning };
      } finally {
        await backend.dispose();
      }
    };
    const plain = await run();
    expect(plain.tuning).toEqual({ count: 0, milliseconds: 0 });
    expect(readdirSync(folder)).toEqual([]);
    const hurried = await run(0);
    expect(hurried.tuning.count).toBe(0);
    expect(hurried.y).toEqual(plain.y);
    const first = await run(120_000);
    expect(first.y).toEqual(plain.y);
    expect(first.tuning.count).toBe(2);
    const { tiles: kept } = JSON.parse(readFileSync(onlyFile(), 'utf8')) as { tiles: Record<string, string> };
    expect(Object.keys(kept)).toHaveLength(2);
    const names = new Set(tiles.map(tileName));
    expect(Object.values(kept).every(name => names.has(name))).toBe(true);
    const again = await run(120_000);
    expect(again.tuning.count).toBe(0);
    expect(again.y).toEqual(plain.y);
  });
});
