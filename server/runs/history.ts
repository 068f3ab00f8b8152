/** Turns the events of a run into what views need: a summary line, and columns for charts with long histories thinned out. */
import type { RunEvent, RunState, StepEvent } from '../../engine/train/events.ts';
import type { RunHistory, RunSummary } from './runs.ts';

/** What a summary needs beside the events. */
export interface RunIdentity {
  readonly id: string;
  readonly folder: string;
  readonly name: string;
  readonly source: string;
  /** The hyperparameters of one run of a sweep: `rate=0.1 width=64`. */
  readonly choice?: string;
  /** Milliseconds since the epoch. */
  readonly started: number;
}

/** `live`: an engine answers for it. A run without one that never said how it ended has died. */
export function summarize(
  identity: RunIdentity,
  events: readonly RunEvent[],
  live: boolean,
  resumable: boolean,
): RunSummary {
  const start = events.findLast(e => e.type === 'start');
  const step = events.findLast(e => e.type === 'step');
  const progress = events.findLast(e => e.type === 'step' || e.type === 'epoch' || e.type === 'done');
  const epoch = progress?.epoch ?? 0;
  const state = stateOf(events, live);
  return {
    ...identity,
    state,
    step: progress?.step ?? start?.fromStep ?? 0,
    steps: start?.steps ?? 0,
    epoch,
    ...(step === undefined ? {} : { loss: step.loss }),
    resumable: resumable && !live && state !== 'finished',
  };
}

function stateOf(events: readonly RunEvent[], live: boolean): RunState {
  const last = events.findLast(e => e.type === 'state' || e.type === 'done' || e.type === 'start');
  if (last?.type === 'done')
    return last.reason === 'failed' ? 'failed' : last.reason === 'stopped' ? 'stopped' : 'finished';
  if (!live) return 'died';
  return last === undefined ? 'starting' : last.type === 'state' ? last.state : 'running';
}

/** The most points a chart gets; above it each bucket keeps its first, last, least and greatest loss. */
export const maxHistoryPoints = 20_000;

/** Everything but the steps as it was said, the steps as columns. */
export function historyOf(summary: RunSummary, events: readonly RunEvent[]): RunHistory {
  const steps = thin(
    events.filter(e => e.type === 'step'),
    maxHistoryPoints,
  );
  const names = new Set(steps.flatMap(s => Object.keys(s.metrics)));
  return {
    summary,
    events: events.filter(e => e.type !== 'step'),
    steps: {
      step: steps.map(s => s.step),
      loss: steps.map(s => s.loss),
      lr: steps.map(s => s.lr),
      metrics: Object.fromEntries([...names].map(name => [name, steps.map(s => s.metrics[name] ?? Number.NaN)])),
    },
  };
}

/** At most `most` steps, in order: extremes survive, so a spike stays visible. */
export function thin(steps: readonly StepEvent[], most: number): readonly StepEvent[] {
  if (steps.length <= most) return steps;
  const buckets = Math.floor(most / 4);
  const kept: StepEvent[] = [];
  for (let bucket = 0; bucket < buckets; bucket++) {
    const from = Math.floor((bucket * steps.length) / buckets);
    const to = Math.floor(((bucket + 1) * steps.length) / buckets);
    kept.push(...corners(steps, from, to));
  }
  return kept;
}

/** First, last, least and greatest of steps[from..to), in order, each once. */
function corners(steps: readonly StepEvent[], from: number, to: number): readonly StepEvent[] {
  let least = from;
  let greatest = from;
  for (let i = from; i < to; i++) {
    if (steps[i]!.loss < steps[least]!.loss) least = i;
    if (steps[i]!.loss > steps[greatest]!.loss) greatest = i;
  }
  return [...new Set([from, least, greatest, to - 1])].sort((a, b) => a - b).map(i => steps[i]!);
}
