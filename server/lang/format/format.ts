/** The formatter: spaces, indentation, blank lines and aligned columns. It never joins or breaks lines of code, so the meaning stays. */
import { lex, type Token } from '../syntax/lexer.ts';
import { settings } from '../syntax/statements.ts';
import type { Span, TextEdit } from '../text.ts';
import { type Place, spaced } from './spacing.ts';

const indentWidth = 2;

/** A line of the result. */
interface Line {
  readonly indent: number;
  /** Up to where columns are aligned: `net`, `minimize`. Empty where the line takes no part. */
  readonly head: string;
  /** What separates head and tail takes part in the alignment: `= ` for bindings. */
  readonly kind: 'binding' | 'setting' | 'other' | 'blank';
  readonly tail: string;
  readonly comment: string;
  /** Spaces before a comment behind code: two, or more where the author lined comments up. */
  readonly gap: number;
  /** Its line in the source; undefined for a blank line that was put in. */
  readonly source: number | undefined;
}

/** Idempotent; changes white space alone. */
export function format(text: string): string {
  const newline = /\r\n|\n|\r/.exec(text)?.[0] ?? '\n';
  const lines = formatted(text).map(l => l.text);
  return lines.length === 0 ? '' : lines.join(newline) + newline;
}

/** The edits that make `text` formatted, line by line; only those of lines that `within` touches, if it is given. */
export function formatEdits(text: string, within?: Span): readonly TextEdit[] {
  const newline = /\r\n|\n|\r/.exec(text)?.[0] ?? '\n';
  const wanted = new Map<number, string>();
  let inserted = '';
  for (const { text: line, source } of formatted(text)) {
    if (source === undefined) inserted += newline;
    else {
      wanted.set(source, inserted + line);
      inserted = '';
    }
  }
  const edits = sourceLines(text).flatMap((line, i) => lineEdit(text, line, wanted.get(i), newline) ?? []);
  return within ? edits.filter(e => e.span.start <= within.end && within.start <= e.span.end) : edits;
}

/** A line that is not wanted goes with its line end. */
function lineEdit(
  text: string,
  { start, end }: Span,
  wanted: string | undefined,
  newline: string,
): TextEdit | undefined {
  if (wanted === undefined) return { span: { start, end }, text: '' };
  const line = text.slice(start, end);
  const ended = /[\r\n]/.test(line);
  if (!ended) return { span: { start, end }, text: wanted + newline };
  const content = line.replace(/[\r\n]+$/, '');
  const ending = line.slice(content.length);
  if (ending !== newline) return { span: { start, end }, text: wanted + newline };
  return content === wanted ? undefined : { span: { start, end: start + content.length }, text: wanted };
}

/** Lines with their line ends. */
function sourceLines(text: string): readonly Span[] {
  const spans: Span[] = [];
  let start = 0;
  for (const m of text.matchAll(/\r\n|\n|\r/g)) {
    spans.push({ start, end: m.index + m[0].length });
    start = m.index + m[0].length;
  }
  return start < text.length ? [...spans, { start, end: text.length }] : spans;
}

interface Formatted {
  readonly text: string;
  readonly source: number | undefined;
}

function formatted(text: string): readonly Formatted[] {
  return aligned(blankLines(layout(text))).map(({ indent, head, tail, comment, gap, source }) => {
    const code = head + tail;
    const between = code !== '' && comment !== '' ? ' '.repeat(gap) : '';
    const line = code + between + comment;
    return { text: line === '' ? '' : ' '.repeat(indent * indentWidth) + line, source };
  });
}

/** Each line with its indentation: a level for every open brace and bracket, and one for `|>` that continues. */
function layout(text: string): readonly Line[] {
  const rows: Token[][] = [[]];
  for (const t of lex(text)) {
    if (t.kind === 'newline') rows.push([]);
    else if (t.kind !== 'space') rows.at(-1)!.push(t);
  }
  const open: string[] = [];
  return rows.map((row, source) => {
    const closing = row.findIndex(t => !isCloser(t));
    const closers = closing < 0 ? row.length : closing;
    const depth = Math.max(0, open.length - closers) + (row[0]?.text === '|>' ? 1 : 0);
    return rowLine(row, depth, source, open);
  });
}

function isCloser({ kind, text }: Token): boolean {
  return kind === 'punctuation' && (text === '}' || text === ')' || text === ']');
}

function rowLine(row: readonly Token[], indent: number, source: number, open: string[]): Line {
  const comment = row.find(t => t.kind === 'comment' || t.kind === 'doc');
  const code = row.filter(t => t !== comment);
  const kind = code.length === 0 ? (comment ? 'other' : 'blank') : kindOf(code, open);
  const last = code.at(-1);
  const gap = Math.max(2, last && comment ? comment.start - last.end : 0);
  const at = kind === 'binding' ? code.findIndex(t => t.text === '=') : kind === 'setting' ? 1 : 0;
  const parts: string[] = ['', ''];
  for (const [i, t] of code.entries()) {
    const left = code[i - 1];
    const place: Place = {
      bracket: open.at(-1),
      before: code[i - 2],
      keyword: kind === 'setting' ? code[0] : undefined,
    };
    const space = left && i !== at && spaced(left, t, place) ? ' ' : '';
    parts[i < at ? 0 : 1] += space + t.text;
    if (t.kind === 'punctuation') track(t.text, open);
  }
  return { indent, kind, head: parts[0]!, tail: parts[1]!, comment: comment?.text.trimEnd() ?? '', gap, source };
}

function track(text: string, open: string[]): void {
  if (text === '(' || text === '[' || text === '{') open.push(text);
  else if (text === ')' || text === ']' || text === '}') open.pop();
}

const settingWords: ReadonlySet<string> = new Set([...settings.data, ...settings.train]);

/** Columns are aligned for whole statements on one line, within braces. */
function kindOf(code: readonly Token[], open: readonly string[]): 'binding' | 'setting' | 'other' {
  const [first, second] = code;
  if (first?.kind !== 'name' || open.at(-1) !== '{' || code.some(t => t.text === '{' || t.text === '}')) return 'other';
  if (second?.text === '=') return 'binding';
  const argument = second !== undefined && !['|>', '.', ':', ','].includes(second.text);
  return settingWords.has(first.text) && argument ? 'setting' : 'other';
}

const declarationLine = /^(?:model|data|train)\b/;

/** At most one blank line, none at the edges of the file and of blocks, one between blocks of the file. */
function blankLines(lines: readonly Line[]): readonly Line[] {
  const kept: Line[] = [];
  for (const [i, line] of lines.entries()) {
    const before = kept.at(-1);
    if (line.kind === 'blank') {
      const next = nextCode(lines, i);
      const edge = before === undefined || before.kind === 'blank' || next === undefined;
      if (edge || before.tail.endsWith('{') || next.tail.startsWith('}')) continue;
    }
    const opensBlock = line.indent === 0 && line.kind !== 'blank' && leadsToDeclaration(lines, i);
    if (opensBlock && before && before.head + before.tail !== '') {
      kept.push({ indent: 0, head: '', kind: 'blank', tail: '', comment: '', gap: 0, source: undefined });
    }
    kept.push(line);
  }
  return kept;
}

/** The next line that isn't blank. */
function nextCode(lines: readonly Line[], from: number): Line | undefined {
  let at = from + 1;
  while (lines[at]?.kind === 'blank') at++;
  return lines[at];
}

/** The declaration itself, or the comments directly above it. */
function leadsToDeclaration(lines: readonly Line[], i: number): boolean {
  let at = i;
  while (lines[at]?.kind === 'other' && lines[at]?.tail === '') at++;
  const line = lines[at];
  return line !== undefined && declarationLine.test(line.head + line.tail);
}

/** Neighbouring bindings get their `=` below each other, neighbouring settings their arguments. */
function aligned(lines: readonly Line[]): readonly Line[] {
  const result: Line[] = [];
  let run: Line[] = [];
  const flush = () => {
    const width = Math.max(0, ...run.map(l => l.head.length));
    result.push(...run.map(l => ({ ...l, head: `${l.head.padEnd(width)} ` })));
    run = [];
  };
  for (const line of lines) {
    const first = run[0];
    const joins = line.kind === 'binding' || line.kind === 'setting';
    if (first && (!joins || first.kind !== line.kind || first.indent !== line.indent)) flush();
    if (joins) run.push(line);
    else result.push(line);
  }
  flush();
  return result;
}
