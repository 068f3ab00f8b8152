/** Semantic tokens: kinds of names for colouring, encoded as LSP wants them, with deltas between two results. */
import type { Analysis, SemanticToken, Span, TokenType } from '../lang/api.ts';

/** Standard types, so that every theme has colours: a data set is a struct, a train block a namespace of its own run. */
export const tokenTypes = [
  'keyword',
  'type',
  'class',
  'struct',
  'function',
  'variable',
  'parameter',
  'property',
  'number',
  'string',
  'comment',
  'operator',
  'typeParameter',
] as const;
export const tokenModifiers = ['declaration', 'documentation', 'defaultLibrary', 'readonly'] as const;

const standardType: Readonly<Record<TokenType, (typeof tokenTypes)[number]>> = {
  keyword: 'keyword',
  type: 'type',
  model: 'class',
  dataset: 'struct',
  train: 'function',
  function: 'function',
  variable: 'variable',
  parameter: 'parameter',
  property: 'property',
  number: 'number',
  string: 'string',
  comment: 'comment',
  operator: 'operator',
  dimension: 'typeParameter',
};

/** A token on one line. */
export interface LineToken {
  readonly span: Span;
  readonly type: (typeof tokenTypes)[number];
  readonly modifiers: readonly string[];
}

/** Tokens of the file or of a part of it, none across lines. */
export function semanticTokens(analysis: Analysis, within?: Span): readonly LineToken[] {
  return analysis.tokens
    .filter(({ span }) => within === undefined || (span.end > within.start && span.start < within.end))
    .flatMap(token => split(analysis.text, token))
    .map(({ span, type, modifiers }) => ({ span, type: standardType[type], modifiers }));
}

/** Places a token in lines and columns, in whatever units the editor counts. */
export type Place = (span: Span) => { readonly line: number; readonly character: number; readonly length: number };

/** Five numbers a token: line and column relative to the one before, length, type, modifier bits. */
export function encodeTokens(tokens: readonly LineToken[], place: Place): readonly number[] {
  const data: number[] = [];
  let lastLine = 0;
  let lastCharacter = 0;
  for (const { span, type, modifiers } of tokens) {
    const { line, character, length } = place(span);
    const bits = modifiers.reduce(
      (sum, m) => sum | (1 << tokenModifiers.indexOf(m as (typeof tokenModifiers)[number])),
      0,
    );
    data.push(line - lastLine, line === lastLine ? character - lastCharacter : character);
    data.push(length, tokenTypes.indexOf(type), bits);
    lastLine = line;
    lastCharacter = character;
  }
  return data;
}

export interface TokensEdit {
  readonly start: number;
  readonly deleteCount: number;
  readonly data: readonly number[];
}

/** The one edit from `before` to `after`: what remains between their common beginning and end. */
export function tokensDelta(before: readonly number[], after: readonly number[]): readonly TokensEdit[] {
  const shorter = Math.min(before.length, after.length);
  let start = 0;
  while (start < shorter && before[start] === after[start]) start++;
  if (start === before.length && start === after.length) return [];
  let tail = 0;
  while (tail < shorter - start && before[before.length - 1 - tail] === after[after.length - 1 - tail]) tail++;
  return [{ start, deleteCount: before.length - start - tail, data: after.slice(start, after.length - tail) }];
}

function split(text: string, token: SemanticToken): readonly SemanticToken[] {
  const { start, end } = token.span;
  const content = text.slice(start, end);
  if (!/[\r\n]/.test(content)) return [token];
  return [...content.matchAll(/[^\r\n]+/g)].map(part => ({
    ...token,
    span: { start: start + part.index, end: start + part.index + part[0].length },
  }));
}
