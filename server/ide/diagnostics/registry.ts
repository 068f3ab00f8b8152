/** All diagnostic codes, and how a fact becomes what an editor or terminal shows. */
import type { Analysis, DiagnosticFact, FactCode, Location, Related, Span } from '../../lang/api.ts';
import { type Severity, severityOf } from '../../lang/facts.ts';
import { batchAxis } from './batchAxis.ts';
import { batchOfOne } from './batchOfOne.ts';
import { batchTooLarge } from './batchTooLarge.ts';
import { broadcastTarget } from './broadcastTarget.ts';
import { classMismatch } from './classMismatch.ts';
import { dataMalformed } from './dataMalformed.ts';
import { dataMissing } from './dataMissing.ts';
import { duplicateName } from './duplicateName.ts';
import { habit } from './habits.ts';
import { invalidImport } from './invalidImport.ts';
import { layerReuse } from './layerReuse.ts';
import { limitExceeded } from './limitExceeded.ts';
import { misplacedTransform } from './misplacedTransform.ts';
import { missingArgument } from './missingArgument.ts';
import { missingStatement } from './missingStatement.ts';
import { modelWithoutResult } from './modelWithoutResult.ts';
import { noGradient } from './noGradient.ts';
import { notAValue } from './notAValue.ts';
import { notCallable } from './notCallable.ts';
import { notConstant } from './notConstant.ts';
import { opposingObjectives } from './opposingObjectives.ts';
import { recursiveModel } from './recursiveModel.ts';
import { requirementFailed } from './requirementFailed.ts';
import type { Fix, Rule, Rules } from './rule.ts';
import { shapeMismatch } from './shapeMismatch.ts';
import { softmaxBeforeCrossEntropy } from './softmaxBeforeCrossEntropy.ts';
import { splitOutOfRange } from './splitOutOfRange.ts';
import { syntaxError } from './syntaxError.ts';
import { tooManyArguments } from './tooManyArguments.ts';
import { typeMismatch } from './typeMismatch.ts';
import { unknownArgument } from './unknownArgument.ts';
import { unknownName } from './unknownName.ts';
import { unsharedWeights } from './unsharedWeights.ts';
import { unsupported } from './unsupported.ts';
import { untrainedLayer } from './untrainedLayer.ts';
import { unusedBinding } from './unusedBinding.ts';
import { valueOutOfRange } from './valueOutOfRange.ts';

export const rules: Rules = {
  'syntax-error': syntaxError,
  'limit-exceeded': limitExceeded,
  'unknown-name': unknownName,
  'duplicate-name': duplicateName,
  'shape-mismatch': shapeMismatch,
  'class-mismatch': classMismatch,
  'type-mismatch': typeMismatch,
  'missing-argument': missingArgument,
  'unknown-argument': unknownArgument,
  'too-many-arguments': tooManyArguments,
  'value-out-of-range': valueOutOfRange,
  'not-callable': notCallable,
  'not-a-value': notAValue,
  'requirement-failed': requirementFailed,
  'not-constant': notConstant,
  'layer-reuse': layerReuse,
  'recursive-model': recursiveModel,
  'model-without-result': modelWithoutResult,
  'data-missing': dataMissing,
  'data-malformed': dataMalformed,
  'batch-too-large': batchTooLarge,
  'split-out-of-range': splitOutOfRange,
  'misplaced-transform': misplacedTransform,
  'missing-statement': missingStatement,
  'invalid-import': invalidImport,
  unsupported,
  'softmax-before-cross-entropy': softmaxBeforeCrossEntropy,
  'unused-binding': unusedBinding,
  'unshared-weights': unsharedWeights,
  'broadcast-target': broadcastTarget,
  'batch-axis': batchAxis,
  'batch-of-one': batchOfOne,
  'no-gradient': noGradient,
  'untrained-layer': untrainedLayer,
  'opposing-objectives': opposingObjectives,
};

export type { Severity } from '../../lang/facts.ts';

/** A diagnostic in words. */
export interface Diagnostic {
  readonly code: FactCode;
  readonly severity: Severity;
  readonly span: Span;
  /** One sentence. */
  readonly message: string;
  /** How to mend it. */
  readonly help?: string;
  readonly related: readonly { readonly location: Location; readonly message: string }[];
  readonly fixes: readonly Fix[];
  readonly unnecessary: boolean;
}

/** The words, fixes and related places of one fact. */
export function renderFact(fact: DiagnosticFact): Diagnostic {
  const help = helpOf(fact);
  return {
    code: fact.code,
    severity: severityOf(fact.code),
    span: fact.span,
    message: withRule(fact, (rule, data) => rule.message(data)),
    ...(help === undefined ? {} : { help }),
    related: fact.related.map(r => ({ location: r.location, message: relatedMessage(r) })),
    fixes: fixesOf(fact),
    unnecessary: rules[fact.code].unnecessary ?? false,
  };
}

/** All diagnostics of a file, in order of position. */
export function diagnostics(analysis: Analysis): readonly Diagnostic[] {
  return analysis.facts
    .map(fact => withHabit(fact, analysis.text))
    .sort((a, b) => a.span.start - b.span.start || a.span.end - b.span.end);
}

/** Where the text looks like another language's, how Strata says it comes first. */
function withHabit(fact: DiagnosticFact, text: string): Diagnostic {
  const rendered = renderFact(fact);
  const meant = habit(fact, text);
  return meant ? { ...rendered, help: meant.help, fixes: [...meant.fixes, ...rendered.fixes] } : rendered;
}

function helpOf(fact: DiagnosticFact): string | undefined {
  return withRule(fact, (rule, data) => rule.help?.(data));
}

function fixesOf(fact: DiagnosticFact): readonly Fix[] {
  const others = withRule(fact, (rule, data) => rule.fixes?.(data, fact.span)) ?? [];
  if (fact.fix === undefined) return others;
  const title = withRule(fact, (rule, data) => rule.fixTitle?.(data)) ?? 'fix this';
  return [{ title, edits: fact.fix, certain: true }, ...others.filter(other => other.title !== title)];
}

/** The union of facts and the table of rules share their keys, which TypeScript can't follow through an index; this is the one place that says so. */
function withRule<R>(fact: DiagnosticFact, use: (rule: Rule<FactCode>, data: DiagnosticFact['data']) => R): R {
  return use(rules[fact.code] as unknown as Rule<FactCode>, fact.data);
}

function relatedMessage({ role, text }: Related): string {
  switch (role) {
    case 'first':
      return `${text} is here for the first time`;
    case 'declaration':
      return `${text} is declared here`;
    case 'size':
      return `${text} comes from here`;
    case 'requirement':
      return `${text} is required here`;
    case 'value':
      return `this is ${text}`;
  }
}
