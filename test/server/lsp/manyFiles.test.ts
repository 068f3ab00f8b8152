/** What concerns files that are not open: diagnostics of the workspace, searches, changes elsewhere. */

import { describe, expect, it } from 'vitest';
import { CancellationTokenSource, LSPErrorCodes, type WorkspaceDiagnosticReport } from 'vscode-languageserver';
import { host as procedural, program } from '../ide/fixture.ts';
import { startTestClient, uri } from './client.ts';

const textDocument = { uri };
const wrong = program().replace('linear(10)', 'linear(12)');
const at = (text: string, word: string) => {
  const before = text.slice(0, text.indexOf(word)).split('\n');
  return { line: before.length - 1, character: before.at(-1)!.length };
};

describe('workspace diagnostics', () => {
  const files = new Map([
    ['file:///project/good.strata', program()],
    ['file:///project/wrong.strata', wrong],
  ]);
  const start = () =>
    startTestClient({
      capabilities: { textDocument: { diagnostic: {} } },
      host: {
        sourceFiles: () => [...files.keys()],
        langHost: openText => ({ ...procedural, readText: at => openText(at) ?? files.get(at) }),
      },
    });
  const pull = (
    client: Awaited<ReturnType<typeof start>>,
    previousResultIds: readonly { uri: string; value: string }[],
  ) => client.request<WorkspaceDiagnosticReport>('workspace/diagnostic', { previousResultIds });

  it('tell of files that are not open, and only of what has changed since', async () => {
    const client = await start();
    const { items } = await pull(client, []);
    const found = items.map(item => [item.uri, item.kind === 'full' ? item.items.length : 0]);
    expect(found).toEqual([
      ['file:///project/good.strata', 0],
      ['file:///project/wrong.strata', 1],
    ]);
    const ids = items.map(item => ({ uri: item.uri, value: item.resultId! }));
    client.open(program(), 'file:///project/wrong.strata');
    expect((await pull(client, ids)).items).toMatchObject([
      { uri: 'file:///project/wrong.strata', version: 1, items: [] },
    ]);
  });

  it('wait for news where there are none', async () => {
    const client = await start();
    const { items } = await pull(client, []);
    let answered = false;
    const news = pull(
      client,
      items.map(item => ({ uri: item.uri, value: item.resultId! })),
    ).finally(() => {
      answered = true;
    });
    // Whatever is asked later is answered first.
    await client.request('workspace/symbol', { query: '' });
    expect(answered).toBe(false);
    client.open(program(), 'file:///project/wrong.strata');
    expect((await news).items.map(item => item.uri)).toEqual(['file:///project/wrong.strata']);
  });

  it('clear what is gone, and what an earlier server has said counts for nothing', async () => {
    const client = await start();
    const { items } = await pull(client, [
      { uri: 'file:///project/gone.strata', value: '1' },
      { uri: 'file:///project/wrong.strata', value: '0' },
    ]);
    expect(items.map(item => [item.uri, item.kind === 'full' && item.items.length])).toContainEqual([
      'file:///project/gone.strata',
      0,
    ]);
    expect(items.map(item => item.uri)).toContain('file:///project/wrong.strata');
  });
});

describe('searching many files', () => {
  const user = (i: number) => `import Net from "first.strata"\n\n${program().replace('model Net(', `model Net${i}(`)}`;
  const many = new Map(Array.from({ length: 1000 }, (_, i) => [`file:///project/${i}.strata`, user(i)]));
  many.set('file:///project/stranger.strata', program());
  const start = () =>
    startTestClient({
      capabilities: { window: { workDoneProgress: true } },
      host: {
        sourceFiles: () => [...many.keys()],
        langHost: openText => ({ ...procedural, readText: at => openText(at) ?? many.get(at) }),
      },
    });
  const params = { textDocument, position: at(program(), 'Net()'), context: { includeDeclaration: true } };

  it('finds the uses in all files that import it, and none of what only has its name', async () => {
    const client = await start();
    client.open(program());
    const found = await client.request<{ uri: string }[]>('textDocument/references', params);
    expect(found.length).toBe(2 + 2 * 1000);
    expect(found.filter(place => place.uri === 'file:///project/stranger.strata')).toEqual([]);
  });

  it('finds the uses of what is built in', async () => {
    const client = await start();
    client.open(program());
    const relu = { ...params, position: at(program(), 'relu') };
    const found = await client.request<{ uri: string; range: object }[]>('textDocument/references', relu);
    expect(found.length).toBe(1 + 1000 + 1);
    expect(new Set(found.map(place => JSON.stringify(place.range))).size).toBe(2);
  });

  it('shows a bar to clients that ask for one', async () => {
    const client = await start();
    client.open(program());
    await client.request('textDocument/references', { ...params, workDoneToken: 'bar' });
    const kinds = client.received
      .filter(m => m.method === '$/progress')
      .map(m => (m.params as { value: { kind: string } }).value.kind);
    expect(kinds).toEqual(['begin', 'end']);
  });

  it('ends when the request is cancelled, and serves others meanwhile', async () => {
    const client = await start();
    client.open(program());
    const cancel = new CancellationTokenSource();
    const search = client.connection.sendRequest('textDocument/references', params, cancel.token);
    const hover = client.request('textDocument/hover', params);
    cancel.cancel();
    await expect(search).rejects.toMatchObject({ code: LSPErrorCodes.RequestCancelled });
    expect(await hover).not.toBeNull();
  });

  it('gives up when the text changes under it', async () => {
    const client = await start();
    client.open(program());
    const search = client.request('textDocument/references', params);
    client.edit(2, `${program()}\n`);
    await expect(search).rejects.toMatchObject({ code: LSPErrorCodes.ContentModified });
  });
});

describe('changes elsewhere', () => {
  const all = { refreshSupport: true };
  const capabilities = {
    textDocument: { diagnostic: {} },
    workspace: {
      diagnostics: all,
      inlayHint: all,
      codeLens: all,
      didChangeWatchedFiles: { dynamicRegistration: true },
    },
  };
  const refreshes = (client: Awaited<ReturnType<typeof startTestClient>>) =>
    client.received.map(m => m.method).filter(m => m.endsWith('/refresh'));
  const table = 'data T = csv("a.csv") {\n  batch 4\n}\n';

  it('of a data file have the client ask again', async () => {
    const client = await startTestClient({ capabilities });
    client.open(table);
    await client.request('textDocument/diagnostic', { textDocument });
    await client.connection.sendNotification('workspace/didChangeWatchedFiles', {
      changes: [{ uri: 'file:///project/a.csv', type: 2 }],
    });
    await expect
      .poll(() => new Set(refreshes(client)))
      .toEqual(new Set(['workspace/diagnostic/refresh', 'workspace/inlayHint/refresh', 'workspace/codeLens/refresh']));
  });

  it('of an imported file reach the files that import it', async () => {
    const client = await startTestClient();
    const importing = 'import Net from "net.strata"\n\nmodel Two(x: [B, 784]) -> [B, 10] {\n  x |> Net\n}\n';
    client.open(importing);
    expect((await client.diagnostics()).diagnostics.map(d => d.code)).toContain('invalid-import');
    const before = client.received.length;
    client.open(program(), 'file:///project/net.strata');
    await expect
      .poll(() =>
        client.received
          .slice(before)
          .map(m => m.params as { uri?: string; diagnostics?: readonly unknown[] })
          .find(p => p.uri === uri),
      )
      .toMatchObject({ diagnostics: [] });
  });

  it('are watched for in data files and sources', async () => {
    const client = await startTestClient({ capabilities });
    await expect.poll(() => client.received.find(m => m.method === 'client/registerCapability')).toBeDefined();
    const { params } = client.received.find(m => m.method === 'client/registerCapability')!;
    expect(JSON.stringify(params)).toContain('**/*.strata');
  });
});
