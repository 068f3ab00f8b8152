/**
 * The same program as others would have it: with CRLF, and with astral and CJK text in comments and paths, a comment above and no-break
 * spaces between the words. Whatever the editor asks about it is answered alike, place by place, in each position encoding.
 */
import { expect } from 'vitest';
import { codeActions } from '../../server/ide/codeActions.ts';
import { completion } from '../../server/ide/completion.ts';
import { diagnostics } from '../../server/ide/diagnostics/registry.ts';
import { documentLinks } from '../../server/ide/documentLinks.ts';
import { hover } from '../../server/ide/hover.ts';
import { definition, highlights, linkedEditing, references, typeDefinition } from '../../server/ide/navigation.ts';
import { prepareRename, rename } from '../../server/ide/rename.ts';
import { semanticTokens } from '../../server/ide/semanticTokens.ts';
import { documentSymbols } from '../../server/ide/symbols.ts';
import { analyze } from '../../server/lang/analyze.ts';
import type { Analysis, Encoding, Position } from '../../server/lang/api.ts';
import { format } from '../../server/lang/format/format.ts';
import { lex } from '../../server/lang/syntax/lexer.ts';
import { applyEdits } from '../../server/lang/text.ts';
import type { DiskView } from '../../server/lsp/host.ts';
import { askAfterwards, units } from './protocol.ts';

/** Two, one and two utf-16 units; four, three and two bytes, so that no two encodings agree. */
const foreign = '𝛿語é';
const above = `// ${foreign}\n\n`;

interface Insertion {
  readonly at: number;
  readonly text: string;
}

interface Variant {
  readonly name: string;
  readonly text: string;
  /** Where an offset of the original is now. */
  there(offset: number): number;
  /** Where an offset was in the original; one within something put in, where that was put. */
  back(offset: number): number;
}

function variant(name: string, text: string, insertions: readonly Insertion[], lead = ''): Variant {
  const pieces = insertions.map((ins, i) => text.slice(insertions[i - 1]?.at ?? 0, ins.at) + ins.text);
  const length = (list: readonly Insertion[]) => list.reduce((n, ins) => n + ins.text.length, lead.length);
  const there = (offset: number) => offset + length(insertions.filter(ins => ins.at < offset));
  return {
    name,
    text: lead + pieces.join('') + text.slice(insertions.at(-1)?.at ?? 0),
    there,
    back: offset => {
      const before = insertions.filter(ins => there(ins.at) < offset);
      const last = before.at(-1);
      if (last && offset < there(last.at) + last.text.length) return last.at;
      return Math.max(0, offset - length(before));
    },
  };
}

/** Paths of data take foreign names too; those of other sources are files of the test. */
const path = /^"(?![^"]*:\/\/)[^"\n]*\.(?!strata")\w+"$/;

function withCrlf(text: string): Variant {
  const ends = [...text.matchAll(/(?<!\r)\n/g)].map(({ index }) => ({ at: index, text: '\r' }));
  return variant('CRLF', text, ends);
}

function withForeignText(text: string, cursor: number): Variant {
  const tokens = lex(text);
  const wide = tokens.flatMap(({ kind, text: token, start, end }): readonly Insertion[] => {
    if (kind === 'comment' || kind === 'doc') return [{ at: start + token.trimEnd().length, text: foreign }];
    const outside = cursor < start || end < cursor;
    return kind === 'string' && path.test(token) && outside ? [{ at: start + 1, text: foreign }] : [];
  });
  const spaced = tokens
    .map((t, i) =>
      t.kind === 'space' && i > 0 && tokens[i - 1]!.kind !== 'newline' ? t.text.replaceAll(' ', '\u00a0') : t.text,
    )
    .join('');
  return variant('foreign text', spaced, wide, above);
}

/** Without what a variant has put in. */
function plain(text: string): string {
  return text
    .replaceAll('\r\n', '\n')
    .replaceAll('\u00a0', ' ')
    .replace(new RegExp(`^${above}`), '')
    .replaceAll(foreign, '');
}

const seen = new Set<string>();

/**
 * Compares the variants of a text with it; `cursor` is -1 where no place is asked about. After the test a language server is asked
 * about all of them in one, foreign text with CRLF, in each encoding.
 */
export function expectVariantsAlike(analysis: Analysis, cursor: number, host: DiskView): void {
  const { text, uri } = analysis;
  const key = `${cursor} ${text}`;
  if (text.trim() === '' || seen.has(key)) return;
  seen.add(key);
  const expected = portrait(analysis, cursor, offset => offset);
  const at = ({ there }: Variant, offset: number) => (offset < 0 ? -1 : there(offset));
  const foreign = withForeignText(text, cursor);
  for (const each of [withCrlf(text), foreign]) {
    const found = portrait(analyze(uri, each.text, host), at(each, cursor), each.back);
    expect(found, each.name).toEqual(expected);
    expect(plain(format(each.text)), `${each.name}, formatted`).toBe(plain(format(text)));
  }
  const both = withCrlf(foreign.text);
  askAfterwards({ uri, text: both.text, cursor: at(both, at(foreign, cursor)), host });
}

/** All that the editor features say, with places of the original text. */
function portrait(analysis: Analysis, cursor: number, back: (offset: number) => number): unknown {
  const offsets = new Set<number>();
  const place = (offset: number): number => {
    offsets.add(offset);
    return back(offset);
  };
  const original = (_: string, value: unknown): unknown => {
    if (typeof value === 'string') return plain(value);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
    const { start, end, offset, uri = analysis.uri } = value as Readonly<Record<string, unknown>>;
    if (uri !== analysis.uri) return value;
    if (typeof offset === 'number') return { ...value, offset: place(offset) };
    return typeof start === 'number' && typeof end === 'number'
      ? { ...value, start: place(start), end: place(end) }
      : value;
  };
  const told = (value: unknown): unknown => JSON.parse(JSON.stringify(value ?? null, original));
  const everywhere = {
    diagnostics: diagnostics(analysis).map(({ fixes, ...d }) => ({
      ...d,
      fixes: fixes.map(f => ({ title: f.title, after: applyEdits(analysis.text, f.edits) })),
    })),
    inlays: analysis.inlays(),
    // Not the comment above.
    tokens: semanticTokens(analysis).filter(t => back(t.span.end) > 0),
    symbols: documentSymbols(analysis),
    links: documentLinks(analysis),
    trains: analysis.trains,
    data: analysis.data,
  };
  const found = [told(everywhere), cursor < 0 ? null : [told(atCursor(analysis, cursor)), label(analysis, cursor)]];
  for (const offset of offsets) expectEncoded(analysis, offset);
  return found;
}

function atCursor(analysis: Analysis, cursor: number) {
  const renamed = rename(analysis, cursor, 'renamed', [analysis]);
  return {
    hover: hover(analysis, cursor),
    definition: definition(analysis, cursor),
    type: typeDefinition(analysis, cursor),
    references: references(analysis, cursor, [analysis], true),
    highlights: highlights(analysis, cursor),
    linked: linkedEditing(analysis, cursor),
    completion: completion(analysis, cursor, () => []),
    rename: [prepareRename(analysis, cursor), renamed],
    selection: analysis.selection(cursor),
    // How imports are spaced is a matter of their order too.
    actions: codeActions(analysis, { start: cursor, end: cursor }, k => !k.startsWith('source')).map(
      ({ title, edits }) => [title, applyEdits(analysis.text, edits)],
    ),
  };
}

/** Signature help, whose spans are of its own label. */
function label(analysis: Analysis, cursor: number): unknown {
  return JSON.parse(JSON.stringify(analysis.signature(cursor) ?? null).replaceAll(foreign, ''));
}

/** The place is what each encoding makes of it, and leads back. */
function expectEncoded({ text, lines }: Analysis, offset: number): void {
  const before = text.slice(0, offset).split(/\r\n|\n|\r/);
  for (const [encoding, count] of Object.entries(units) as [Encoding, (text: string) => number][]) {
    const position: Position = { line: before.length - 1, character: count(before.at(-1)!) };
    expect(lines.position(offset, encoding)).toEqual(position);
    expect(lines.offset(position, encoding)).toBe(offset);
  }
}
