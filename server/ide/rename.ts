/** Rename: refuses what is built in or would not be a name, and finds every use in every file. */
import type { Analysis, Span, TextEdit } from '../lang/api.ts';
import { references } from './navigation.ts';

export type RenameResult =
  | { readonly kind: 'edits'; readonly files: ReadonlyMap<string, readonly TextEdit[]> }
  | { readonly kind: 'refused'; readonly reason: string };

export type PrepareResult =
  | { readonly kind: 'name'; readonly span: Span; readonly name: string }
  | { readonly kind: 'refused'; readonly reason: string };

const fixedKinds = {
  library: 'built in',
  setting: 'a setting',
  field: 'named by the data file',
  import: 'an import',
} as const;

/** The name to rename at `offset`, or why there is none. */
export function prepareRename(analysis: Analysis, offset: number): PrepareResult {
  const symbol = analysis.symbol(offset);
  if (symbol === undefined) return { kind: 'refused', reason: 'nothing here has a name to change' };
  const fixed = symbol.kind in fixedKinds ? fixedKinds[symbol.kind as keyof typeof fixedKinds] : undefined;
  if (symbol.definition === undefined || (fixed !== undefined && symbol.kind !== 'field')) {
    return { kind: 'refused', reason: `${symbol.name} is ${fixed ?? 'built in'} and keeps its name` };
  }
  return { kind: 'name', span: symbol.span, name: symbol.name };
}

/** Edits that rename the symbol at `offset` in all `files`. */
export function rename(analysis: Analysis, offset: number, name: string, files: Iterable<Analysis>): RenameResult {
  const prepared = prepareRename(analysis, offset);
  if (prepared.kind === 'refused') return prepared;
  const symbol = analysis.symbol(offset);
  const reason = symbol?.kind === 'dimension' ? dimensionProblem(name) : nameProblem(name);
  if (reason !== undefined) return { kind: 'refused', reason };
  const edits = new Map<string, TextEdit[]>();
  for (const { uri, start, end } of references(analysis, offset, files, true)) {
    const list = edits.get(uri) ?? [];
    list.push({ span: { start, end }, text: name });
    edits.set(uri, list);
  }
  return { kind: 'edits', files: edits };
}

const reserved = new Set([
  'import',
  'const',
  'data',
  'model',
  'train',
  'repeat',
  'if',
  'else',
  'true',
  'false',
  'using',
  'over',
]);

function nameProblem(name: string): string | undefined {
  if (!/^[A-Za-z_]\w*$/.test(name)) return 'expected a name of letters, digits and _, not starting with a digit';
  return reserved.has(name) ? `${name} is a word of the language` : undefined;
}

function dimensionProblem(name: string): string | undefined {
  return /^[A-Z]\w*$/.test(name)
    ? undefined
    : 'expected a name that starts with an upper-case letter, as dimensions do';
}
