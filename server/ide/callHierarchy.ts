/** Call hierarchy: which models and train blocks build on a model, and which models it is built of. */
import type { Analysis, Declaration, Location, Span } from '../lang/api.ts';

export interface CallItem {
  readonly name: string;
  readonly kind: 'model' | 'train';
  readonly detail: string;
  readonly uri: string;
  readonly span: Span;
  readonly nameSpan: Span;
}

export interface Call {
  readonly item: CallItem;
  /** Where, in the file of the caller. */
  readonly places: readonly Span[];
}

/** The model or train block named at `offset`; `files` hold the declarations it may lie in. */
export function callItem(analysis: Analysis, offset: number, files: readonly Analysis[]): CallItem | undefined {
  const symbol = analysis.symbol(offset);
  if (symbol?.definition === undefined || (symbol.kind !== 'model' && symbol.kind !== 'train')) return undefined;
  return itemAt(symbol.definition, files);
}

/** Callers of an item of `home` among `files`, each with the places of its calls. */
export function incomingCalls(item: CallItem, home: Analysis, files: Iterable<Analysis>): readonly Call[] {
  const symbol = home.symbol(item.nameSpan.start);
  if (symbol === undefined) return [];
  const calls: Call[] = [];
  for (const file of files) {
    const uses = file.references(symbol).filter(use => !(file.uri === item.uri && same(use, item.nameSpan)));
    for (const caller of callables(file)) {
      const places = uses.filter(use => inside(use, caller.span));
      if (places.length > 0) calls.push({ item: toItem(file, caller), places });
    }
  }
  return calls;
}

/** Models that an item of `home` calls, in order of their first call; `files` hold those that it imports. */
export function outgoingCalls(item: CallItem, home: Analysis, files: readonly Analysis[]): readonly Call[] {
  const calls = new Map<string, { readonly item: CallItem; readonly places: Span[] }>();
  for (const { span, type } of home.tokens) {
    if (type !== 'model' || !inside(span, item.span) || same(span, item.nameSpan)) continue;
    const target = home.symbol(span.start)?.definition;
    const callee = target === undefined ? undefined : itemAt(target, files);
    if (callee === undefined) continue;
    const key = `${callee.uri}#${callee.nameSpan.start}`;
    const call = calls.get(key) ?? { item: callee, places: [] };
    call.places.push(span);
    calls.set(key, call);
  }
  return [...calls.values()];
}

function itemAt({ uri, start, end }: Location, files: readonly Analysis[]): CallItem | undefined {
  const file = files.find(f => f.uri === uri);
  const declaration = file && callables(file).find(d => same(d.nameSpan, { start, end }));
  return file && declaration && toItem(file, declaration);
}

function callables(file: Analysis): readonly Declaration[] {
  return file.declarations.filter(d => d.kind === 'model' || d.kind === 'train');
}

function toItem(file: Analysis, { name, kind, detail, span, nameSpan }: Declaration): CallItem {
  return { name, kind: kind === 'train' ? 'train' : 'model', detail, uri: file.uri, span, nameSpan };
}

const inside = (inner: Span, outer: Span): boolean => outer.start <= inner.start && inner.end <= outer.end;
const same = (a: Span, b: Span): boolean => a.start === b.start && a.end === b.end;
