/** All refactorings; what one proposes is offered only if the program that comes out of it has no new diagnostic. */
import { reanalyze } from '../../lang/analyze.ts';
import type { Analysis, Span } from '../../lang/api.ts';
import { applyEdits, shiftSpan } from '../../lang/text.ts';
import { annotateResult } from './annotate.ts';
import { extractModel } from './extractModel.ts';
import { inline } from './inline.ts';
import { nameStage } from './nameStage.ts';
import { bindingsToPipeline, pipelineToBindings } from './pipelines.ts';
import { type Proposal, type Refactoring, siteAt } from './site.ts';

const all: readonly Refactoring[] = [
  extractModel,
  nameStage,
  inline,
  pipelineToBindings,
  bindingsToPipeline,
  annotateResult,
];

/** With edits that count from the beginning of the file. */
export function refactorings(analysis: Analysis, range: Span): readonly Proposal[] {
  const site = siteAt(analysis, range);
  // A damaged declaration has no tree to rely on, and each binding of a data block is a field of its samples.
  const { node, placed } = site?.part.entry ?? {};
  if (!site || node?.kind === 'data' || placed!.chunk.problems.length > 0) return [];
  return all.flatMap(refactoring => {
    const found = refactoring(site);
    if (found === undefined) return [];
    const edits = found.edits.map(({ span, text }) => ({ span: shiftSpan(span, site.part.offset), text }));
    const proposal = { ...found, edits };
    return addsNothing(analysis, reanalyze(analysis, applyEdits(analysis.text, edits))) ? [proposal] : [];
  });
}

/** No code is reported more often than before. */
function addsNothing(before: Analysis, after: Analysis): boolean {
  const count = ({ facts }: Analysis, code: string) => facts.filter(f => f.code === code).length;
  return after.facts.every(({ code }) => count(after, code) <= count(before, code));
}
