/** Data files are read beside the server: nothing is said of them meanwhile, hints don't flicker, and what comes in is shown without an edit. */
import { expect, it } from 'vitest';
import type { InlayHint } from 'vscode-languageserver';
import type { SchemaAnswer } from '../../../server/data/schemaJob.ts';
import { createLangHost } from '../../../server/runs/langHost.ts';
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
          workspaceOf: () => '/work',
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
    changes: [{ uri: 'file:///work/a.csv', type: 2 }],
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
