/** Code lenses: Train and Resume above each train block, or why not; Fetch above data that is missing; the number of weights above each model. */
import { nameOfPath } from '../../engine/util/address.ts';
import type { Analysis, Span, TrainBlock } from '../lang/api.ts';
import { renderFact } from './diagnostics/registry.ts';
import { inEnglish, type Say } from './texts.ts';
import { unfetched } from './unfetched.ts';

export type Lens = { readonly span: Span } & (
  | { readonly kind: 'train'; readonly train: string; readonly runs: number }
  | {
      readonly kind: 'resume';
      readonly train: string;
      readonly folder: string;
      readonly step: number;
      readonly steps: number;
    }
  /** Of a data block whose addresses have not been fetched. */
  | { readonly kind: 'fetch'; readonly files: readonly string[] }
  | { readonly kind: 'note'; readonly title: string; readonly explanation: string }
);

/** A run of this file that stopped before its end. */
export interface ResumableRun {
  readonly folder: string;
  readonly name: string;
  readonly step: number;
  readonly steps: number;
}

export interface LensContext {
  /** Why nothing may be trained here (an untrusted workspace, an unsaved text); undefined if it may. */
  readonly refusal?: string;
  /** Newest first. */
  readonly resumable: readonly ResumableRun[];
  /** English unless given. */
  readonly say?: Say;
}

export function codeLenses(analysis: Analysis, context: LensContext): readonly Lens[] {
  const { say = inEnglish } = context;
  const trains = analysis.trains.flatMap(train => trainLenses(train, context));
  const models = analysis.declarations.flatMap((d): Lens[] => {
    const count = d.kind === 'model' ? analysis.parameterCount(d.name) : undefined;
    return count === undefined ? [] : [{ kind: 'note', span: d.nameSpan, title: weights(count, say), explanation: '' }];
  });
  return [...models, ...fetches(analysis, context), ...trains].sort((a, b) => a.span.start - b.span.start);
}

/** Above a data block: the download of what it names by address. */
function fetches(analysis: Analysis, { refusal, say = inEnglish }: LensContext): readonly Lens[] {
  const missing = unfetched(analysis);
  return analysis.declarations.flatMap(({ kind, span, nameSpan }): Lens[] => {
    const own = missing.filter(each => span.start <= each.span.start && each.span.end <= span.end);
    if (kind !== 'data' || own.length === 0) return [];
    const files = own.map(({ path }) => nameOfPath(path).replace(/^.*\/(?=.)/, ''));
    if (refusal === undefined) return [{ kind: 'fetch', span: nameSpan, files }];
    return [{ kind: 'note', span: nameSpan, title: say('cantFetch', shorten(refusal)), explanation: refusal }];
  });
}

/** Why a train block can't be run: its first error in words. Undefined if it can. */
export function trainProblem(train: TrainBlock, say: Say = inEnglish): string | undefined {
  const { errors, firstError } = train;
  if (errors === 0) return undefined;
  if (firstError === undefined) return say('hasErrors');
  const { message } = renderFact(firstError);
  return errors === 1 ? say('error', message) : say('errors', errors, message);
}

function trainLenses(train: TrainBlock, { refusal, resumable, say = inEnglish }: LensContext): readonly Lens[] {
  const span = train.nameSpan;
  const reason = refusal ?? trainProblem(train, say);
  if (reason !== undefined)
    return [{ kind: 'note', span, title: say('cantTrain', shorten(reason)), explanation: reason }];
  const run = resumable.find(r => r.name === train.name);
  const lens: Lens = { kind: 'train', span, train: train.name, runs: train.runs };
  return run === undefined
    ? [lens]
    : [lens, { kind: 'resume', span, train: train.name, folder: run.folder, step: run.step, steps: run.steps }];
}

function weights(count: number, say: Say): string {
  return say(count === 1 ? 'weight' : 'weights', count.toLocaleString('en'));
}

/** A lens is one line among the code. */
function shorten(text: string): string {
  return text.length <= 100 ? text : `${text.slice(0, 99)}…`;
}
