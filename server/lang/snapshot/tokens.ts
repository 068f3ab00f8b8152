/** Semantic tokens: what every word of the file is, from the tokens and the references of the checks. */
import type { SemanticToken, SymbolKind, TokenType } from '../api.ts';
import type { Reference } from '../check/records.ts';
import { declarationKeywords } from '../syntax/cursor.ts';
import type { Token } from '../syntax/lexer.ts';
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
const typeWords: ReadonlySet<string> = new Set(['int', 'float', 'bool', 'string', 'index']);

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
    placed.chunk.tokens.flatMap(t => tokenOf(t, placed.offset, references.get(placed)?.get(t.start))),
  );
}

function tokenOf(t: Token, offset: number, reference: Reference | undefined): readonly SemanticToken[] {
  const span = { start: t.start + offset, end: t.end + offset };
  if (t.kind === 'comment') return [{ span, type: 'comment', modifiers: [] }];
  if (t.kind === 'doc') return [{ span, type: 'comment', modifiers: ['documentation'] }];
  if (t.kind === 'number') return [{ span, type: 'number', modifiers: [] }];
  if (t.kind === 'string') return [{ span, type: 'string', modifiers: [] }];
  if (t.kind === 'name') return [{ span, ...nameToken(t.text, reference) }];
  return t.text === '|>' || t.text === '->' ? [{ span, type: 'operator', modifiers: [] }] : [];
}

function nameToken(text: string, reference: Reference | undefined): Omit<SemanticToken, 'span'> {
  if (reference === undefined)
    return { type: words.has(text) ? 'keyword' : typeWords.has(text) ? 'type' : 'variable', modifiers: [] };
  const modifiers: SemanticToken['modifiers'][number][] = [];
  if (reference.definition) modifiers.push('declaration');
  if (reference.kind === 'library') modifiers.push('defaultLibrary');
  if (reference.kind === 'const') modifiers.push('readonly');
  return { type: typeOf[reference.kind], modifiers };
}
