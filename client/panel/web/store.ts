/** Everything the page knows of its run, built from a history and the events that follow. No DOM in here. */
import type {
  DoneEvent,
  EpochEvent,
  Metrics,
  RunEvent,
  RunState,
  SamplesEvent,
  StartEvent,
  StepEvent,
} from '../../../engine/train/events.ts';
import type { RunHistory, RunSummary } from '../../../server/runs/runs.ts';
import { type Column, column, last, lowerBound, push } from './column.ts';

export interface Best {
  /** `loss`, or the first report when validation has no loss. */
  readonly metric: string;
  readonly value: number;
  readonly epoch: number;
  readonly step: number;
}

export interface RunStore {
  summary?: RunSummary;
  state: RunState;
  start?: StartEvent;
  done?: DoneEvent;
  step: Column;
  loss: Column;
  lr: Column;
  metrics: Map<string, Column>;
  epochs: EpochEvent[];
  /** What was shown, in order. */
  samples: SamplesEvent[];
  epoch: number;
  /** Milliseconds of the segments before the present one: a resumed run has several. */
  before: number;
  /** When the present segment began and when it was last heard of. */
  since: number;
  heard: number;
  /** Step and time at the beginning of the window that the speed is measured over. */
  window: { step: number; time: number }[];
  /** Counts what makes columns shorter, so that derived columns know to start anew. */
  rewinds: number;
}

export function emptyStore(): RunStore {
  return {
    state: 'starting',
    step: column(),
    loss: column(),
    lr: column(),
    metrics: new Map(),
    epochs: [],
    samples: [],
    epoch: 0,
    before: 0,
    since: 0,
    heard: 0,
    window: [],
    rewinds: 0,
  };
}

/** The whole run as the server tells it. Its state is that of the summary, which also knows of engines that died silently. */
export function fromHistory(history: RunHistory): RunStore {
  const store = emptyStore();
  for (const event of history.events) apply(store, event);
  const { step, loss, lr, metrics } = history.steps;
  const columns = Object.entries(metrics);
  step.forEach((at, index) => {
    const reports = columns.map(([name, values]): [string, number] => [name, values[index] ?? Number.NaN]);
    append(store, at, loss[index]!, lr[index] ?? Number.NaN, Object.fromEntries(reports));
  });
  store.summary = history.summary;
  store.state = history.summary.state;
  store.epoch = Math.max(store.epoch, history.summary.epoch);
  return store;
}

/** One more event, in order. Steps that are known already are dropped: history and stream may overlap. */
export function apply(store: RunStore, event: RunEvent): void {
  switch (event.type) {
    case 'start':
      begin(store, event);
      break;
    case 'step':
      takeStep(store, event);
      break;
    case 'epoch':
      store.heard = event.time;
      if ((store.epochs.at(-1)?.epoch ?? 0) < event.epoch) store.epochs.push(event);
      store.epoch = Math.max(store.epoch, event.epoch);
      break;
    case 'samples':
      store.samples = store.samples.filter(each => each.epoch !== event.epoch || each.name !== event.name);
      store.samples.push(event);
      break;
    case 'state':
      store.state = event.state;
      store.heard = event.time;
      store.window.length = 0;
      break;
    case 'done':
      store.done = event;
      store.heard = event.time;
      store.state = event.reason === 'early-stop' ? 'finished' : event.reason;
      break;
    case 'checkpoint':
      break;
  }
}

/** A start after others resumes from a checkpoint: what came after that step did not happen. From step 0 all begins anew. */
function begin(store: RunStore, event: StartEvent): void {
  store.before = event.fromStep === 0 || !store.start ? 0 : store.before + store.heard - store.since;
  store.start = event;
  delete store.done;
  store.since = event.time;
  store.heard = event.time;
  store.state = 'running';
  store.window.length = 0;
  const keep = lowerBound(store.step, event.fromStep + 1);
  if (keep < store.step.length) {
    for (const values of [store.step, store.loss, store.lr, ...store.metrics.values()]) values.length = keep;
    store.rewinds++;
  }
  store.epochs = store.epochs.filter(epoch => epoch.step <= event.fromStep);
  store.samples = store.samples.filter(each => each.step <= event.fromStep);
  store.epoch = store.epochs.at(-1)?.epoch ?? 0;
}

const windowMs = 5000;

function takeStep(store: RunStore, event: StepEvent): void {
  if (event.step <= (last(store.step) ?? 0)) return;
  append(store, event.step, event.loss, event.lr, event.metrics);
  store.epoch = event.epoch;
  store.heard = event.time;
  if (store.state === 'starting') store.state = 'running';
  const { window } = store;
  // One mark in 100 ms is enough, however fast the steps come.
  if (event.time - (window.at(-1)?.time ?? 0) >= 100) window.push({ step: event.step, time: event.time });
  while (window.length > 2 && event.time - window[0]!.time > windowMs) window.shift();
}

function append(store: RunStore, step: number, loss: number, lr: number, metrics: Metrics): void {
  for (const name of Object.keys(metrics)) {
    if (!store.metrics.has(name)) store.metrics.set(name, filled(store.step.length));
  }
  push(store.step, step);
  push(store.loss, loss);
  push(store.lr, lr);
  for (const [name, values] of store.metrics) push(values, metrics[name] ?? Number.NaN);
}

/** A report that turns up late has no values for the steps before. */
function filled(length: number): Column {
  const values = column(Math.max(1024, 2 * length));
  values.values.fill(Number.NaN, 0, length);
  values.length = length;
  return values;
}

/** Steps done. Step events are samples, so the end of an epoch or a summary may know of more. */
export function stepsDone(store: RunStore): number {
  const ended = store.epochs.at(-1)?.step ?? 0;
  return Math.max(last(store.step) ?? 0, ended, store.done?.step ?? 0);
}

export const liveStates: ReadonlySet<RunState> = new Set(['starting', 'running', 'paused']);

/** Seconds of training up to `now` (milliseconds since the epoch), pauses included. */
export function elapsed(store: RunStore, now: number): number | undefined {
  if (!store.start) return undefined;
  const until = liveStates.has(store.state) ? Math.max(now, store.heard) : store.heard;
  return (store.before + until - store.since) / 1000;
}

/** Steps a second over the last five seconds; of the last epoch or the whole run when there is no such window. */
export function speed(store: RunStore): number | undefined {
  if (store.done && store.done.stepsPerSecond > 0) return store.done.stepsPerSecond;
  const from = store.window[0];
  const to = store.window.at(-1);
  if (from && to && to.time - from.time >= 500) return ((to.step - from.step) * 1000) / (to.time - from.time);
  return store.epochs.at(-1)?.stepsPerSecond;
}

/** Least validation loss so far (greatest of the first report where validation has no loss). */
export function best(store: RunStore): Best | undefined {
  let found: Best | undefined;
  for (const { validation, epoch, step } of store.epochs) {
    if (!validation) continue;
    const metric = 'loss' in validation ? 'loss' : Object.keys(validation)[0];
    const value = metric === undefined ? undefined : validation[metric];
    if (metric === undefined || value === undefined || !Number.isFinite(value)) continue;
    const better = !found || (metric === 'loss' ? value < found.value : value > found.value);
    if (better) found = { metric, value, epoch, step };
  }
  return found;
}

/** Validation values of a metric over the steps at which their epochs ended. */
export function validationPoints(store: RunStore, metric: string): { x: number[]; y: number[] } {
  const points = { x: [] as number[], y: [] as number[] };
  for (const epoch of store.epochs) {
    const value = epoch.validation?.[metric];
    if (value === undefined) continue;
    points.x.push(epoch.step);
    points.y.push(value);
  }
  return points;
}

/** What there is a chart for: the loss first, then the reports in the order in which they appeared. */
export function chartNames(store: RunStore): string[] {
  const names = new Set(['loss', ...store.metrics.keys()]);
  for (const epoch of store.epochs) for (const name of Object.keys(epoch.validation ?? {})) names.add(name);
  return [...names];
}
