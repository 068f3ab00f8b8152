/** Definition, references and highlights of the name at a place, within a file and across files. */
import type { Analysis, Location, NameInfo, Span } from '../lang/api.ts';

/** Where the name at `offset` is declared; undefined for what is built in. */
export function definition(
  analysis: Analysis,
  offset: number,
): { readonly from: Span; readonly to: Location } | undefined {
  const symbol = analysis.symbol(offset);
  return symbol?.definition === undefined ? undefined : { from: symbol.span, to: symbol.definition };
}

/** Spans of the name in its own file: the definition first if it lies there. */
export function highlights(
  analysis: Analysis,
  offset: number,
): readonly { readonly span: Span; readonly written: boolean }[] {
  const symbol = analysis.symbol(offset);
  if (symbol === undefined) return [];
  return analysis.references(symbol).map(span => ({ span, written: isDefinition(symbol, analysis.uri, span) }));
}

/** All places of the name at `offset` in `files`, which hold `analysis` itself; the declaration included on request. */
export function references(
  analysis: Analysis,
  offset: number,
  files: Iterable<Analysis>,
  withDeclaration: boolean,
): readonly Location[] {
  const symbol = analysis.symbol(offset);
  if (symbol === undefined) return [];
  const found: Location[] = [];
  for (const file of files) found.push(...file.references(symbol).map(span => ({ uri: file.uri, ...span })));
  return withDeclaration ? found : found.filter(place => !isDefinition(symbol, place.uri, place));
}

function isDefinition(symbol: NameInfo, uri: string, span: Span): boolean {
  const { definition } = symbol;
  return definition?.uri === uri && definition.start === span.start && definition.end === span.end;
}
