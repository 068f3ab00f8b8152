/** Turns rows of the metric ring into step events and the means of an epoch. */
import type { Metrics, StepEvent } from './events.ts';
import { passOf, type StepLayout } from './step.ts';

export interface Recorder {
  /** Steps whose metrics have been taken in. */
  readonly recorded: number;
  /** Sums over the samples of the epoch under way, by column of `layout.sums`, and their number: what a checkpoint keeps. */
  readonly sums: readonly number[];
  readonly summed: number;
  /** The last learning rates. */
  readonly lr: number;
  /** Takes in rows [count, columns] of the steps after `recorded`; `time` is when the last of them was done. */
  record(rows: Float32Array, time: number): StepEvent[];
  /** Means over the training samples seen in this epoch. */
  means(): Metrics;
  /** Starts the next epoch. */
  reset(): void;
}

/** Where a resumed run goes on. */
export interface RecorderStart {
  readonly step: number;
  readonly sums: readonly number[];
  readonly summed: number;
}

/** A recorder for the columns of `layout`, whose first is the loss, and whose last are the learning rates. */
export function createRecorder(layout: StepLayout, start: RecorderStart): Recorder {
  const columns = layout.ring.columns;
  const metricCount = layout.sums.columns.length;
  const pass = passOf(layout, 'train');
  const sums = layout.sums.columns.map((_, at) => start.sums[at] ?? 0);
  let recorded = start.step;
  let summed = start.summed;
  let lr = 0;
  let last = Date.now();
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
    get lr() {
      return lr;
    },
    sums,
    record(rows, time) {
      const count = rows.length / columns.length;
      const since = last;
      last = time;
      return Array.from({ length: count }, (_, at) => {
        const row = rows.subarray(at * columns.length, (at + 1) * columns.length);
        add(row);
        recorded++;
        lr = shortest(row[metricCount]!);
        const metrics = Object.fromEntries(
          columns.slice(1).flatMap((name, i) => (name === 'lr' ? [] : [[name, shortest(row[i + 1]!)]])),
        );
        const at1 = Math.round(since + ((time - since) * (at + 1)) / count);
        return {
          type: 'step',
          step: recorded,
          epoch: Math.ceil(recorded / layout.stepsPerEpoch),
          loss: shortest(row[0]!),
          lr,
          metrics,
          time: at1,
        };
      });
    },
    means: () => Object.fromEntries(layout.sums.columns.map((name, at) => [name, sums[at]! / summed])),
    reset() {
      sums.fill(0);
      summed = 0;
    },
  };
}

/** A double with few digits that rounds to the same f32: nine significant ones tell any two apart. */
function shortest(value: number): number {
  return Number(value.toPrecision(9));
}
