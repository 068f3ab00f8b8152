/** What the page says in words: tiles, header, the text beside each chart. Pure, so that tests read it like a person would. */
import type { RunState } from '../../../engine/train/events.ts';
import {
  absent,
  formatCount,
  formatDuration,
  formatMetric,
  formatRate,
  formatSeconds,
  formatShort,
  formatSpeed,
  title,
} from '../../format.ts';
import { type Column, last } from './column.ts';
import { best, elapsed, liveStates, type RunStore, speed, stepsDone, validationPoints } from './store.ts';

export interface Tile {
  readonly id: string;
  readonly label: string;
  readonly value: string;
  readonly detail: string;
}

export const stateLabels: Readonly<Record<RunState, string>> = {
  starting: 'Starting',
  running: 'Running',
  paused: 'Paused',
  finished: 'Finished',
  stopped: 'Stopped',
  failed: 'Failed',
  died: 'Interrupted',
};

/** Eight tiles in reading order: how good, how far, how fast. */
export function tiles(store: RunStore, now: number): Tile[] {
  return [lossTile(store), metricTile(store), bestTile(store), ...progressTiles(store, now), ...machineTiles(store)];
}

function lossTile(store: RunStore): Tile {
  return { id: 'loss', label: 'Loss', ...trainAndValidation(store, 'loss', store.loss) };
}

/** Training as the big number, since it moves; validation below it. */
function trainAndValidation(store: RunStore, name: string, values: Column | undefined): Pick<Tile, 'value' | 'detail'> {
  const validation = store.epochs.at(-1)?.validation?.[name];
  return {
    value: formatMetric(name, recentMean(values) ?? store.epochs.at(-1)?.train[name]),
    detail: validation === undefined ? 'mean of recent steps' : `validation ${formatMetric(name, validation)}`,
  };
}

/** Mean of the last fiftieth of the run, 1 to 100 steps: one batch alone jumps about too much to be read. */
function recentMean(column: Column | undefined): number | undefined {
  if (column === undefined || column.length === 0) return undefined;
  const { values, length } = column;
  const count = Math.min(100, Math.max(1, Math.ceil(length / 50)));
  let sum = 0;
  for (let index = length - count; index < length; index++) sum += values[index]!;
  return sum / count;
}

/** The first report; the number of weights where nothing is reported. */
function metricTile(store: RunStore): Tile {
  const name = store.metrics.keys().next().value;
  if (name !== undefined)
    return { id: 'metric', label: title(name), ...trainAndValidation(store, name, store.metrics.get(name)) };
  const parameters = store.start ? formatCount(store.start.parameters) : absent;
  return { id: 'metric', label: 'Parameters', value: parameters, detail: 'weights being trained' };
}

function bestTile(store: RunStore): Tile {
  const found = best(store);
  const label = 'Best validation';
  if (found) {
    return {
      id: 'best',
      label,
      value: formatMetric(found.metric, found.value),
      detail: `${found.metric}, epoch ${found.epoch}`,
    };
  }
  const detail = store.start?.validationSamples === 0 ? 'no validation split' : 'after the first epoch';
  return { id: 'best', label, value: absent, detail };
}

function progressTiles(store: RunStore, now: number): Tile[] {
  const { start } = store;
  const step = stepsDone(store);
  const epochs = start ? `${formatShort(Math.max(1, store.epoch))} / ${formatShort(start.epochs)}` : absent;
  const spent = elapsed(store, now);
  const live = liveStates.has(store.state);
  const left = timeLeft(store);
  return [
    {
      id: 'epoch',
      label: 'Epoch',
      value: epochs,
      detail: start ? `step ${formatShort(step)} of ${formatShort(start.steps)}` : 'waiting for the engine',
    },
    live
      ? {
          id: 'time',
          label: 'Time left',
          value: store.state === 'paused' ? 'paused' : formatDuration(left),
          detail: spent === undefined ? '' : `${formatDuration(spent)} elapsed`,
        }
      : { id: 'time', label: 'Duration', value: formatSeconds(spent), detail: endedWord(store) },
  ];
}

function endedWord(store: RunStore): string {
  if (store.done?.reason === 'early-stop') return 'stopped early, no improvement';
  return store.state === 'finished' ? 'all epochs done' : `${stateLabels[store.state].toLowerCase()} before the end`;
}

function timeLeft(store: RunStore): number | undefined {
  const rate = speed(store);
  if (!store.start || !rate) return undefined;
  return (store.start.steps - stepsDone(store)) / rate;
}

function machineTiles(store: RunStore): Tile[] {
  const { start } = store;
  const rate = speed(store);
  const samples = rate === undefined || !start ? undefined : rate * start.batch;
  const name = start ? deviceName(start.backend) : absent;
  return [
    {
      id: 'speed',
      label: 'Steps / s',
      value: formatSpeed(rate),
      detail: samples === undefined ? '' : `${formatSpeed(samples)} samples/s`,
    },
    {
      id: 'rate',
      label: 'Learning rate',
      value: formatRate(last(store.lr)),
      detail: start ? `batch of ${formatCount(start.batch)}` : '',
    },
    { id: 'device', label: 'Device', value: name, detail: start ? deviceDetail(name, start.device) : '' },
  ];
}

/** `CPU (WASM SIMD, 2 threads)` below `CPU` says the name twice: what is in the brackets will do. */
function deviceDetail(name: string, device: string): string {
  return device.startsWith(`${name} (`) && device.endsWith(')') ? device.slice(name.length + 2, -1) : device;
}

function deviceName(backend: 'reference' | 'wasm' | 'webgpu'): string {
  return { reference: 'CPU, reference', wasm: 'CPU', webgpu: 'WebGPU' }[backend];
}

/** `rate=0.1 · 12,345 parameters · 9,000 samples · seed 42`; the first in a sweep. */
export function subtitle(store: RunStore): string {
  const { start, summary } = store;
  if (!start) return '';
  return [
    summary?.choice ?? '',
    `${formatCount(start.parameters)} parameters`,
    `${formatCount(start.trainSamples)} samples`,
    `seed ${start.seed}`,
    start.fromStep > 0 ? `resumed at step ${formatCount(start.fromStep)}` : '',
  ]
    .filter(part => part !== '')
    .join(' · ');
}

/** A chart in one sentence, for screen readers and tests. */
export function chartSummary(store: RunStore, name: string): string {
  const values = name === 'loss' ? store.loss : store.metrics.get(name);
  const sentences: string[] = [];
  if (values && values.length > 0) {
    const [from, to] = [values.values[0]!, values.values[values.length - 1]!];
    sentences.push(
      `training ${name} ${formatMetric(name, from)} at step ${store.step.values[0]}, ${formatMetric(name, to)} at step ${last(store.step)}`,
    );
  }
  const validation = validationPoints(store, name);
  const end = validation.y.at(-1);
  if (end !== undefined) {
    sentences.push(
      `validation ${name} ${formatMetric(name, validation.y[0])} after the first epoch, ${formatMetric(name, end)} after the last`,
    );
  }
  return sentences.length === 0 ? `${title(name)}: no values yet` : `${title(name)} by step: ${sentences.join('; ')}`;
}
