/** Code actions: the quick fixes of diagnostics, one action that applies all certain ones, refactorings, and imports in order. */
import { reanalyze } from '../lang/analyze.ts';
import type { Analysis, Span, TextEdit } from '../lang/api.ts';
import { applyEdits } from '../lang/text.ts';
import { importables } from './autoImport.ts';
import type { DeclaredFile } from './declared.ts';
import { type Diagnostic, diagnostics } from './diagnostics/registry.ts';
import type { Fix } from './diagnostics/rule.ts';
import { organizeImports } from './refactor/imports.ts';
import { refactorings } from './refactor/refactorings.ts';

/** From the general to the special, as LSP names them. */
export const actionKinds = [
  'quickfix',
  'refactor.extract',
  'refactor.inline',
  'refactor.rewrite',
  'source.organizeImports',
  'source.fixAll.strata',
] as const;
export type ActionKind = (typeof actionKinds)[number];

export interface CodeAction {
  readonly title: string;
  readonly kind: ActionKind;
  readonly edits: readonly TextEdit[];
  /** What is done instead of edits. */
  readonly command?: 'fetch';
  /** The diagnostic it mends. */
  readonly diagnostic?: Diagnostic;
  /** The one to take without thinking. */
  readonly preferred: boolean;
}

/** Actions of the kinds that are `wanted`, for a selection. `others`: what other files declare, for imports. */
export function codeActions(
  analysis: Analysis,
  range: Span,
  wanted: (kind: ActionKind) => boolean = () => true,
  others: Iterable<DeclaredFile> = [],
): readonly CodeAction[] {
  const found: CodeAction[] = [];
  if (wanted('quickfix')) found.push(...quickFixes(analysis, range, others));
  if (wanted('refactor.extract') || wanted('refactor.inline') || wanted('refactor.rewrite'))
    found.push(...refactorings(analysis, range).map(proposal => ({ ...proposal, preferred: false })));
  if (wanted('source.organizeImports')) found.push(...importsInOrder(analysis));
  if (wanted('source.fixAll.strata')) found.push(...fixAll(analysis));
  return found.filter(action => wanted(action.kind));
}

/** The fixes of the diagnostics that the selection touches. */
function quickFixes(analysis: Analysis, range: Span, others: Iterable<DeclaredFile>): readonly CodeAction[] {
  const touched = diagnostics(analysis).filter(d => d.span.start <= range.end && range.start <= d.span.end);
  return touched.flatMap(diagnostic => [
    ...imports(analysis, diagnostic, others),
    ...helpful(analysis, diagnostic).map((fix, i) => ({
      title: fix.title,
      kind: 'quickfix' as const,
      edits: fix.edits,
      ...(fix.command && { command: fix.command }),
      diagnostic,
      preferred: i === 0 && (fix.certain || diagnostic.fixes.length === 1),
    })),
  ]);
}

/**
 * Without the guesses that would leave more errors in the declaration than there are; of several those that leave the fewest, since of two
 * names that could have been meant often one alone fits its place.
 */
function helpful(analysis: Analysis, { fixes, span }: Diagnostic): readonly Fix[] {
  if (fixes.every(fix => fix.certain) && fixes.length < 2) return fixes;
  const home = analysis.declarations.findIndex(d => d.span.start <= span.start && span.start <= d.span.end);
  const left = fixes.map(fix => errorsIn(reanalyze(analysis, applyEdits(analysis.text, fix.edits)), home));
  const most = Math.min(errorsIn(analysis, home), ...left);
  return fixes.filter((fix, i) => fix.certain || left[i]! <= most);
}

/** Errors of the declaration of that index; of the whole file where there is none. */
function errorsIn(analysis: Analysis, home: number): number {
  const { start, end } = analysis.declarations[home]?.span ?? { start: 0, end: analysis.text.length };
  return diagnostics(analysis).filter(d => d.severity === 'error' && start <= d.span.start && d.span.start <= end)
    .length;
}

/** A name that nothing here has may be a model of another file. */
function imports(analysis: Analysis, diagnostic: Diagnostic, others: Iterable<DeclaredFile>): readonly CodeAction[] {
  if (diagnostic.code !== 'unknown-name') return [];
  const name = analysis.text.slice(diagnostic.span.start, diagnostic.span.end);
  return importables(analysis, others, other => other === name).map(({ path, edit }) => ({
    title: `import ${name} from ${JSON.stringify(path)}`,
    kind: 'quickfix',
    edits: [edit],
    diagnostic,
    preferred: false,
  }));
}

function importsInOrder(analysis: Analysis): readonly CodeAction[] {
  const edits = organizeImports(analysis);
  return edits.length === 0
    ? []
    : [{ title: 'sort the imports', kind: 'source.organizeImports', edits, preferred: false }];
}

/** All certain fixes that don't get in each other's way, the earlier one winning. */
function fixAll(analysis: Analysis): readonly CodeAction[] {
  const edits: TextEdit[] = [];
  let count = 0;
  for (const diagnostic of diagnostics(analysis)) {
    const fix = diagnostic.fixes.find(f => f.certain);
    if (fix === undefined || fix.edits.some(edit => edits.some(other => overlaps(edit.span, other.span)))) continue;
    edits.push(...fix.edits);
    count++;
  }
  if (count < 2) return [];
  const title = `fix all ${count} problems with a certain fix`;
  return [{ title, kind: 'source.fixAll.strata', edits, preferred: false }];
}

function overlaps(a: Span, b: Span): boolean {
  return a.start < b.end && b.start < a.end ? true : a.start === b.start;
}
