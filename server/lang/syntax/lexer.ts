/** Text to tokens. Every character is in exactly one token, so that the tokens joined are the text. */

export type TokenKind =
  | 'name'
  | 'number'
  | 'string'
  | 'punctuation'
  | 'newline'
  | 'space'
  | 'comment'
  | 'doc'
  | 'unknown'
  | 'end';

export interface Token {
  readonly kind: TokenKind;
  readonly text: string;
  /** Relative to the chunk the lexer was given, in utf-16 units. */
  readonly start: number;
  readonly end: number;
}

/**
 * In order of precedence. A string ends at its quote or, unclosed, at the end of the line. A number's exponent needs digits,
 * and `1..` or `x.0` keep their dots apart.
 */
const pattern =
  /(?<newline>\r\n|\n|\r)|(?<space>[ \t\f\v\u00a0\ufeff]+)|(?<doc>\/\/\/[^\r\n]*)|(?<comment>\/\/[^\r\n]*)|(?<name>[A-Za-z_][A-Za-z0-9_]*)|(?<number>(?:\d[\d_]*(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?)|(?<string>"(?:[^"\\\r\n]|\\[^\r\n])*"?)|(?<punctuation>\|>|->|\.\.\.|==|!=|<=|>=|&&|\|\||\*\*|[-+*/%@=<>()[\]{},.:?!|])|(?<unknown>[\s\S])/gu;

const kinds: readonly TokenKind[] = [
  'newline',
  'space',
  'doc',
  'comment',
  'name',
  'number',
  'string',
  'punctuation',
  'unknown',
];

export function lex(text: string): readonly Token[] {
  const tokens: Token[] = [];
  for (const match of text.matchAll(pattern)) {
    const start = match.index;
    const kind = kinds[groupOf(match)]!;
    tokens.push({ kind, text: match[0], start, end: start + match[0].length });
  }
  return tokens;
}

/** Index of the group that matched; exactly one does. */
function groupOf(match: RegExpMatchArray): number {
  for (let i = 1; i < match.length; i++) if (match[i] !== undefined) return i - 1;
  return kinds.length - 1;
}

/** The contents of a string token: quotes off, escapes resolved. */
export function stringValue(text: string): string {
  const closed = text.length > 1 && text.endsWith('"');
  const escapes: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r' };
  return text.slice(1, closed ? -1 : undefined).replace(/\\(.)/gu, (_, c: string) => escapes[c] ?? c);
}

/** A string without its closing quote. */
export function isUnclosed(text: string): boolean {
  return !/^"(?:[^"\\]|\\.)*"$/u.test(text);
}

export function isTrivia(kind: TokenKind): boolean {
  return kind === 'space' || kind === 'newline' || kind === 'comment' || kind === 'doc';
}
