/** Data files are read beside the server: nothing is said of them meanwhile, hints don't flicker, and what comes in is shown without an edit. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { ApplyWorkspaceEditParams, CodeAction, CodeLens, Diagnostic, InlayHint } from 'vscode-languageserver';
import { runSchemaJob, type SchemaAnswer } from '../../../server/data/schemaJob.ts';
import { createLangHost } from '../../../server/runs/langHost.ts';
import { temporaryFolder } from '../../support/files.ts';
import { startTestClient, uri } from './client.ts';

const source = (file: string, width = 3) => `model Net(x: [B, ${width}]) -> [B, 1] {
  x |> linear(1)
}

data Rows = csv("${file}", target: "y") {
  features = features |> standardize
  batch 2
}

train t on Rows {
  net = Net()
  minimize mse(net(features), reshape(y, [B, 1])) using sgd(lr: 0.1)
  epochs 1
}
`;
const real = (name: string, shape: readonly number[] = []) => ({ name, dtype: 'f32', shape }) as const;
const rows = (width: number): SchemaAnswer => ({
  stamp: String(width),
  result: { kind: 'schema', samples: 10, columns: [real('features', [width]), real('y')] },
});

/** A client of a server whose data files are answered for by hand. */
async function start() {
  const jobs = new Map<string, (answer: SchemaAnswer) => void>();
  const client = await startTestClient({
    host: {
      langHost: (openText, arrived) =>
        createLangHost({
          workspaceOf: () => '/project',
          openText,
          arrived,
          run: ({ source }) => new Promise(resolve => jobs.set(String(source.args.path), resolve)),
        }),
    },
  });
  const hints = async () => {
    const range = { start: { line: 0, character: 0 }, end: { line: 99, character: 0 } };
    const found = await client.request<InlayHint[]>('textDocument/inlayHint', { textDocument: { uri }, range });
    return found.filter(h => h.position.line === 5).map(h => h.label);
  };
  const published = () => client.received.filter(m => m.method === 'textDocument/publishDiagnostics').length;
  return { client, hints, published, answer: (file: string, answer: SchemaAnswer) => jobs.get(file)?.(answer) };
}

it('an answer that needs a data file waits for it for a moment', async () => {
  const { client, hints, answer } = await start();
  client.open(source('a.csv'));
  const asked = hints();
  await client.request('textDocument/hover', { textDocument: { uri }, position: { line: 0, character: 7 } });
  answer('a.csv', rows(3));
  expect(await asked).toEqual(['[3]']);
  expect((await client.diagnostics(1)).diagnostics).toEqual([]);
});

it('a file that takes long is silent until it is there, and then speaks up without an edit', async () => {
  const { client, hints, published, answer } = await start();
  client.open(source('slow.csv'));
  expect((await client.diagnostics(1)).diagnostics).toEqual([]);
  expect(await hints()).toEqual([]);
  const before = published();
  answer('slow.csv', rows(4));
  await expect.poll(published).toBe(before + 1);
  const last = client.received.filter(m => m.method === 'textDocument/publishDiagnostics').at(-1);
  expect(last?.params).toMatchObject({ version: 1, diagnostics: [{ code: 'shape-mismatch' }] });
  expect(await hints()).toEqual(['[4]']);
});

it('a file that is looked at again keeps its types until it has others', async () => {
  const { client, hints, published, answer } = await start();
  client.open(source('a.csv'));
  const asked = hints();
  await client.request('textDocument/hover', { textDocument: { uri }, position: { line: 0, character: 7 } });
  answer('a.csv', rows(3));
  await asked;
  await client.diagnostics(1);
  await client.connection.sendNotification('workspace/didChangeWatchedFiles', {
    changes: [{ uri: 'file:///project/a.csv', type: 2 }],
  });
  expect(await hints()).toEqual(['[3]']);
  client.edit(2, `${source('a.csv')}\n`);
  expect((await client.diagnostics(2)).diagnostics).toEqual([]);
  expect(await hints()).toEqual(['[3]']);
  const before = published();
  answer('a.csv', rows(4));
  await expect.poll(published).toBe(before + 1);
  expect(await hints()).toEqual(['[4]']);
});

const address = 'https://example.org/rows.csv';
const sha256 = 'a'.repeat(64);

/** A workspace on disk, whose downloads are answered for by hand. */
async function startFetching(initializationOptions: object = {}) {
  const folder = temporaryFolder();
  const asked: string[] = [];
  const client = await startTestClient({
    capabilities: { workspace: { applyEdit: true } },
    initializationOptions,
    host: {
      langHost: (openText, arrived) =>
        createLangHost({ workspaceOf: () => folder, openText, arrived, run: runSchemaJob }),
      trainingPlace: () => ({ workspace: folder, base: folder, source: 'first.strata' }),
      fetch: async ({ url }) => {
        asked.push(url);
        mkdirSync(join(folder, '.strata', 'data'), { recursive: true });
        writeFileSync(join(folder, '.strata', 'data', sha256), 'a,b,c,y\n1.5,2.5,3.5,4.5\n2.5,3,4,5\n5,6.5,7.5,8\n');
        return { address: { url, sha256 }, sha256, bytes: 30 };
      },
    },
  });
  const fetch = () => client.request('workspace/executeCommand', { command: 'strata.fetch', arguments: [{ uri }] });
  const lenses = async () => {
    const found = await client.request<CodeLens[]>('textDocument/codeLens', { textDocument: { uri } });
    return found.map(lens => lens.command?.title).filter(title => !title?.includes('weight'));
  };
  return { client, asked, fetch, lenses };
}

it('data at an address is fetched when somebody asks: by a lens, a fix or the command, never by editing', async () => {
  const { client, asked, fetch, lenses } = await startFetching();
  client.open(source(`${address}#sha256=${sha256}`));
  const { diagnostics } = await client.diagnostics(1);
  expect(diagnostics).toMatchObject([{ code: 'data-missing', message: expect.stringContaining('not fetched yet') }]);
  const [{ range }] = diagnostics as [Diagnostic];
  const params = { textDocument: { uri }, range, context: { diagnostics } };
  const actions = await client.request<CodeAction[]>('textDocument/codeAction', params);
  const command = { title: 'fetch the data', command: 'strata.fetch', arguments: [{ uri }] };
  expect(actions).toContainEqual(expect.objectContaining({ title: 'fetch the data', command }));
  expect(await lenses()).toEqual(['Fetch rows.csv', expect.stringMatching(/^can't train: .*not fetched yet/)]);
  expect(asked).toEqual([]);
  expect(await fetch()).toEqual({ files: [{ url: address, bytes: 30, sha256 }] });
  await expect
    .poll(() => client.received.filter(m => m.method === 'textDocument/publishDiagnostics').at(-1)?.params)
    .toMatchObject({ diagnostics: [] });
  expect(await lenses()).toEqual(['Train']);
  expect(await fetch()).toEqual({ files: [] });
  expect(asked).toEqual([address]);
});

it('a checksum that is lacking is written behind the address', async () => {
  const { client, fetch } = await startFetching();
  client.open(source(address));
  expect((await client.diagnostics(1)).diagnostics).toMatchObject([
    { message: expect.stringContaining('expected a checksum') },
  ]);
  await fetch();
  const applied = client.received.find(m => m.method === 'workspace/applyEdit')?.params as ApplyWorkspaceEditParams;
  const [edit] = applied.edit.changes?.[uri] ?? [];
  expect(edit).toMatchObject({
    newText: `"${address}#sha256=${sha256}"`,
    range: { start: { line: 4, character: 16 } },
  });
});

it('nothing is fetched for a workspace that is not trusted', async () => {
  const { client, asked, fetch, lenses } = await startFetching({ trusted: false });
  client.open(source(`${address}#sha256=${sha256}`));
  await expect(fetch()).rejects.toThrow("can't fetch: the workspace is not trusted");
  expect(await lenses()).toContain("can't fetch: the workspace is not trusted");
  expect(asked).toEqual([]);
});
