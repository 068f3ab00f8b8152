/** Data at an address, from the command line: checking fetches nothing, `fetch` and `train` do and say so. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { events, strata, temporaryFolder } from './cli.ts';

const rows = Array.from({ length: 40 }, (_, i) => `${i % 7},${i % 3},${i % 2 === 0 ? 'even' : 'odd'}`);
const file = gzipSync(`a,b,kind\n${rows.join('\n')}\n`);
const sha256 = createHash('sha256').update(file).digest('hex');

let folder: ReturnType<typeof temporaryFolder>;
let server: ReturnType<typeof createServer>;
let asked: string[];
let url: string;
beforeEach(async () => {
  folder = temporaryFolder();
  asked = [];
  server = createServer((request, response) => {
    asked.push(request.url ?? '');
    if (request.url === '/table.csv.gz') response.end(file);
    else response.writeHead(404).end();
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/table.csv.gz`;
});
afterEach(() => {
  server.close();
  folder.remove();
});

const run = (...args: string[]) => strata(args, folder.path);
const write = (path: string): void =>
  writeFileSync(
    join(folder.path, 'a.strata'),
    `data D = csv("${path}", target: "kind") {\n  split validation: 0.2\n  batch 8\n}\n\ntrain t on D {\n  minimize cross_entropy(features |> linear(2), kind) using adam(lr: 0.01)\n  epochs 1\n}\n`,
  );

it('check says what is missing and how to get it, and asks nobody', async () => {
  write(`${url}#sha256=${sha256}`);
  const { code, out } = await run('check', 'a.strata');
  expect(code).toBe(1);
  expect(out).toContain(
    `error[data-missing]: ${url}: not fetched yet; fetch it with "strata fetch", or train, which does`,
  );
  expect(out).toContain('1 error, 0 warnings');
  expect(asked).toEqual([]);
});

it('fetch downloads once; then the file checks', async () => {
  write(`${url}#sha256=${sha256}`);
  const { code, out } = await run('fetch', 'a.strata');
  expect({ code, out }).toEqual({ code: 0, out: `fetching ${url}\n${url}  ${file.length} bytes, sha256 ${sha256}\n` });
  expect(readFileSync(join(folder.path, '.strata', 'data', sha256)).equals(file)).toBe(true);
  expect(await run('check', 'a.strata')).toMatchObject({ code: 0 });
  expect(await run('fetch', 'a.strata')).toMatchObject({ code: 0, out: '' });
  expect(asked).toEqual(['/table.csv.gz']);
});

it('training fetches too, and says so beside its events', async () => {
  write(`${url}#sha256=${sha256}`);
  const outcome = await run('train', 'a.strata', '--device', 'cpu', '--json');
  expect(outcome.code).toBe(0);
  expect(outcome.err).toContain(`fetching ${url}\n`);
  expect(events(outcome).at(-1)).toMatchObject({ type: 'done', reason: 'finished' });
  expect(asked).toEqual(['/table.csv.gz']);
});

it('an address without a checksum is told what to write', async () => {
  write(url);
  const fetched = await run('fetch', 'a.strata');
  expect(fetched.code).toBe(1);
  const pinned = `${url}#sha256=${sha256}`;
  expect(fetched.out).toContain(`a.strata:1: write "${pinned}", so that it is this file for everybody\n`);
  const trained = await run('train', 'a.strata');
  expect(trained.code).toBe(1);
  expect(trained.err).toContain(`${url}: expected a checksum behind the address`);
  write(pinned);
  expect(await run('check', 'a.strata')).toMatchObject({ code: 0 });
});

it.each<[string, (url: string) => string, number, RegExp]>([
  [
    'another file',
    u => `${u}#sha256=${'0'.repeat(64)}`,
    3,
    /error\[data-malformed\]: .*expected a file of sha256 0{64}, found /,
  ],
  ['no file', u => `${u}.none#sha256=${sha256}`, 3, /error\[data-missing\]: .*expected a file, found HTTP 404/],
  ['a checksum that none is', u => `${u}#sha256=12`, 0, /^$/],
])('%s at the address', async (_, path, code, message) => {
  write(path(url));
  const outcome = await run('fetch', 'a.strata');
  expect(outcome.err).toMatch(message);
  expect(outcome.code).toBe(code);
  expect(existsSync(join(folder.path, '.strata', 'data', sha256))).toBe(false);
});

it.each([
  ['a checksum that none is', (u: string) => `${u}#sha256=12`, /expected #sha256= and 64 hexadecimal digits/],
  [
    'a password in it',
    (u: string) => u.replace('//', '//me:secret@'),
    /expected an address without a user and a password/,
  ],
  ['another protocol', (u: string) => u.replace('http', 'ftp'), /expected a file of the workspace or an http address/],
])('an address with %s is a diagnostic', async (_, path, message) => {
  write(path(url));
  const { code, out } = await run('check', 'a.strata');
  expect(code).toBe(1);
  expect(out).toMatch(message);
  expect(out.match(/error\[/g)).toHaveLength(1);
});
