/** The server's bundle in a worker of a real browser: no Node, no disk, and everything but training. */
import { build } from 'esbuild';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type {
  CompletionList,
  Hover,
  InitializeResult,
  InlayHint,
  PublishDiagnosticsParams,
} from 'vscode-languageserver';
import type { OutlineResult } from '../../../server/lsp/protocol.ts';
import { launchBrowser } from '../../e2e/browser.ts';
import { chromiumPath } from '../../e2e/system.mjs';
import { program } from '../ide/fixture.ts';

if (!chromiumPath()) console.log('skipped: the worker is tested in Chromium, which this machine lacks');

const uri = 'vscode-vfs://github/one/main.strata';
const textDocument = { uri };

interface Talk {
  request<R>(method: string, params: unknown): Promise<R>;
  notify(method: string, params: unknown): Promise<void>;
  /** The diagnostics of the document at a version. */
  diagnostics(version: number): Promise<PublishDiagnosticsParams['diagnostics']>;
}

declare global {
  interface Window {
    talk: Talk;
  }
}

/** Starts the worker in the page and speaks JSON-RPC with it. */
async function start(page: Page, script: string): Promise<Talk> {
  await page.setContent('<!doctype html><title>worker</title>');
  await page.evaluate(code => {
    const worker = new Worker(URL.createObjectURL(new Blob([code], { type: 'text/javascript' })));
    const pending = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
    const published: { uri: string; version?: number; diagnostics: unknown[] }[] = [];
    let look = () => {};
    let id = 0;
    worker.onmessage = ({ data }) => {
      if (data.method === 'textDocument/publishDiagnostics') {
        published.push(data.params);
        look();
      } else if (data.method !== undefined && data.id !== undefined) {
        worker.postMessage({ jsonrpc: '2.0', id: data.id, result: null });
      } else if (data.error) pending.get(data.id)?.reject(new Error(data.error.message));
      else pending.get(data.id)?.resolve(data.result);
    };
    worker.onerror = event => {
      for (const call of pending.values()) call.reject(new Error(event.message));
    };
    window.talk = {
      request: <R>(method: string, params: unknown) =>
        new Promise<R>((resolve, reject) => {
          pending.set(++id, { resolve: value => resolve(value as R), reject });
          worker.postMessage({ jsonrpc: '2.0', id, method, params });
        }),
      notify: async (method, params) => worker.postMessage({ jsonrpc: '2.0', method, params }),
      diagnostics: version =>
        new Promise(resolve => {
          look = () => {
            const found = published.find(p => p.version === version);
            if (found) resolve(found.diagnostics as PublishDiagnosticsParams['diagnostics']);
          };
          look();
        }),
    };
  }, script);
  return {
    request: <R>(method: string, params: unknown) =>
      page.evaluate(([m, p]) => window.talk.request(m, p), [method, params] as const) as Promise<R>,
    notify: (method, params) => page.evaluate(([m, p]) => window.talk.notify(m, p), [method, params] as const),
    diagnostics: version => page.evaluate(v => window.talk.diagnostics(v), version),
  };
}

describe.skipIf(!chromiumPath())('in a worker', () => {
  let browser: Browser;
  let page: Page;
  let talk: Talk;
  let started: InitializeResult;

  beforeAll(async () => {
    const bundled = build({
      entryPoints: ['server/lsp/browser.ts'],
      bundle: true,
      write: false,
      platform: 'browser',
      target: 'es2022',
      format: 'iife',
    });
    browser = await launchBrowser();
    page = await browser.newPage();
    talk = await start(page, (await bundled).outputFiles[0]!.text);
    started = await talk.request<InitializeResult>('initialize', { processId: null, rootUri: null, capabilities: {} });
    await talk.notify('initialized', {});
  });
  afterAll(() => browser?.close());

  const open = (version: number, text: string, at = uri) =>
    talk.notify('textDocument/didOpen', { textDocument: { uri: at, languageId: 'strata', version, text } });

  it('it starts with the same features', () => {
    expect(started.capabilities).toMatchObject({ hoverProvider: true, completionProvider: {}, renameProvider: {} });
  });

  it('it knows procedural data, checks the whole chain and explains mistakes', async () => {
    await open(1, program());
    expect(await talk.diagnostics(1)).toEqual([]);
    await open(2, program().replace('linear(10)', 'linear(11)'));
    expect(await talk.diagnostics(2)).toMatchObject([{ source: 'strata', code: 'shape-mismatch' }]);
    await open(3, program());
    const position = { line: 8, character: program().split('\n')[8]!.length };
    const range = { start: { line: 0, character: 0 }, end: position };
    const hints = await talk.request<InlayHint[]>('textDocument/inlayHint', { textDocument, range });
    expect(hints.map(h => h.label)).toContain('[B, 128]');
    const hover = await talk.request<Hover>('textDocument/hover', {
      textDocument,
      position: { line: 0, character: 7 },
    });
    expect(JSON.stringify(hover.contents)).toContain('101,770 weights');
    const outline = await talk.request<OutlineResult>('strata/outline', { uri });
    expect(outline[0]).toMatchObject({ train: 'first', weights: 101_770 });
    const kernels = await talk.request<{ text: string }>('strata/inspect', { uri, what: 'kernels' });
    expect(kernels.text).toContain('matmul');
  });

  it('it reads the files that the client hands over', async () => {
    const net = 'model Block(x: [B, D]) -> [B, D] {\n  x |> linear(D)\n}\n';
    await talk.notify('strata/files', { files: [{ uri: 'vscode-vfs://github/one/block.strata', text: net }] });
    const text = 'import Block from "block.strata"\n\nmodel Two(x: [B, 4]) -> [B, 4] {\n  x |> Block\n}\n';
    await open(10, text, 'vscode-vfs://github/one/two.strata');
    expect(await talk.diagnostics(10)).toEqual([]);
    const position = { line: 3, character: 8 };
    const at = { textDocument: { uri: 'vscode-vfs://github/one/two.strata' }, position };
    expect(await talk.request('textDocument/definition', at)).toMatchObject({
      uri: 'vscode-vfs://github/one/block.strata',
    });
    const list = await talk.request<CompletionList>('textDocument/completion', at);
    expect(list.items.map(i => i.label)).toContain('Block');
  });

  it('it says why nothing is trained', async () => {
    const request = talk.request('workspace/executeCommand', { command: 'strata.train', arguments: [{ uri }] });
    await expect(request).rejects.toThrow('training needs a machine, and this is a browser');
  });
});
