/** The language server as a client meets it: over a stream, message by message. */

import { describe, expect, it } from 'vitest';
import type { CompletionList, DocumentDiagnosticReport, Hover, InlayHint } from 'vscode-languageserver';
import { program } from '../ide/fixture.ts';
import { startTestClient, uri } from './client.ts';

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
