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
 * In order of precedence: newline, space, doc, comment, name, number, string, punctuation, and any other character. A string ends
 * at its quote or, unclosed, at the end of the line. A number's exponent needs digits, and `1..` or `x.0` keep their dots apart.
 */
const pattern =
  /\r\n|\n|\r|[ \t\f\v\u00a0\ufeff]+|\/\/\/[^\r\n]*|\/\/[^\r\n]*|[A-Za-z_][A-Za-z0-9_]*|(?:\d[\d_]*(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?|"(?:[^"\\\r\n]|\\[^\r\n])*"?|\|>|->|\.\.\.|==|!=|<=|>=|&&|\|\||\*\*|[-+*/%@=<>()[\]{},.:?!|]|[\s\S]/uy;

/** Told by its beginning, not by groups of the pattern: those cost an array and an object a token. */
export function lex(text: string): readonly Token[] {
  const tokens: Token[] = [];
  pattern.lastIndex = 0;
  for (let start = 0; start < text.length; ) {
    pattern.test(text);
    const end = pattern.lastIndex;
    const part = text.slice(start, end);
    tokens.push({ kind: kindOf(part), text: part, start, end });
    start = end;
  }
  return tokens;
}

function kindOf(text: string): TokenKind {
  const first = text.charCodeAt(0);
  if (isLetter(first)) return 'name';
  if (isDigit(first)) return 'number';
  switch (text[0]) {
    case ' ':
    case '\t':
    case '\f':
    case '\v':
    case '\u00a0':
    case '\ufeff':
      return 'space';
    case '\r':
    case '\n':
      return 'newline';
    case '"':
      return 'string';
    case '/':
      return text.startsWith('///') ? 'doc' : text.startsWith('//') ? 'comment' : 'punctuation';
    case '.':
      return isDigit(text.charCodeAt(1)) ? 'number' : 'punctuation';
    case '&':
      return text === '&&' ? 'punctuation' : 'unknown';
    default:
      return '-+*%@=<>()[]{},:?!|'.includes(text[0]!) ? 'punctuation' : 'unknown';
  }
}

function isLetter(code: number): boolean {
  const lower = code | 0x20;
  return (lower >= 0x61 && lower <= 0x7a) || code === 0x5f;
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
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
