/** Outline of a file and search over the names of a workspace. */
import type { Analysis, DeclarationKind, OutlineItem, Span } from '../lang/api.ts';
import type { DeclaredFile } from './declared.ts';

export interface SymbolNode {
  readonly name: string;
  readonly detail: string;
  readonly kind: DeclarationKind | OutlineItem['kind'];
  readonly span: Span;
  readonly nameSpan: Span;
  readonly children: readonly SymbolNode[];
}

/** Declarations with their bindings, parameters and settings. Nothing without a name: an outline can't show it. */
export function documentSymbols(analysis: Analysis): readonly SymbolNode[] {
  return analysis.declarations
    .filter(d => d.name !== '')
    .map(d => ({
      name: d.name,
      detail: d.detail,
      kind: d.kind,
      span: d.span,
      nameSpan: d.nameSpan,
      children: d.children.filter(c => c.name !== '').map(c => ({ ...c, children: [] })),
    }));
}

export interface WorkspaceSymbol {
  readonly name: string;
  readonly kind: DeclarationKind;
  readonly uri: string;
  readonly span: Span;
}

/** Declarations whose names hold the letters of `query` in order, as editors match. Best first, at most `limit`. */
export function workspaceSymbols(
  files: readonly DeclaredFile[],
  query: string,
  limit = 200,
): readonly WorkspaceSymbol[] {
  const wanted = query.toLowerCase();
  return files
    .flatMap(({ uri, declared }) =>
      declared.map(({ name, kind, nameSpan }) => ({
        symbol: { name, kind, uri, span: nameSpan },
        score: score(name.toLowerCase(), wanted),
      })),
    )
    .filter(s => s.score >= 0)
    .sort((a, b) => a.score - b.score || (a.symbol.name < b.symbol.name ? -1 : 1))
    .slice(0, limit)
    .map(s => s.symbol);
}

/** 0 equal, 1 prefix, 2 within, 3 letters in order, -1 no match. */
function score(name: string, wanted: string): number {
  if (name === wanted) return 0;
  if (name.startsWith(wanted)) return 1;
  if (name.includes(wanted)) return 2;
  let at = 0;
  for (const letter of wanted) {
    at = name.indexOf(letter, at) + 1;
    if (at === 0) return -1;
  }
  return 3;
}
