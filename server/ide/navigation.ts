/** Definition, declaration, type, references and highlights of the name at a place, within a file and across files. */
import { snapshotOf } from '../lang/analyze.ts';
import type { Analysis, Location, NameInfo, Span } from '../lang/api.ts';

import { locate, partAt, parts } from '../lang/snapshot/snapshot.ts';
import { touches } from '../lang/text.ts';

export interface Jump {
  readonly from: Span;
  readonly to: Location;
}

/** Where the name at `offset` is defined; undefined for what is built in. */
export function definition(analysis: Analysis, offset: number): Jump | undefined {
  const symbol = analysis.symbol(offset);
  return symbol?.definition === undefined ? undefined : { from: symbol.span, to: symbol.definition };
}

/** Where this file says the name: of what is imported the import, else the definition. */
export function declaration(analysis: Analysis, offset: number): Jump | undefined {
  const symbol = analysis.symbol(offset);
  if (symbol?.definition === undefined) return undefined;
  if (symbol.definition.uri === analysis.uri) return { from: symbol.span, to: symbol.definition };
  const snapshot = snapshotOf(analysis);
  for (const { entry, offset: at } of snapshot ? parts(snapshot) : []) {
    const name = entry.node.kind === 'import' ? entry.node.names.find(n => n.name === symbol.name) : undefined;
    if (name) return { from: symbol.span, to: { uri: analysis.uri, start: name.start + at, end: name.end + at } };
  }
  return { from: symbol.span, to: symbol.definition };
}

/** Where the model of a layer is, or the data block of a field: what made the thing that the name stands for. */
export function typeDefinition(analysis: Analysis, offset: number): Jump | undefined {
  const snapshot = snapshotOf(analysis);
  const found = snapshot && partAt(snapshot, offset);
  const reference = found?.part.checked.sheet.references.find(r => touches(r.span, found.at));
  if (!snapshot || !found || !reference) return undefined;
  const { part } = found;
  const from = { start: reference.span.start + part.offset, end: reference.span.end + part.offset };
  const { node } = part.entry;
  if (reference.kind === 'field' && node.kind === 'train') {
    const data = snapshot.world.lookup(node.on.name);
    const to = data && locate(snapshot, data.target, part);
    return to && { from, to };
  }
  const { target } = reference;
  const binding = part.checked.sheet.bindings.find(
    b => target?.kind === 'local' && b.span.start === target.span.start && b.name === reference.name,
  );
  const model = binding?.meaning.kind === 'layer' ? binding.meaning.callee.model : undefined;
  const to = model && locate(snapshot, { kind: 'global', uri: model.uri, name: model.node.name.name }, part);
  return to && { from, to };
}

/** All places of a name that one declaration alone knows, to be edited as one; none for what others may use. */
export function linkedEditing(analysis: Analysis, offset: number): readonly Span[] {
  const symbol = analysis.symbol(offset);
  const local = symbol && (symbol.kind === 'binding' || symbol.kind === 'parameter' || symbol.kind === 'dimension');
  return local && symbol.definition?.uri === analysis.uri ? analysis.references(symbol) : [];
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
