/** Text to tokens and back: characters, words, or byte pair encoding over characters; a tokenizer is its list of token texts, so that the list alone need be kept. */

import type { CallArgument } from '../ir/program.ts';
import { EngineError } from '../util/errors.ts';

export type TokenKind = 'characters' | 'words' | 'bpe';

/** Characters that pairs are learned from: enough for thousands of tokens, and learned in half a second, since the checker waits for it. */
export const LEARNED = 2 ** 19;

/** The argument `tokens` of a source. Throws `data-out-of-range`. */
export function kindOf(value: CallArgument): TokenKind {
  if (value === 'characters' || value === 'words' || value === 'bpe') return value;
  throw new EngineError(
    'data-out-of-range',
    `expected "characters", "words" or "bpe" for "tokens" of the source, found ${JSON.stringify(value)}`,
  );
}

export interface Tokenizer {
  /** Texts of the tokens by index. */
  readonly vocabulary: readonly string[];
  /** Indices of a text's tokens, or the first piece that no token covers and its offset. */
  readonly encode: (text: string) => Int32Array | { readonly strange: string; readonly at: number };
}

/** What stands for words that the vocabulary lacks. */
export const UNKNOWN = '<unknown>';

/** Words with inner apostrophes, runs of digits, line breaks, any other mark alone; blanks are dropped. */
const WORD = /\p{L}[\p{L}\p{M}]*(?:['’]\p{L}[\p{L}\p{M}]*)*|\p{N}+|\n|[^\s]/gu;

/** Pieces that pairs don't reach across: a word with the blank ahead of it, digits, marks, blanks. Together they are the text. */
const PIECE = / ?\p{L}[\p{L}\p{M}]*| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s/gu;

/**
 * Learns a vocabulary of at most `size` tokens from `text`; it holds every character of the text, unless it is one of words. Pairs are learned from
 * the first `learned` code units.
 */
export function learnVocabulary(kind: TokenKind, text: string, size: number, learned = text.length): readonly string[] {
  switch (kind) {
    case 'characters':
      return alphabetOf(text);
    case 'words':
      return frequentWords(text, size);
    case 'bpe':
      return mergedPairs(alphabetOf(text), text.slice(0, learned), size);
  }
}

export function createTokenizer(kind: TokenKind, vocabulary: readonly string[]): Tokenizer {
  const indices = new Map(vocabulary.map((token, index) => [token, index]));
  switch (kind) {
    case 'characters':
      return { vocabulary, encode: text => characters(text, indices) };
    case 'words':
      return { vocabulary, encode: text => Int32Array.from(text.match(WORD) ?? [], word => indices.get(word) ?? 0) };
    case 'bpe':
      return { vocabulary, encode: text => pieces(text, indices) };
  }
}

/** The distinct characters in the order of their code points. */
function alphabetOf(text: string): string[] {
  return [...new Set(text)].sort((a, b) => a.codePointAt(0)! - b.codePointAt(0)!);
}

function characters(text: string, indices: ReadonlyMap<string, number>): ReturnType<Tokenizer['encode']> {
  const tokens = new Int32Array(text.length);
  let [count, at] = [0, 0];
  for (const character of text) {
    const index = indices.get(character);
    if (index === undefined) return { strange: character, at };
    tokens[count++] = index;
    at += character.length;
  }
  return tokens.subarray(0, count);
}

/** The most frequent words, ties in alphabetical order, after the token for all others. */
function frequentWords(text: string, size: number): readonly string[] {
  const counts = countsOf(text.match(WORD) ?? []);
  const ordered = [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
  return [UNKNOWN, ...ordered.slice(0, Math.max(0, size - 1)).map(([word]) => word)];
}

function countsOf(texts: Iterable<string>): Map<string, number> {
  const counts = new Map<string, number>();
  for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1);
  return counts;
}

/** A distinct piece of the text, its tokens so far and how often it occurs. */
interface Piece {
  tokens: readonly string[];
  readonly count: number;
}

/**
 * The alphabet, then what the most frequent pair of neighbours makes, again and again (Sennrich, Haddow and Birch 2016); ties go to the text first in order.
 * Pairs that make the same text count together: encoding knows tokens by their text alone.
 */
function mergedPairs(alphabet: readonly string[], text: string, size: number): readonly string[] {
  const vocabulary = [...alphabet];
  const all = [...countsOf(text.match(PIECE) ?? [])].map(([piece, count]): Piece => ({ tokens: [...piece], count }));
  const counts = new Map<string, number>();
  const holders = new Map<string, Set<Piece>>();
  for (const piece of all) tally(piece, 1, counts, holders);
  while (vocabulary.length < size) {
    const best = mostFrequent(counts);
    if (best === undefined) break;
    vocabulary.push(best);
    for (const piece of [...(holders.get(best) ?? [])]) {
      tally(piece, -1, counts, holders);
      piece.tokens = merged(piece.tokens, best);
      tally(piece, 1, counts, holders);
    }
    counts.delete(best);
    holders.delete(best);
  }
  return vocabulary;
}

/** Adds (or takes away) what a piece's pairs count for. */
function tally(piece: Piece, sign: 1 | -1, counts: Map<string, number>, holders: Map<string, Set<Piece>>): void {
  const { tokens, count } = piece;
  for (let at = 1; at < tokens.length; at++) {
    const pair = tokens[at - 1]! + tokens[at]!;
    counts.set(pair, (counts.get(pair) ?? 0) + sign * count);
    if (sign > 0) holders.set(pair, (holders.get(pair) ?? new Set()).add(piece));
  }
}

function mostFrequent(counts: ReadonlyMap<string, number>): string | undefined {
  let best: string | undefined;
  let most = 1;
  for (const [pair, count] of counts) {
    if (count > most || (count === most && best !== undefined && pair < best)) [best, most] = [pair, count];
  }
  return best;
}

/** Neighbours that make `token` become it, from left to right. */
function merged(tokens: readonly string[], token: string): readonly string[] {
  const result: string[] = [];
  for (let at = 0; at < tokens.length; at++) {
    const pair = at + 1 < tokens.length ? tokens[at]! + tokens[at + 1]! : undefined;
    if (pair === token) at++;
    result.push(pair === token ? token : tokens[at]!);
  }
  return result;
}

function pieces(text: string, indices: ReadonlyMap<string, number>): ReturnType<Tokenizer['encode']> {
  const known = new Map<string, readonly number[]>();
  const tokens = new Int32Array(text.length);
  let count = 0;
  for (const { 0: piece, index: at } of text.matchAll(PIECE)) {
    const strange = known.has(piece) ? undefined : [...piece].find(character => !indices.has(character));
    if (strange !== undefined) return { strange, at: at + piece.indexOf(strange) };
    const encoded = known.get(piece) ?? encodePiece(piece, indices);
    known.set(piece, encoded);
    for (const token of encoded) tokens[count++] = token;
  }
  return tokens.subarray(0, count);
}

/** The pair whose token was learned first is merged first. */
function encodePiece(piece: string, indices: ReadonlyMap<string, number>): readonly number[] {
  let tokens: readonly string[] = [...piece];
  for (;;) {
    const ranks = tokens.slice(1).map((token, at) => indices.get(tokens[at]! + token) ?? Number.POSITIVE_INFINITY);
    const first = ranks.indexOf(Math.min(...ranks));
    if (first < 0 || ranks[first] === Number.POSITIVE_INFINITY) return tokens.map(token => indices.get(token)!);
    tokens = merged(tokens, tokens[first]! + tokens[first + 1]!);
  }
}
