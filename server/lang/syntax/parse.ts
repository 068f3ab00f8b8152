/** Text to trees: the file is cut into chunks of whole declarations, and a chunk whose text is unchanged keeps its tree. */
import { never } from '../../../engine/util/errors.ts';
import type { DeclarationNode, Header } from './ast.ts';
import { Cursor, maxNesting, type SyntaxProblem } from './cursor.ts';
import { declarations, header } from './declarations.ts';
import { lex } from './lexer.ts';

/** Larger documents are not analysed. */
export const maxBytes = 4_000_000;
export const maxTokens = 400_000;

/** A run of lines from one declaration keyword in the first column to the next, with the comments above it. Offsets are relative to it. */
export interface Chunk {
  readonly text: string;
  /** Number of tokens, trivia included. They are cheap to make again and heavier than the tree, so that they are not kept. */
  readonly tokens: number;
  readonly declarations: readonly DeclarationNode[];
  readonly problems: readonly SyntaxProblem[];
  readonly limit?: { readonly what: 'nesting'; readonly limit: number };
}

export interface PlacedChunk {
  readonly chunk: Chunk;
  /** Offset of the chunk in the file. */
  readonly offset: number;
}

export interface Tree {
  readonly chunks: readonly PlacedChunk[];
  readonly limit?: { readonly what: 'bytes' | 'tokens'; readonly limit: number };
}

/** The tree of `text`, sharing the chunks it has in common with `previous`. */
export function parse(text: string, previous?: Tree): Tree {
  if (text.length > maxBytes) return { chunks: [], limit: { what: 'bytes', limit: maxBytes } };
  const known = new Map(previous?.chunks.map(({ chunk }) => [chunk.text, chunk]));
  const chunks: PlacedChunk[] = [];
  let tokens = 0;
  for (const [start, end] of chunkBounds(text)) {
    const part = text.slice(start, end);
    const chunk = known.get(part) ?? parseChunk(copyOf(part));
    tokens += chunk.tokens;
    if (tokens > maxTokens) return { chunks, limit: { what: 'tokens', limit: maxTokens } };
    known.set(chunk.text, chunk);
    chunks.push({ chunk, offset: start });
  }
  return { chunks };
}

/** A slice keeps alive all of the text it was cut from, and chunks outlive the versions of a file. */
function copyOf(slice: string): string {
  return ` ${slice}`.slice(1);
}

export function parseChunk(text: string): Chunk {
  const tokens = lex(text);
  const cursor = new Cursor(tokens, text.length);
  const parsed = declarations(cursor);
  return {
    text,
    tokens: tokens.length,
    declarations: parsed,
    problems: cursor.problems,
    ...(cursor.overNested && { limit: { what: 'nesting', limit: maxNesting } as const }),
  };
}

/** A library signature; it is ours, so a problem in it is a bug. */
export function parseSignature(text: string): Header {
  const cursor = new Cursor(lex(text), text.length);
  const parsed = header(cursor);
  if (cursor.problems.length > 0 || !cursor.atEnd) throw never(`malformed signature ${text}`, cursor.problems);
  return parsed;
}

const keywordLine = /^(?:import|const|data|model|train)\b/gm;

/** Cuts before each declaration keyword in the first column, above the comment lines that lead up to it. */
function chunkBounds(text: string): readonly (readonly [number, number])[] {
  const cuts: number[] = [0];
  for (const match of text.matchAll(keywordLine)) {
    const cut = aboveComments(text, match.index);
    if (cut > cuts.at(-1)!) cuts.push(cut);
  }
  return cuts.map((cut, i) => [cut, cuts[i + 1] ?? text.length] as const).filter(([start, end]) => end > start);
}

function aboveComments(text: string, lineStart: number): number {
  let at = lineStart;
  // A line that starts at 1 has an empty one above, and `lastIndexOf` takes the -1 before it for 0, for ever.
  while (at > 1) {
    const previous = text.lastIndexOf('\n', at - 2) + 1;
    if (!text.startsWith('//', previous)) break;
    at = previous;
  }
  return at;
}
