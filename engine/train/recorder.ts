/** Turns rows of the metric ring into step events and the means of an epoch. */
import type { Metrics, StepEvent } from './events.ts';
import { metricsOf } from './metrics.ts';
import { passOf, type StepLayout } from './step.ts';

export interface Recorder {
  /** Steps whose metrics have been taken in. */
  readonly recorded: number;
  /** Sums over the samples of the epoch under way, by column of `layout.sums`, and their number: what a checkpoint keeps. */
  readonly sums: readonly number[];
  readonly summed: number;
  /** Takes in rows [count, columns] of the steps after `recorded`; `time` is when the last of them was done. */
  record(rows: Float32Array, time: number): StepEvent[];
  /** Means over the training samples seen in this epoch. */
  means(): Metrics;
  /** Starts the next epoch. */
  reset(): void;
}

/**
 * Step events of a whole run: of longer ones only every n-th step is told, by its number, so that a resumed run tells the same ones. All steps are
 * in the means.
 */
const MOST_EVENTS = 200_000;

/** Where a resumed run goes on. */
export interface RecorderStart {
  readonly step: number;
  readonly sums: readonly number[];
  readonly summed: number;
}

/** A recorder for the columns of `layout`, whose first is the loss, and whose last are the learning rates and the loss scale. */
export function createRecorder(layout: StepLayout, start: RecorderStart): Recorder {
  const columns = layout.ring.columns;
  const metricCount = layout.sums.columns.length;
  const pass = passOf(layout, 'train');
  const sums = layout.sums.columns.map((_, at) => start.sums[at] ?? 0);
  let recorded = start.step;
  let summed = start.summed;
  let last = Date.now();
  const stride = Math.ceil(layout.steps / MOST_EVENTS);
  const add = (row: Float32Array): void => {
    const size = recorded % layout.stepsPerEpoch < pass.full ? layout.batch : pass.rest;
    for (let at = 0; at < metricCount; at++) sums[at]! += row[at]! * size;
    summed += size;
  };
  return {
    get recorded() {
      return recorded;
    },
    get summed() {
      return summed;
    },
    sums,
    record(rows, time) {
      const count = rows.length / columns.length;
      const since = last;
      last = time;
      const events: StepEvent[] = [];
      for (let at = 0; at < count; at++) {
        const row = rows.subarray(at * columns.length, (at + 1) * columns.length);
        add(row);
        recorded++;
        if (recorded % stride !== 0 && recorded !== 1) continue;
        events.push(stepEvent(layout, recorded, row, Math.round(since + ((time - since) * (at + 1)) / count)));
      }
      return events;
    },
    means: () =>
      metricsOf(
        layout,
        sums.map(sum => sum / summed),
      ),
    reset() {
      sums.fill(0);
      summed = 0;
    },
  };
}

function stepEvent(layout: StepLayout, step: number, row: Float32Array, time: number): StepEvent {
  const { ring, sums, stepsPerEpoch } = layout;
  const { loss: _, ...reported } = metricsOf(layout, row);
  const rates = ring.columns.slice(sums.columns.length + 1).map((name, i) => [name, row[sums.columns.length + 1 + i]!]);
  const metrics: Record<string, number> = {};
  for (const [name, value] of [...Object.entries(reported), ...rates] as [string, number][])
    metrics[name] = shortest(value);
  return {
    type: 'step',
    step,
    epoch: Math.ceil(step / stepsPerEpoch),
    loss: shortest(row[0]!),
    lr: shortest(row[sums.columns.length]!),
    metrics: finite(metrics),
    time,
  };
}

/** The metrics without those that are NaN or infinite (a perplexity that overflows), which neither JSON nor a chart can show. */
export function finite(metrics: Metrics): Metrics {
  return Object.fromEntries(Object.entries(metrics).filter(([, value]) => Number.isFinite(value)));
}

/** A double with few digits that rounds to the same f32: nine significant ones tell any two apart. */
function shortest(value: number): number {
  return Number(value.toPrecision(9));
}
