/** Semantic tokens: what every word of the file is, from the tokens and the references of the checks. */
import type { SemanticToken, SymbolKind, TokenType } from '../api.ts';
import type { Reference } from '../check/records.ts';
import { declarationKeywords } from '../syntax/cursor.ts';
import { lex, type Token } from '../syntax/lexer.ts';
import type { PlacedChunk } from '../syntax/parse.ts';
import { parts, type Snapshot } from './snapshot.ts';

const words: ReadonlySet<string> = new Set([
  ...declarationKeywords,
  'on',
  'over',
  'using',
  'from',
  'where',
  'in',
  'repeat',
  'if',
  'else',
  'scan',
  'true',
  'false',
]);
const typeWords: ReadonlySet<string> = new Set(['int', 'float', 'bool', 'string', 'index', 'layer']);

const typeOf: Readonly<Record<SymbolKind, TokenType>> = {
  model: 'model',
  data: 'dataset',
  train: 'train',
  const: 'variable',
  import: 'model',
  binding: 'variable',
  parameter: 'parameter',
  dimension: 'dimension',
  field: 'property',
  library: 'function',
  setting: 'keyword',
};

export function semanticTokens(snapshot: Snapshot): readonly SemanticToken[] {
  const references = new Map<PlacedChunk, Map<number, Reference>>();
  for (const { entry, checked } of parts(snapshot)) {
    const known = references.get(entry.placed) ?? new Map<number, Reference>();
    for (const r of checked.sheet.references) known.set(r.span.start, r);
    references.set(entry.placed, known);
  }
  return snapshot.world.tree.chunks.flatMap(placed =>
    lex(placed.chunk.text).flatMap(t => tokenOf(t, placed.offset, references.get(placed)?.get(t.start))),
  );
}

type Modifiers = SemanticToken['modifiers'];

/** A file has tens of thousands of tokens, which share these lists. */
const plain: Modifiers = [];
const documentation: Modifiers = ['documentation'];
const declaration: Modifiers = ['declaration'];
const constant: Modifiers = ['readonly'];
const declaredConstant: Modifiers = ['declaration', 'readonly'];
const builtIn: Modifiers = ['defaultLibrary'];

function tokenOf(t: Token, offset: number, reference: Reference | undefined): readonly SemanticToken[] {
  const type = typeOfToken(t, reference);
  if (type === undefined) return [];
  const modifiers = t.kind === 'doc' ? documentation : t.kind === 'name' ? modifiersOf(reference) : plain;
  return [{ span: { start: t.start + offset, end: t.end + offset }, type, modifiers }];
}

function typeOfToken({ kind, text }: Token, reference: Reference | undefined): TokenType | undefined {
  if (kind === 'comment' || kind === 'doc') return 'comment';
  if (kind === 'number' || kind === 'string') return kind;
  if (kind !== 'name') return text === '|>' || text === '->' ? 'operator' : undefined;
  if (reference !== undefined) return typeOf[reference.kind];
  return words.has(text) ? 'keyword' : typeWords.has(text) ? 'type' : 'variable';
}

function modifiersOf(reference: Reference | undefined): Modifiers {
  if (reference?.kind === 'library') return builtIn;
  if (reference?.kind === 'const') return reference.definition ? declaredConstant : constant;
  return reference?.definition ? declaration : plain;
}
