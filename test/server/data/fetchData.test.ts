/** Downloads: whole or not at all, the file that was meant, within caps, and nothing but https behind a redirect. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { workspacePaths } from '../../../engine/data/paths.ts';
import { loadSource } from '../../../engine/data/sources.ts';
import { isAddress, nameOfPath, parseAddress, withChecksum } from '../../../engine/util/address.ts';
import { fetchData, redirectTarget } from '../../../server/data/fetchData.ts';
import { temporaryFolder } from '../../support/files.ts';

const table = 'x,y\n1,2\n3,4\n';
const sha256 = createHash('sha256').update(table).digest('hex');

/** The origin of a server that lives as long as the test. */
async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const dataOf = (workspace: string): readonly string[] => readdirSync(join(workspace, '.strata', 'data'));

it('an address and its checksum are told apart, in either spelling', () => {
  const address = { url: 'https://example.org/a.csv', sha256 };
  expect(parseAddress(`https://example.org/a.csv#sha256=${sha256}`)).toEqual(address);
  expect(parseAddress(`https://example.org/a.csv#sha256:${sha256.toUpperCase()}`)).toEqual(address);
  expect(parseAddress('https://example.org/a.csv?b=c')).toEqual({ url: 'https://example.org/a.csv?b=c' });
  expect(parseAddress(withChecksum('https://example.org/a.csv', sha256))).toEqual(address);
  expect([isAddress('HTTP://a'), isAddress('http.csv'), isAddress('ftp://a')]).toEqual([true, false, false]);
  expect(nameOfPath('a#b.csv')).toBe('a#b.csv');
  expect(() => parseAddress('https://example.org/a#sha256=12')).toThrow(/expected #sha256= and 64 hexadecimal digits/);
  expect(() => parseAddress('https://me:secret@example.org/a')).toThrow(
    /^https:\/\/example\.org\/a: expected an address without a user/,
  );
  expect(() => parseAddress('https:')).toThrow(/expected an address such as/);
});

it('a file is kept under its checksum, out of version control, and is data from then on', async () => {
  const origin = await serve((request, response) => {
    expect(request.headers).not.toHaveProperty('authorization');
    expect(request.headers).not.toHaveProperty('cookie');
    response.writeHead(200, { 'content-length': String(table.length) }).end(table);
  });
  const workspace = temporaryFolder();
  const seen: (readonly [number, number | undefined])[] = [];
  const address = { url: `${origin}/a.csv`, sha256 };
  const source = { name: 'csv', args: { path: withChecksum(address.url, sha256) } };
  const resolvePath = workspacePaths(workspace);
  await expect(loadSource(source, { resolvePath })).rejects.toMatchObject({
    code: 'data-missing',
    message: `${address.url}: not fetched yet; fetch it with "strata fetch", or train, which does`,
  });
  const fetched = await fetchData(address, { workspace, onProgress: (...progress) => seen.push(progress) });
  expect(fetched).toEqual({ address, sha256, bytes: table.length });
  expect(seen.at(-1)).toEqual([table.length, table.length]);
  expect(dataOf(workspace)).toEqual([sha256]);
  expect(readFileSync(join(workspace, '.strata', '.gitignore'), 'utf8')).toBe('*\n');
  expect((await loadSource(source, { resolvePath })).samples).toBe(2);
  writeFileSync(join(workspace, '.strata', 'data', sha256), 'x,y\n9,9\n');
  await expect(loadSource(source, { resolvePath })).rejects.toMatchObject({
    code: 'data-malformed',
    message: expect.stringMatching(/a\.csv: expected a file of sha256 .*remove .* and fetch it again/),
  });
});

it('without a checksum the file is fetched, but is no data until somebody writes down which it is', async () => {
  const origin = await serve((_, response) => response.end(table));
  const workspace = temporaryFolder();
  expect((await fetchData({ url: `${origin}/a.csv` }, { workspace })).sha256).toBe(sha256);
  const paths = workspacePaths(workspace);
  expect(() => paths(`${origin}/a.csv`)).toThrow(/a\.csv: expected a checksum behind the address/);
  expect(readFileSync(paths(withChecksum(`${origin}/a.csv`, sha256)), 'utf8')).toBe(table);
});

it.each<[string, RequestListener, object, string, RegExp]>([
  [
    'another file',
    (_, r) => r.end('x\n1\n'),
    {},
    'data-malformed',
    /expected a file of sha256 \w{64}, found \w{64}; it has changed/,
  ],
  [
    'no file',
    (_, r) => r.writeHead(404).end('none'),
    {},
    'data-missing',
    /expected a file, found HTTP 404 Not Found; check the address/,
  ],
  ['an empty file', (_, r) => r.end(), {}, 'data-empty', /expected data, found an empty file/],
  [
    'a file said to be too large',
    (_, r) => r.writeHead(200, { 'content-length': '999' }).end(table),
    { limit: 10 },
    'data-malformed',
    /expected at most 10 bytes/,
  ],
  [
    'a file that turns out too large',
    (_, r) => r.write(table, () => r.end(table)),
    { limit: 15 },
    'data-malformed',
    /expected at most 15 bytes/,
  ],
  [
    'a file that ends early',
    (_, r) => r.writeHead(200, { 'content-length': '999' }).write(table, () => r.destroy()),
    {},
    'data-missing',
    /it can't be fetched: .*; check the address and the connection/,
  ],
  ['a silent server', () => {}, { patience: 50 }, 'data-missing', /it can't be fetched: no answer within 0\.05 s/],
  [
    'a server that falls silent',
    (_, r) => void r.write(table),
    { patience: 50 },
    'data-missing',
    /no answer within 0\.05 s/,
  ],
  [
    'a redirect from http',
    (_, r) => r.writeHead(302, { location: 'https://example.org/b' }).end(),
    {},
    'unsupported',
    /expected a redirect from https to https, found one to https:\/\/example\.org\/b/,
  ],
])('%s leaves nothing behind', async (_, listener, more, code, message) => {
  const origin = await serve(listener);
  const workspace = temporaryFolder();
  const error = { code, message: expect.stringMatching(message) };
  await expect(fetchData({ url: `${origin}/a.csv`, sha256 }, { workspace, ...more })).rejects.toMatchObject(error);
  expect(dataOf(workspace)).toEqual([]);
});

it('a download can be cancelled, and a server need not be there', async () => {
  const workspace = temporaryFolder();
  const stop = new AbortController();
  const origin = await serve((_, response) => response.write(table, () => stop.abort()));
  const options = { workspace, signal: stop.signal };
  await expect(fetchData({ url: `${origin}/a` }, options)).rejects.toMatchObject({
    code: 'data-missing',
    message: expect.stringMatching(/was cancelled$/),
  });
  await expect(fetchData({ url: 'http://127.0.0.1:1/a' }, { workspace })).rejects.toThrow(/can't be fetched/);
  expect(dataOf(workspace)).toEqual([]);
});

it('redirects go from https to https, without a password', () => {
  const from = new URL('https://example.org/a/b');
  expect(redirectTarget(from, '/c').href).toBe('https://example.org/c');
  expect(redirectTarget(from, 'https://other.org/c').href).toBe('https://other.org/c');
  for (const location of ['http://example.org/b', 'file:///etc/passwd', 'data:,x', '//']) {
    expect(() => redirectTarget(from, location)).toThrow(/expected a redirect from https to https/);
  }
  expect(() => redirectTarget(new URL('http://a.org'), '/c')).toThrow(/expected a redirect from https to https/);
  expect(() => redirectTarget(from, 'https://me:secret@other.org/')).toThrow(/without a user and a password/);
});

it.skipIf(process.platform === 'win32')('a data folder that leads out of the workspace is refused', async () => {
  const [workspace, outside] = [temporaryFolder(), temporaryFolder()];
  mkdirSync(join(workspace, '.strata'));
  symlinkSync(outside, join(workspace, '.strata', 'data'));
  await expect(fetchData({ url: 'http://127.0.0.1:1/a' }, { workspace })).rejects.toMatchObject({
    code: 'path-outside-workspace',
  });
  symlinkSync('/etc/hostname', join(outside, sha256));
  expect(() => workspacePaths(workspace)(withChecksum('https://a.org/b', sha256))).toThrow(/leads out of it/);
  expect(existsSync(join(outside, 'x'))).toBe(false);
});
