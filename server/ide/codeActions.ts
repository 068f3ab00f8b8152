/** Code actions: the quick fixes of diagnostics and one action that applies all certain ones. */
import type { Analysis, Span, TextEdit } from '../lang/api.ts';
import { type Diagnostic, diagnostics } from './diagnostics/registry.ts';

export interface CodeAction {
  readonly title: string;
  readonly kind: 'quickfix' | 'source.fixAll.strata';
  readonly edits: readonly TextEdit[];
  /** The diagnostic it mends. */
  readonly diagnostic?: Diagnostic;
  /** The one to take without thinking. */
  readonly preferred: boolean;
}

/** Actions for a selection: the fixes of the diagnostics it touches, and "fix all" where two or more are certain. */
export function codeActions(analysis: Analysis, range: Span): readonly CodeAction[] {
  const touched = diagnostics(analysis).filter(d => d.span.start <= range.end && range.start <= d.span.end);
  const fixes = touched.flatMap(diagnostic =>
    diagnostic.fixes.map((fix, i) => ({
      title: fix.title,
      kind: 'quickfix' as const,
      edits: fix.edits,
      diagnostic,
      preferred: i === 0 && (fix.certain || diagnostic.fixes.length === 1),
    })),
  );
  const all = fixAll(analysis);
  return all === undefined ? fixes : [...fixes, all];
}

/** All certain fixes that don't get in each other's way, the earlier one winning. */
function fixAll(analysis: Analysis): CodeAction | undefined {
  const edits: TextEdit[] = [];
  let count = 0;
  for (const diagnostic of diagnostics(analysis)) {
    const fix = diagnostic.fixes.find(f => f.certain);
    if (fix === undefined || fix.edits.some(edit => edits.some(other => overlaps(edit.span, other.span)))) continue;
    edits.push(...fix.edits);
    count++;
  }
  if (count < 2) return undefined;
  return {
    title: `fix all ${count} problems with a certain fix`,
    kind: 'source.fixAll.strata',
    edits,
    preferred: false,
  };
}

function overlaps(a: Span, b: Span): boolean {
  return a.start < b.end && b.start < a.end ? true : a.start === b.start;
}
