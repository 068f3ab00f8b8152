/** Paths of a `.strata` file lead nowhere but into the workspace. */
import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { isInside, workspacePaths } from '../../../engine/data/paths.ts';
import { temporaryFolder } from '../../support/files.ts';

function workspace() {
  const root = temporaryFolder({ 'ws/data/a.csv': 'a', 'ws/sub/b.csv': 'b', 'ws2/secret.csv': 's', '..data/x': 'x' });
  return { root, resolve: workspacePaths(join(root, 'ws')) };
}

test.each(['data/a.csv', './data/../data/a.csv', 'data//a.csv'])('%s is found', path => {
  const { root, resolve } = workspace();
  expect(resolve(path)).toBe(join(root, 'ws', 'data', 'a.csv'));
});

test('absolute paths and file addresses within the workspace are found', () => {
  const { root, resolve } = workspace();
  const path = join(root, 'ws', 'data', 'a.csv');
  expect(resolve(path)).toBe(path);
  expect(resolve(pathToFileURL(path).href)).toBe(path);
});

test('paths start at the folder of the source file', () => {
  const { root } = workspace();
  const resolve = workspacePaths(join(root, 'ws'), join(root, 'ws', 'sub'));
  expect(resolve('b.csv')).toBe(join(root, 'ws', 'sub', 'b.csv'));
  expect(resolve('../data/a.csv')).toBe(join(root, 'ws', 'data', 'a.csv'));
});

test.each([
  ['../ws2/secret.csv', 'path-outside-workspace'],
  ['data/../../ws2/secret.csv', 'path-outside-workspace'],
  ['/etc/passwd', 'path-outside-workspace'],
  ['file:///etc/passwd', 'path-outside-workspace'],
  ['file:///%2e%2e/etc/passwd', 'path-outside-workspace'],
  ['file://host/share/x', 'path-outside-workspace'],
  ['//host/share/x', 'path-outside-workspace'],
  ['\\\\host\\share\\x', 'path-outside-workspace'],
  ['data/a.csv\0.png', 'path-outside-workspace'],
  ['https://example.org/a.csv', 'data-missing'],
  [`https://example.org/a.csv#sha256=${'0'.repeat(64)}`, 'data-missing'],
  ['https://me:secret@example.org/a.csv', 'unsupported'],
  ['ftp://example.org/a.csv', 'unsupported'],
  ['data/none.csv', 'data-missing'],
])('%j is refused with %s', (path, code) => {
  const { resolve } = workspace();
  expect(() => resolve(path)).toThrow(expect.objectContaining({ code }));
});

test('a link that leads out is refused, one that stays in is followed', () => {
  const { root, resolve } = workspace();
  symlinkSync(join(root, 'ws2'), join(root, 'ws', 'out'));
  symlinkSync(join(root, 'ws', 'data'), join(root, 'ws', 'in'));
  expect(() => resolve('out/secret.csv')).toThrow(expect.objectContaining({ code: 'path-outside-workspace' }));
  expect(resolve('in/a.csv')).toBe(join(root, 'ws', 'data', 'a.csv'));
});

test('a workspace that is itself a link works', () => {
  const root = temporaryFolder({ 'real/a.csv': 'a' });
  symlinkSync(join(root, 'real'), join(root, 'link'));
  expect(workspacePaths(join(root, 'link'))('a.csv')).toBe(join(root, 'real', 'a.csv'));
});

test('folders are compared by segment', () => {
  expect(isInside('/w', '/w/a')).toBe(true);
  expect(isInside('/w', '/w')).toBe(true);
  expect(isInside('/w', '/w2/a')).toBe(false);
  expect(isInside('/w', '/w/..a')).toBe(true);
  expect(isInside('/w', '/')).toBe(false);
});
