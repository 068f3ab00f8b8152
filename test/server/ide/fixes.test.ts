/** Over thousands of programs with one mistake each: no quick fix adds an error to what it mends. Elsewhere it may show the next one, which was silent. */
import { expect, it } from 'vitest';
import { codeActions } from '../../../server/ide/codeActions.ts';
import { diagnostics } from '../../../server/ide/diagnostics/registry.ts';
import { reanalyze } from '../../../server/lang/analyze.ts';
import type { Analysis } from '../../../server/lang/api.ts';
import { applyEdits } from '../../../server/lang/text.ts';
import { analyzeSettled } from '../../../server/runs/langHost.ts';
import { long, seconds, seed } from '../../support/fuzz.ts';
import { mutants, mutantUri, mutationHost } from '../lang/mutants.ts';

/** Errors of the declaration at a place in the order of declarations. */
function errors(analysis: Analysis, home: number): number {
  const { start, end } = analysis.declarations[home]?.span ?? { start: 0, end: analysis.text.length };
  return diagnostics(analysis).filter(d => d.severity === 'error' && start <= d.span.start && d.span.start <= end)
    .length;
}

/** A quarter of them in `npm test`. */
const sampled = mutants(6 + seed).filter((_, i) => long || i % 4 === 0);

it('quick fixes of seeded mistakes', seconds(120), async () => {
  const worse: string[] = [];
  let tried = 0;
  for (const { kind, text } of sampled) {
    const analysis = await analyzeSettled(mutantUri, text, mutationHost);
    for (const { title, edits, diagnostic } of codeActions(
      analysis,
      { start: 0, end: text.length },
      k => k === 'quickfix',
    )) {
      const at = diagnostic!.span.start;
      const home = analysis.declarations.findIndex(({ span }) => span.start <= at && at <= span.end);
      const before = errors(analysis, home);
      const changed = applyEdits(text, edits);
      // What the changed program reads is known by then.
      await analyzeSettled(mutantUri, changed, mutationHost);
      const after = errors(reanalyze(analysis, changed), home);
      tried++;
      if (after > before) worse.push(`${kind}: ${title}: ${before} -> ${after}\n${changed}`);
    }
  }
  expect(tried).toBeGreaterThan(100);
  expect(worse, worse.slice(0, 3).join('\n----\n')).toEqual([]);
});
