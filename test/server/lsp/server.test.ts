/** The language server as a client meets it: over a stream, message by message. */

import { describe, expect, it } from 'vitest';
import {
  CancellationTokenSource,
  type CodeLens,
  type CompletionList,
  type DocumentDiagnosticReport,
  type Hover,
  type InlayHint,
  LSPErrorCodes,
  type WorkspaceDiagnosticReport,
} from 'vscode-languageserver';
import { host as procedural, program } from '../ide/fixture.ts';
import { startTestClient, summary, uri } from './client.ts';

const textDocument = { uri };
const wrong = program().replace('linear(10)', 'linear(12)');
const at = (text: string, word: string) => {
  const before = text.slice(0, text.indexOf(word)).split('\n');
  return { line: before.length - 1, character: before.at(-1)!.length };
};

describe('initialize', () => {
  it.each([
    [undefined, 'utf-16'],
    [['utf-8'], 'utf-8'],
    [['utf-32', 'utf-8'], 'utf-8'],
    [['utf-8', 'utf-16'], 'utf-16'],
    [['utf-7'], 'utf-16'],
  ])('of the encodings %j it takes %s', async (positionEncodings, expected) => {
    const client = await startTestClient({ capabilities: positionEncodings ? { general: { positionEncodings } } : {} });
    expect(client.result.capabilities.positionEncoding).toBe(expected);
  });

  it('offers to pull diagnostics only to those who can', async () => {
    const pushes = await startTestClient();
    expect(pushes.result.capabilities.diagnosticProvider).toBeUndefined();
    const pulls = await startTestClient({ capabilities: { textDocument: { diagnostic: {} } } });
    expect(pulls.result.capabilities.diagnosticProvider).toBeDefined();
  });
});

describe('diagnostics', () => {
  it('are pushed on opening and after each edit', async () => {
    const client = await startTestClient();
    client.open(program());
    expect((await client.diagnostics(1)).diagnostics).toEqual([]);
    client.edit(2, wrong);
    const { diagnostics } = await client.diagnostics(2);
    expect(diagnostics.length).toBeGreaterThan(0);
    expect(diagnostics[0]).toMatchObject({ source: 'strata', severity: 1 });
    client.edit(3, program());
    expect((await client.diagnostics(3)).diagnostics).toEqual([]);
  });

  it('are pulled with a result id that says when nothing has changed', async () => {
    const client = await startTestClient({ capabilities: { textDocument: { diagnostic: {} } } });
    client.open(wrong);
    const pull = (previousResultId?: string) =>
      client.request<DocumentDiagnosticReport>('textDocument/diagnostic', {
        textDocument,
        ...(previousResultId ? { previousResultId } : {}),
      });
    const first = await pull();
    expect(first.kind).toBe('full');
    expect(await pull(first.resultId)).toEqual({ kind: 'unchanged', resultId: first.resultId });
    client.edit(2, program());
    expect(await pull(first.resultId)).toMatchObject({ kind: 'full', items: [] });
  });

  it.each([
    ['utf-8', (text: string) => Buffer.byteLength(text)],
    ['utf-16', (text: string) => text.length],
    ['utf-32', (text: string) => [...text].length],
  ] as const)('count positions in %s', async (encoding, length) => {
    const before = 'data D = csv("𝛿é語.csv", ';
    const client = await startTestClient({ capabilities: { general: { positionEncodings: [encoding] } } });
    client.open(`${before}bogus: 1) {\n  batch 4\n}\n`);
    const { diagnostics } = await client.diagnostics();
    const start = { line: 0, character: length(before) };
    expect(diagnostics.find(d => d.code === 'unknown-argument')?.range.start).toEqual(start);
  });
});

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

describe('features', () => {
  it('answer for an untitled text as for a file', async () => {
    const client = await startTestClient();
    client.open(program(), 'untitled:one');
    const hover = await client.request<Hover>('textDocument/hover', {
      textDocument: { uri: 'untitled:one' },
      position: at(program(), 'net = Net()'),
    });
    expect(JSON.stringify(hover.contents)).toContain('Net');
  });

  it('are empty, not errors, for a document that was never opened', async () => {
    const client = await startTestClient();
    const nowhere = { textDocument: { uri: 'untitled:never' }, position: { line: 0, character: 0 } };
    expect(await client.request('textDocument/hover', nowhere)).toBeNull();
    expect(await client.request('textDocument/documentSymbol', nowhere)).toEqual([]);
    expect(await client.request('textDocument/semanticTokens/full', nowhere)).toEqual({ data: [] });
  });

  it('survive positions outside of the text', async () => {
    const client = await startTestClient();
    client.open(program());
    const position = { line: 10_000, character: 10_000 };
    for (const feature of [
      'hover',
      'completion',
      'definition',
      'signatureHelp',
      'documentHighlight',
      'selectionRange',
    ]) {
      await client.request(`textDocument/${feature}`, { textDocument, position, positions: [position] });
    }
  });

  it('complete paths of data files from the workspace', async () => {
    const client = await startTestClient();
    const text = 'data Digits = idx(images: "data/", labels: "x") {\n  batch 64\n}\n';
    client.open(text);
    const position = { line: 0, character: text.indexOf('data/') + 5 };
    const list = await client.request<CompletionList>('textDocument/completion', { textDocument, position });
    expect(list.items.map(item => item.label)).toEqual(['images.gz']);
  });

  it('show inlay hints by kind, as the settings say', async () => {
    const client = await startTestClient();
    client.open(program());
    const range = { start: { line: 0, character: 0 }, end: { line: 100, character: 0 } };
    const hints = () => client.request<InlayHint[]>('textDocument/inlayHint', { textDocument, range });
    expect((await hints()).map(h => h.label)).toContain('[B, 128]');
    await client.connection.sendNotification('workspace/didChangeConfiguration', {
      settings: { strata: { inlayHints: { shapes: false, counts: false } } },
    });
    expect(await hints()).toEqual([]);
  });
});

describe('settings', () => {
  it('are those of the folder that holds the file', async () => {
    const client = await startTestClient({
      capabilities: { workspace: { configuration: true } },
      folders: ['file:///work', 'file:///project/quiet'],
      configuration: ({ scopeUri }) =>
        scopeUri === 'file:///project/quiet' ? { inlayHints: { shapes: false, counts: false }, trusted: false } : {},
    });
    const quiet = 'file:///project/quiet/a.strata';
    client.open(program());
    client.open(program(), quiet);
    const range = { start: { line: 0, character: 0 }, end: { line: 100, character: 0 } };
    const hints = (at: string) =>
      client.request<InlayHint[]>('textDocument/inlayHint', { textDocument: { uri: at }, range });
    await expect.poll(() => hints(quiet)).toEqual([]);
    expect((await hints(uri)).map(h => h.label)).toContain('[B, 128]');
    // A settings file of a folder can't take trust away, nor give it.
    const args = [{ uri: quiet }];
    await client.request('workspace/executeCommand', { command: 'strata.train', arguments: args });
    expect(client.calls).toEqual(['start first']);
  });
});

describe('training', () => {
  const train = { command: 'strata.train', arguments: [{ uri }] };

  it('starts the run of a sound file', async () => {
    const client = await startTestClient();
    client.open(program());
    expect(await client.request('workspace/executeCommand', train)).toMatchObject({
      name: 'first',
      source: 'first.strata',
    });
    expect(client.calls).toEqual(['start first']);
  });

  it.each([
    ['errors in the file', wrong, {}, [{ uri }], /^can't train: .*/],
    ['an untrusted workspace', program(), { trusted: false }, [{ uri }], /^can't train: the workspace is not trusted$/],
    [
      'a train block that is not there',
      program(),
      {},
      [{ uri, train: 'second' }],
      /^no train block is called second: there are first$/,
    ],
    ['a malformed argument', program(), {}, ['first'], /^malformed argument/],
    ['no argument', program(), {}, undefined, /^malformed argument/],
  ])('refuses %s', async (_, text, initializationOptions, args, reason) => {
    const client = await startTestClient({ initializationOptions });
    client.open(text);
    const request = client.request('workspace/executeCommand', { command: 'strata.train', arguments: args });
    await expect(request).rejects.toThrow(reason);
    expect(client.calls).toEqual([]);
  });

  it('starts the runs of a sweep one after the other', async () => {
    const client = await startTestClient();
    const text = program().replace('net = Net()', 'sweep rate: [0.1, 0.01]\n  net = Net()');
    client.open(text.replace('lr: 0.001', 'lr: rate'));
    await client.request('workspace/executeCommand', train);
    expect(client.calls).toEqual(['start first {"rate":0.1}']);
    client.emit(summary({ state: 'finished' }), []);
    await expect.poll(() => client.calls).toEqual(['start first {"rate":0.1}', 'start first {"rate":0.01}']);
  });

  it('tells why a sweep can not go on', async () => {
    const client = await startTestClient();
    const text = program().replace('net = Net()', 'sweep heads: [4, 3]\n  net = Net()');
    client.open(
      text.replace(
        'logits = net(image)',
        'logits = net(image |> unsqueeze(1) |> self_attention(heads: heads) |> squeeze(1))',
      ),
    );
    await client.request('workspace/executeCommand', train);
    client.emit(summary({ state: 'finished' }), []);
    const shown = () => client.received.filter(m => m.method === 'window/showMessage').map(m => m.params);
    await expect
      .poll(shown)
      .toMatchObject([{ message: expect.stringMatching(/^the sweep ends: can't train with {"heads":3}: ./) }]);
    expect(client.calls).toEqual(['start first {"heads":4}']);
  });

  it('refuses a text that was never saved', async () => {
    const client = await startTestClient();
    client.open(program(), 'untitled:one');
    const request = client.request('workspace/executeCommand', { ...train, arguments: [{ uri: 'untitled:one' }] });
    await expect(request).rejects.toThrow("can't train: save the file first");
  });

  it('trains when trust is granted, and not because a settings file says so', async () => {
    const client = await startTestClient({ initializationOptions: { trusted: false } });
    client.open(program());
    await client.connection.sendNotification('workspace/didChangeConfiguration', {
      settings: { strata: { trusted: true } },
    });
    await client.request('workspace/executeCommand', train);
    expect(client.calls).toEqual(['start first']);
  });

  it.each(['pause', 'continue', 'stop', 'resume'])('passes %s on to the run', async action => {
    const client = await startTestClient();
    const folder = '/project/.strata/runs/1';
    await client.request('workspace/executeCommand', { command: `strata.${action}`, arguments: [{ folder }] });
    expect(client.calls).toEqual([`${action} ${folder}`]);
  });

  it('touches no folder that is not a run of the workspace', async () => {
    const client = await startTestClient();
    for (const folder of ['/etc', '/project', '']) {
      const request = client.request('workspace/executeCommand', { command: 'strata.stop', arguments: [{ folder }] });
      await expect(request).rejects.toThrow('expected a run of this workspace');
      await expect(client.request('strata/attach', { folder })).rejects.toThrow('expected a run of this workspace');
    }
    expect(client.calls).toEqual([]);
  });

  it('hands on events as strata/run and as progress that ends with the run', async () => {
    const client = await startTestClient({ capabilities: { window: { workDoneProgress: true } } });
    const event = { type: 'step', step: 1, epoch: 1, loss: 2, lr: 1, metrics: {}, time: 0 } as const;
    client.emit(summary({ step: 1 }), [event]);
    const seen = (method: string) => client.received.filter(m => m.method === method).map(m => m.params);
    await expect.poll(() => seen('$/progress')).toHaveLength(1);
    expect(seen('strata/run')).toEqual([{ summary: summary({ step: 1 }), events: [event] }]);
    client.emit(summary({ state: 'finished' }), []);
    await expect.poll(() => seen('$/progress').at(-1)).toMatchObject({ value: { kind: 'end' } });
  });

  it('leaves the progress to clients that show runs by themselves', async () => {
    const capabilities = { window: { workDoneProgress: true } };
    const client = await startTestClient({ capabilities, initializationOptions: { showsRuns: true } });
    client.emit(summary({ step: 1 }), []);
    // An answer comes after all that was sent before it.
    await client.request('strata/runs', {});
    expect(client.received.map(m => m.method)).toContain('strata/run');
    expect(client.received.filter(m => m.method.includes('rogress'))).toEqual([]);
  });
});

describe('lenses', () => {
  const titles = async (client: Awaited<ReturnType<typeof startTestClient>>) =>
    (await client.request<CodeLens[]>('textDocument/codeLens', { textDocument })).map(l => l.command?.title);

  it('offer training, and resuming where a run of the file has stopped', async () => {
    const stopped = summary({ state: 'stopped', resumable: true, step: 40 });
    const other = summary({ state: 'stopped', resumable: true, source: 'other.strata' });
    const client = await startTestClient({ runs: [other, stopped] });
    client.open(program());
    expect(await titles(client)).toEqual(expect.arrayContaining(['Train', 'Resume at step 40 of 100']));
  });

  it('say why there is no training', async () => {
    const client = await startTestClient({ initializationOptions: { trusted: false } });
    client.open(program());
    expect(await titles(client)).toContain("can't train: the workspace is not trusted");
    expect(await titles(client)).not.toContain('Train');
  });
});

describe('bad messages', () => {
  const frame = (text: string) => `Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`;
  it.each([
    ['no JSON', frame('{"jsonrpc": "2.0", "id": 7, "method"')],
    ['JSON of another kind', frame('[1, 2, 3]')],
    ['null', frame('null')],
    ['an unknown method', frame('{"jsonrpc":"2.0","id":99,"method":"strata/none"}')],
    [
      'params of a wrong shape',
      frame('{"jsonrpc":"2.0","id":98,"method":"textDocument/hover","params":{"textDocument":3}}'),
    ],
    [
      'a change to a document that is not open',
      frame(
        '{"jsonrpc":"2.0","method":"textDocument/didChange","params":{"textDocument":{"uri":"a:b","version":2},"contentChanges":[{"text":""}]}}',
      ),
    ],
    ['a change without changes', frame('{"jsonrpc":"2.0","method":"textDocument/didChange","params":{}}')],
    ['an answer nobody asked for', frame('{"jsonrpc":"2.0","id":12345,"result":1}')],
  ])('%s leave the server serving', async (_, bytes) => {
    const client = await startTestClient();
    client.raw.write(bytes);
    client.open(program());
    expect((await client.diagnostics()).diagnostics).toEqual([]);
  });
});
