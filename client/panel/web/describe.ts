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
import { t } from './l10n.ts';
import { best, elapsed, liveStates, type RunStore, speed, stepsDone, validationPoints } from './store.ts';

export interface Tile {
  readonly id: string;
  readonly label: string;
  readonly value: string;
  readonly detail: string;
}

export const stateLabels: Readonly<Record<RunState, string>> = {
  starting: t('Starting'),
  running: t('Running'),
  paused: t('Paused'),
  finished: t('Finished'),
  stopped: t('Stopped'),
  failed: t('Failed'),
  died: t('Interrupted'),
};

/** Eight tiles in reading order: how good, how far, how fast. */
export function tiles(store: RunStore, now: number): Tile[] {
  return [lossTile(store), metricTile(store), bestTile(store), ...progressTiles(store, now), ...machineTiles(store)];
}

function lossTile(store: RunStore): Tile {
  return { id: 'loss', label: t('Loss'), ...trainAndValidation(store, 'loss', store.loss) };
}

/** Training as the big number, since it moves; validation below it. */
function trainAndValidation(store: RunStore, name: string, values: Column | undefined): Pick<Tile, 'value' | 'detail'> {
  const validation = store.epochs.at(-1)?.validation?.[name];
  return {
    value: formatMetric(name, recentMean(values) ?? store.epochs.at(-1)?.train[name]),
    detail: validation === undefined ? t('mean of recent steps') : t('validation {0}', formatMetric(name, validation)),
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
  return { id: 'metric', label: t('Parameters'), value: parameters, detail: t('weights being trained') };
}

function bestTile(store: RunStore): Tile {
  const found = best(store);
  const label = t('Best validation');
  if (found) {
    return {
      id: 'best',
      label,
      value: formatMetric(found.metric, found.value),
      detail: t('{0}, epoch {1}', found.metric, found.epoch),
    };
  }
  const detail = store.start?.validationSamples === 0 ? t('no validation split') : t('after the first epoch');
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
      label: t('Epoch'),
      value: epochs,
      detail: start ? t('step {0} of {1}', formatShort(step), formatShort(start.steps)) : t('waiting for the engine'),
    },
    live
      ? {
          id: 'time',
          label: t('Time left'),
          value: store.state === 'paused' ? t('paused') : formatDuration(left),
          detail: spent === undefined ? '' : t('{0} elapsed', formatDuration(spent)),
        }
      : { id: 'time', label: t('Duration'), value: formatSeconds(spent), detail: endedWord(store) },
  ];
}

function endedWord(store: RunStore): string {
  if (store.done?.reason === 'early-stop') return t('stopped early, no improvement');
  return store.state === 'finished'
    ? t('all epochs done')
    : t('{0} before the end', stateLabels[store.state].toLowerCase());
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
      label: t('Steps / s'),
      value: formatSpeed(rate),
      detail: samples === undefined ? '' : t('{0} samples/s', formatSpeed(samples)),
    },
    {
      id: 'rate',
      label: t('Learning rate'),
      value: formatRate(last(store.lr)),
      detail: start ? t('batch of {0}', formatCount(start.batch)) : '',
    },
    { id: 'device', label: t('Device'), value: name, detail: start ? deviceDetail(name, start.device) : '' },
  ];
}

/** `CPU (WASM SIMD, 2 threads)` below `CPU` says the name twice: what is in the brackets will do. */
function deviceDetail(name: string, device: string): string {
  return device.startsWith(`${name} (`) && device.endsWith(')') ? device.slice(name.length + 2, -1) : device;
}

function deviceName(backend: 'reference' | 'wasm' | 'webgpu'): string {
  return { reference: t('CPU, reference'), wasm: 'CPU', webgpu: 'WebGPU' }[backend];
}

/** `rate=0.1 · 12,345 parameters · 9,000 samples · seed 42`; the first in a sweep. */
export function subtitle(store: RunStore): string {
  const { start, summary } = store;
  if (!start) return '';
  return [
    summary?.choice ?? '',
    t('{0} parameters', formatCount(start.parameters)),
    t('{0} samples', formatCount(start.trainSamples)),
    t('seed {0}', start.seed),
    start.fromStep > 0 ? t('resumed at step {0}', formatCount(start.fromStep)) : '',
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
      t(
        'training {0} {1} at step {2}, {3} at step {4}',
        name,
        formatMetric(name, from),
        store.step.values[0],
        formatMetric(name, to),
        last(store.step),
      ),
    );
  }
  const validation = validationPoints(store, name);
  const end = validation.y.at(-1);
  if (end !== undefined) {
    sentences.push(
      t(
        'validation {0} {1} after the first epoch, {2} after the last',
        name,
        formatMetric(name, validation.y[0]),
        formatMetric(name, end),
      ),
    );
  }
  return sentences.length === 0
    ? t('{0}: no values yet', title(name))
    : t('{0} by step: {1}', title(name), sentences.join('; '));
}
