/** What the server sees of a disk: the workspace, and nothing outside of it. */
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ServerHost } from '../../../server/lsp/host.ts';
import { createNodeHost } from '../../../server/lsp/nodeHost.ts';

let outside: string;
let root: string;
let host: ServerHost;
const uri = (path: string) => pathToFileURL(join(root, path)).href;

beforeAll(() => {
  outside = realpathSync(mkdtempSync(join(tmpdir(), 'strata-host-')));
  root = join(outside, 'workspace');
  for (const folder of ['data', 'nets', '.hidden', 'node_modules/x', 'nested/deep'])
    mkdirSync(join(root, folder), { recursive: true });
  for (const file of [
    'first.strata',
    'nets/second.strata',
    'node_modules/x/third.strata',
    '.hidden/fourth.strata',
    'data/a.csv',
  ]) {
    writeFileSync(join(root, file), '');
  }
  writeFileSync(join(outside, 'secret.csv'), '');
  symlinkSync(join(outside, 'secret.csv'), join(root, 'data/link.csv'));
  host = createNodeHost(join(outside, 'dist'));
  host.setFolders([pathToFileURL(root).href]);
});
afterAll(() => rmSync(outside, { recursive: true, force: true }));

it('finds the sources of the workspace, not those of its dependencies', () => {
  expect([...host.sourceFiles()].sort()).toEqual([uri('first.strata'), uri('nets/second.strata')]);
});

describe('paths', () => {
  it.each([
    ['', ['data', 'first.strata', 'nested', 'nets']],
    ['data/', ['a.csv', 'link.csv']],
    ['../', []],
    ['/etc/', []],
    ['nowhere/', []],
    ['\0', []],
  ])('lists %j', (path, names) => {
    expect(
      host
        .listFolder(path, uri('first.strata'))
        .map(e => e.name)
        .sort(),
    ).toEqual(names);
  });

  it.each([
    ['data/a.csv', 'data/a.csv'],
    ['nets/../data/a.csv', 'data/a.csv'],
    ['data/none.csv', undefined],
    ['../secret.csv', undefined],
    ['data/link.csv', undefined],
    ['https://example.org/a.csv', undefined],
  ])('links %j to %j', (path, target) => {
    expect(host.linkTarget(path, uri('first.strata'))).toBe(target === undefined ? undefined : uri(target));
  });

  it('start at the folder of the file', () => {
    expect(host.linkTarget('../data/a.csv', uri('nets/second.strata'))).toBe(uri('data/a.csv'));
  });
});

describe('runs', () => {
  it('belong to the innermost workspace folder', () => {
    const two = createNodeHost(outside);
    two.setFolders([pathToFileURL(root).href, uri('nets')]);
    expect(two.trainingPlace(uri('nets/second.strata'))).toEqual({
      workspace: join(root, 'nets'),
      base: join(root, 'nets'),
      source: 'second.strata',
    });
    expect(two.trainingPlace(uri('first.strata'))?.workspace).toBe(root);
  });

  it('of a file opened alone are kept beside it', () => {
    const alone = createNodeHost(outside);
    expect(alone.trainingPlace(uri('first.strata'))?.workspace).toBe(root);
    expect(alone.folders()).toEqual([root]);
  });

  it('have no place for what is not on disk', () => {
    for (const other of ['untitled:one', 'https://example.org/a.strata', 'file://host/share/a.strata']) {
      expect(createNodeHost(outside).trainingPlace(other)).toBeUndefined();
    }
  });

  it('are folders of the workspace that hold a run', () => {
    const run = join(root, '.strata/runs/1');
    mkdirSync(run, { recursive: true });
    expect(host.ownsRun(run)).toBe(false);
    writeFileSync(join(run, 'run.json'), JSON.stringify({ name: 'first', source: 'first.strata', started: 1 }));
    expect(host.ownsRun(run)).toBe(true);
    expect(host.ownsRun(outside)).toBe(false);
    expect(host.ownsRun(join(run, '..', '..', '..', '..'))).toBe(false);
  });
});
