/** Positions in text: spans in utf-16 units and the conversion to lines and columns in the units an editor counts. */

/** Half-open range of utf-16 units, as JavaScript indexes strings. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

export interface Location extends Span {
  readonly uri: string;
}

/** Both from 0. */
export interface Position {
  readonly line: number;
  readonly character: number;
}

export interface TextEdit {
  readonly span: Span;
  readonly text: string;
}

/** What `Position.character` counts; LSP's `positionEncoding`. */
export type Encoding = 'utf-8' | 'utf-16' | 'utf-32';

export interface LineIndex {
  readonly lineCount: number;
  /** Offset of a line's first character; clamped to the text. */
  lineStart(line: number): number;
  /** Clamped to the text; `encoding` is utf-16 unless given. */
  position(offset: number, encoding?: Encoding): Position;
  /** The offset of a position; one beyond the end of its line means the end of the line. */
  offset(position: Position, encoding?: Encoding): number;
}

/** Lines end at `\n`, `\r\n` or `\r`. */
export function lineIndex(text: string): LineIndex {
  const starts = [0];
  for (const match of text.matchAll(/\r\n|\n|\r/g)) starts.push(match.index + match[0].length);
  const clampLine = (line: number) => Math.min(Math.max(line, 0), starts.length - 1);
  const lineAt = (offset: number) => {
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (starts[middle]! <= offset) low = middle;
      else high = middle - 1;
    }
    return low;
  };
  const lineEnd = (line: number) => {
    const next = starts[line + 1];
    if (next === undefined) return text.length;
    return text[next - 2] === '\r' && text[next - 1] === '\n' ? next - 2 : next - 1;
  };
  return {
    lineCount: starts.length,
    lineStart: line => starts[clampLine(line)]!,
    position: (offset, encoding = 'utf-16') => {
      const at = Math.min(Math.max(offset, 0), text.length);
      const line = lineAt(at);
      return { line, character: unitsOf(text.slice(starts[line]!, at), encoding) };
    },
    offset: ({ line, character }, encoding = 'utf-16') => {
      if (line < 0) return 0;
      if (line >= starts.length) return text.length;
      const start = starts[line]!;
      return start + utf16Length(text.slice(start, lineEnd(line)), character, encoding);
    },
  };
}

export function slice(text: string, span: Span): string {
  return text.slice(span.start, span.end);
}

export function shiftSpan(span: Span, by: number): Span {
  return { start: span.start + by, end: span.end + by };
}

/** True also at both ends: a cursor behind the last character still touches the span. */
export function touches(span: Span, offset: number): boolean {
  return span.start <= offset && offset <= span.end;
}

/** Whether `name` stands in the text as a whole word, be it in a comment. */
export function mentions(text: string, name: string): boolean {
  const isWord = (at: number): boolean => /\w/.test(text.charAt(at));
  for (let at = text.indexOf(name); at >= 0; at = text.indexOf(name, at + 1))
    if (!isWord(at - 1) && !isWord(at + name.length)) return true;
  return false;
}

/** Applies edits that don't overlap, given in any order. */
export function applyEdits(text: string, edits: readonly TextEdit[]): string {
  const sorted = [...edits].sort((a, b) => b.span.start - a.span.start);
  return sorted.reduce((result, e) => result.slice(0, e.span.start) + e.text + result.slice(e.span.end), text);
}

function unitsOf(text: string, encoding: Encoding): number {
  if (encoding === 'utf-16') return text.length;
  let units = 0;
  for (const character of text) units += encoding === 'utf-32' ? 1 : utf8Length(character);
  return units;
}

/** How many utf-16 units of `line` its first `units` units of `encoding` are. */
function utf16Length(line: string, units: number, encoding: Encoding): number {
  if (encoding === 'utf-16') return Math.min(Math.max(units, 0), line.length);
  let length = 0;
  let left = units;
  for (const character of line) {
    left -= encoding === 'utf-32' ? 1 : utf8Length(character);
    if (left < 0) break;
    length += character.length;
  }
  return length;
}

function utf8Length(character: string): number {
  const code = character.codePointAt(0)!;
  return code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
}
