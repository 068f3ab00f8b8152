/**
 * What a language server answers over the protocol, in each position encoding, is about the same text as what the features say: places
 * are counted here anew, by code that shares nothing with the server's.
 */
import { afterEach, expect } from 'vitest';
import type { Range } from 'vscode-languageserver';
import { codeActions } from '../../server/ide/codeActions.ts';
import { completion } from '../../server/ide/completion.ts';
import { diagnostics } from '../../server/ide/diagnostics/registry.ts';
import { documentLinks } from '../../server/ide/documentLinks.ts';
import { formatting } from '../../server/ide/formatting.ts';
import { hover } from '../../server/ide/hover.ts';
import { defaultInlays, inlayHints } from '../../server/ide/inlayHints.ts';
import { definition, highlights, linkedEditing, references, typeDefinition } from '../../server/ide/navigation.ts';
import { prepareRename, rename } from '../../server/ide/rename.ts';
import { semanticTokens, tokenTypes } from '../../server/ide/semanticTokens.ts';
import { documentSymbols } from '../../server/ide/symbols.ts';
import { analyze } from '../../server/lang/analyze.ts';
import type { Analysis, Encoding, Location, Position, Span, TextEdit } from '../../server/lang/api.ts';
import type { DiskView } from '../../server/lsp/host.ts';
import { startTestClient } from '../server/lsp/client.ts';

export const units: Readonly<Record<Encoding, (text: string) => number>> = {
  'utf-8': text => Buffer.byteLength(text),
  'utf-16': text => text.length,
  'utf-32': text => [...text].length,
};

interface Asked {
  readonly uri: string;
  readonly text: string;
  /** -1 where no place is asked about. */
  readonly cursor: number;
  readonly host: DiskView;
}

/** By what places depend on: texts that differ in digits alone have the same ones, and some tests try hundreds of numbers. */
const waiting = new Map<string, Asked>();
const known = new Set<string>();

/** Fixtures are looked at synchronously; a server is asked when the test is over, which fails with it. */
export function askAfterwards(asked: Asked): void {
  const key = `${asked.cursor} ${asked.text.replaceAll(/\d/g, '0')}`;
  if (!known.has(key)) waiting.set(key, asked);
  known.add(key);
}

afterEach(async () => {
  const all = [...waiting.values()];
  waiting.clear();
  for (const asked of all) {
    const expected = told(await settled(asked), asked.cursor);
    for (const encoding of Object.keys(units) as Encoding[])
      expect(await answers(asked, encoding), `${encoding} of ${asked.text}`).toEqual(expected);
  }
}, 60_000);

/** Once the files that it asks for have been read: the server waits for them too. */
async function settled({ uri, text, host }: Asked): Promise<Analysis> {
  const analysis = analyze(uri, text, host);
  if (host.schemas?.waiting !== true) return analysis;
  await host.schemas.settled();
  return analyze(uri, text, host);
}

/** What the features say, with places as offsets. */
function told(analysis: Analysis, cursor: number): Readonly<Record<string, unknown>> {
  const everywhere = {
    diagnostics: diagnostics(analysis).map(d => [d.code, d.span]),
    tokens: semanticTokens(analysis).map(({ span, type }) => [type, span]),
    inlays: inlayHints(analysis, undefined, defaultInlays).map(({ offset, text }) => [text, offset]),
    symbols: documentSymbols(analysis).map(({ name, span, nameSpan }) => [name, span, nameSpan]),
    links: documentLinks(analysis).map(link => link.span),
    formatting: edits(formatting(analysis)),
  };
  if (cursor < 0) return everywhere;
  const prepared = prepareRename(analysis, cursor);
  const renamed = rename(analysis, cursor, 'Renamed', [analysis]);
  const { replace, items } = completion(analysis, cursor, () => []);
  return {
    ...everywhere,
    hover: hover(analysis, cursor)?.span,
    definition: place(analysis, definition(analysis, cursor)?.to),
    type: place(analysis, typeDefinition(analysis, cursor)?.to),
    references: references(analysis, cursor, [analysis], true).map(({ start, end }) => ({ start, end })),
    highlights: highlights(analysis, cursor).map(({ span }) => span),
    linked: linkedEditing(analysis, cursor),
    completion: items.map(item => [item.label, replace]),
    prepared: prepared.kind === 'name' ? prepared.span : undefined,
    rename: renamed.kind === 'edits' ? edits(renamed.files.get(analysis.uri) ?? []) : undefined,
    selection: analysis.selection(cursor).slice(0, 1),
    actions: codeActions(analysis, { start: cursor, end: cursor }).map(action => [action.title, edits(action.edits)]),
  };
}

/** Another file's places are in its own text, which the server alone has read. */
function place({ uri }: Analysis, found: Location | undefined): unknown {
  return found && (found.uri === uri ? { start: found.start, end: found.end } : found.uri);
}

function edits(list: readonly TextEdit[]): readonly unknown[] {
  return list.map(({ span, text }) => [span, text]);
}

/** The same of a server that counts in `encoding`. The text gets to it in two pieces, the second one typed into the first. */
async function answers({ uri, text, cursor, host }: Asked, encoding: Encoding): Promise<Record<string, unknown>> {
  const client = await startTestClient({
    capabilities: { general: { positionEncodings: [encoding] }, textDocument: { rename: { prepareSupport: true } } },
    host: {
      langHost: openText => ({ ...host, readText: at => openText(at) ?? host.readText(at) }),
      listFolder: () => [],
    },
  });
  const scale = scaleOf(text, encoding);
  const [from, to] = [seam(text, text.length / 3), seam(text, text.length / 2)];
  client.open(text.slice(0, from) + text.slice(to), uri);
  const start = scale.position(from);
  await client.connection.sendNotification('textDocument/didChange', {
    textDocument: { uri, version: 2 },
    contentChanges: [{ range: { start, end: start }, text: text.slice(from, to) }],
  });
  const textDocument = { uri };
  const whole = { start: { line: 0, character: 0 }, end: scale.position(text.length) };
  const ask = <R>(method: string, params: object = {}) =>
    client.request<R>(`textDocument/${method}`, { textDocument, ...params });
  const found = (await client.diagnostics(2, uri)).diagnostics;
  const everywhere = {
    diagnostics: found.map(d => [d.code, scale.span(d.range)]),
    tokens: scale.tokens((await ask<{ data: number[] }>('semanticTokens/full')).data),
    inlays: (await ask<Hint[]>('inlayHint', { range: whole })).map(h => [h.label, scale.offset(h.position)]),
    symbols: (await ask<Symbols>('documentSymbol')).map(s => [
      s.name,
      scale.span(s.range),
      scale.span(s.selectionRange),
    ]),
    links: (await ask<Ranged[]>('documentLink')).map(l => scale.span(l.range)),
    formatting: scale.edits(await ask<Edit[]>('formatting', { options: { tabSize: 2, insertSpaces: true } })),
  };
  const there = cursor < 0 ? {} : await answersAt({ uri, ask, scale, cursor });
  client.connection.end();
  return { ...everywhere, ...there };
}

interface Ranged {
  readonly range: Range;
}
interface Hint {
  readonly label: string;
  readonly position: Position;
}
type Symbols = readonly (Ranged & { readonly name: string; readonly selectionRange: Range })[];
type Edit = Ranged & { readonly newText: string };
interface Changes {
  readonly changes: Readonly<Record<string, readonly Edit[]>>;
}
interface Action {
  readonly title: string;
  readonly edit?: Changes;
}

interface Place {
  readonly uri: string;
  readonly ask: <R>(method: string, params?: object) => Promise<R>;
  readonly scale: Scale;
  readonly cursor: number;
}

async function answersAt({ uri, ask, scale, cursor }: Place): Promise<Record<string, unknown>> {
  const position = scale.position(cursor);
  const at = { position };
  const range = { start: position, end: position };
  const jump = (found: (Ranged & { uri: string }) | null) =>
    found === null ? undefined : found.uri === uri ? scale.span(found.range) : found.uri;
  const refused = () => undefined;
  const list = await ask<{ items: { label: string; textEdit: Edit }[] }>('completion', at);
  const changes = await ask<Changes>('rename', { ...at, newName: 'Renamed' }).catch(refused);
  const withDeclaration = { includeDeclaration: true };
  const selection = await ask<Ranged[]>('selectionRange', { positions: [position] });
  return {
    hover: optional(scale.span, (await ask<Ranged | null>('hover', at))?.range),
    definition: jump(await ask('definition', at)),
    type: jump(await ask('typeDefinition', at)),
    references: (await ask<Ranged[]>('references', { ...at, context: withDeclaration })).map(r => scale.span(r.range)),
    highlights: (await ask<Ranged[]>('documentHighlight', at)).map(h => scale.span(h.range)),
    linked: (await ask<{ ranges: Range[] } | null>('linkedEditingRange', at))?.ranges.map(scale.span) ?? [],
    completion: list.items.map(item => [item.label, scale.span(item.textEdit.range)]),
    prepared: await ask<Ranged>('prepareRename', at).then(r => scale.span(r.range), refused),
    rename: optional(edits => scale.edits(edits.changes[uri] ?? []), changes),
    selection: selection.map(s => scale.span(s.range)),
    actions: (await ask<Action[]>('codeAction', { range, context: { diagnostics: [] } })).map(a => [
      a.title,
      scale.edits(a.edit?.changes[uri] ?? []),
    ]),
  };
}

function optional<A, R>(make: (value: A) => R, value: A | undefined): R | undefined {
  return value === undefined ? undefined : make(value);
}

/** An offset near `wanted` that lies within no line end and no character. */
function seam(text: string, wanted: number): number {
  let at = Math.floor(wanted);
  while (at > 0 && /^[\n\udc00-\udfff]/.test(text.slice(at))) at--;
  return at;
}

interface Scale {
  position(offset: number): Position;
  /** Fails where the position lies within a character or beyond its line. */
  offset(position: Position): number;
  span(range: Range): Span;
  edits(list: readonly Edit[]): readonly unknown[];
  tokens(data: readonly number[]): readonly unknown[];
}

/** Between offsets and positions of one text, by counting the characters of a line one by one. */
function scaleOf(text: string, encoding: Encoding): Scale {
  const count = units[encoding];
  const lines = text.split(/(?<=\r\n|\n|\r(?!\n))/);
  if (lines.length === 0 || /[\r\n]$/.test(text)) lines.push('');
  const starts = lines.map((_, i) => lines.slice(0, i).join('').length);
  const scale: Scale = {
    position: offset => {
      const line = starts.findLastIndex(start => start <= offset);
      return { line, character: count(text.slice(starts[line], offset)) };
    },
    offset: ({ line, character }) => {
      let [left, at] = [character, starts[line] ?? Number.NaN];
      for (const each of lines[line]!.replace(/[\r\n]+$/, '')) {
        if (left <= 0) break;
        left -= count(each);
        at += each.length;
      }
      expect(left, `${line}:${character} in ${encoding}`).toBe(0);
      return at;
    },
    span: ({ start, end }) => ({ start: scale.offset(start), end: scale.offset(end) }),
    edits: list => list.map(({ range, newText }) => [scale.span(range), newText]),
    tokens: data => {
      const found: unknown[] = [];
      let [line, character] = [0, 0];
      for (let i = 0; i < data.length; i += 5) {
        const [down, right, length, type] = data.slice(i, i + 4) as [number, number, number, number];
        [line, character] = [line + down, down === 0 ? character + right : right];
        const range = { start: { line, character }, end: { line, character: character + length } };
        found.push([tokenTypes[type], scale.span(range)]);
      }
      return found;
    },
  };
  return scale;
}
