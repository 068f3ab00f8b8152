/** Random typing: no feature fails, whatever the text becomes. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { seconds, seed } from '../../support/fuzz.ts';
import { program } from '../ide/fixture.ts';
import { startTestClient, uri } from './client.ts';

const snippets = [
  '',
  ' ',
  '\n',
  '|> ',
  '{',
  '}',
  '(',
  ')',
  '[',
  ']',
  '"',
  ',',
  ':',
  '=',
  '//',
  '///',
  '...',
  'x',
  'B',
  '12',
  '-1',
  '0.5',
  'linear(',
  'repeat 3 {',
  'model M(x: [B, D]) -> [B, D] {',
  'train t on Digits {',
  'import A from "b.strata"',
  'where D % 2 == 0',
  'minimize ',
  '𝛿',
  '語',
  '\r\n',
  '\0',
];
const positional = [
  'hover',
  'completion',
  'definition',
  'declaration',
  'typeDefinition',
  'linkedEditingRange',
  'signatureHelp',
  'documentHighlight',
  'prepareRename',
  'prepareCallHierarchy',
];
const entire = ['documentSymbol', 'semanticTokens/full', 'foldingRange', 'codeLens', 'documentLink', 'formatting'];

/** Milliseconds. */
const budget = seconds(3).timeout;

it('random edits leave the server whole', { timeout: budget + 30_000 }, async () => {
  const client = await startTestClient();
  const textDocument = { uri };
  let text = program();
  let version = 1;
  client.open(text);
  const failures = () =>
    client.received
      .filter(m => m.method === 'window/logMessage' && (m.params as { type: number }).type === 1)
      .map(m => m.params);
  const edit = fc.record({
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    cut: fc.nat(12),
    text: fc.constantFrom(...snippets),
    look: fc.double({ min: 0, max: 1, noNaN: true }),
  });
  const position = (offset: number) => {
    const lines = text.slice(0, offset).split(/\r\n|\n|\r/);
    return { line: lines.length - 1, character: lines.at(-1)!.length };
  };
  const step = async ({ at, cut, text: inserted, look }: { at: number; cut: number; text: string; look: number }) => {
    // A fresh start now and then, or the text ends as rubble that exercises nothing.
    if (version % 60 === 0) {
      text = program();
      client.edit(++version, text);
    }
    // Editors never cut a surrogate pair or a line end in two.
    const whole = (offset: number) => (/[\ud800-\udbff\r]/.test(text[offset - 1] ?? '') ? offset - 1 : offset);
    const start = whole(Math.floor(at * text.length));
    const end = Math.max(start, whole(Math.min(text.length, start + cut)));
    const range = { start: position(start), end: position(end) };
    text = text.slice(0, start) + inserted + text.slice(end);
    version++;
    await client.connection.sendNotification('textDocument/didChange', {
      textDocument: { uri, version },
      contentChanges: [{ range, text: inserted }],
    });
    const where = position(Math.floor(look * text.length));
    for (const feature of positional) {
      // A refusal to rename is an answer.
      await client.request(`textDocument/${feature}`, { textDocument, position: where }).catch(error => {
        expect(String(error)).toMatch(/keeps its name|nothing here/);
      });
    }
    for (const feature of entire)
      await client.request(`textDocument/${feature}`, { textDocument, options: { tabSize: 2, insertSpaces: true } });
    const everything = { start: { line: 0, character: 0 }, end: { line: 100_000, character: 0 } };
    await client.request('strata/outline', { uri });
    await client.request('strata/inspect', { uri, what: 'graph' });
    await client.request('textDocument/codeAction', {
      textDocument,
      range: { start: where, end: where },
      context: { diagnostics: [] },
    });
    await client.request('textDocument/codeAction', { textDocument, range: everything, context: { diagnostics: [] } });
    await client.request('textDocument/inlayHint', { textDocument, range: everything });
    expect(failures()).toEqual([]);
  };
  const started = performance.now();
  for (const [i, change] of fc.sample(edit, { numRuns: 100_000, seed }).entries()) {
    if (performance.now() - started > budget) {
      expect(i).toBeGreaterThan(10);
      break;
    }
    await step(change);
  }
  const symbols = await client.request<readonly unknown[]>('textDocument/selectionRange', {
    textDocument,
    positions: [position(text.length)],
  });
  expect(symbols).toHaveLength(1);
});
