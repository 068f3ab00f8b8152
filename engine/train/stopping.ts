/** Early stopping and the best checkpoint, as PyTorch users write them by hand. */
import type { Program } from '../ir/program.ts';
import { EngineError } from '../util/errors.ts';
import type { Metrics } from './events.ts';

/** The best value so far and the epochs in a row that didn't beat it by more than the least difference. */
export interface Patience {
  readonly best: number | null;
  readonly stale: number;
}

export const FRESH: Patience = { best: null, stale: 0 };

/** Counts one epoch. NaN never improves. */
export function observe(
  { best, stale }: Patience,
  value: number,
  better: 'lower' | 'higher',
  minDelta: number,
): Patience {
  const gain = best === null ? Number.POSITIVE_INFINITY : better === 'lower' ? best - value : value - best;
  return gain > minDelta && !Number.isNaN(value) ? { best: value, stale: 0 } : { best, stale: stale + 1 };
}

/** What decides which checkpoint is the best: the monitored value, else the validation loss, else the training loss. */
export function monitorOf(
  program: Program,
  validated: boolean,
): { readonly name: string; readonly better: 'lower' | 'higher' } {
  const name = program.run.stop?.monitor ?? (validated ? 'validation.loss' : 'loss');
  return { name, better: preferenceOf(program, name) };
}

/** Which way a monitored value is better. */
export function preferenceOf({ reports }: Program, name: string): 'lower' | 'higher' {
  return reports.find(each => each.name === name.replace(/^(train|validation)\./, ''))?.better ?? 'lower';
}

/** The monitored value among an epoch's metrics. Throws `program-malformed` where there is no such metric. */
export function monitored(name: string, train: Metrics, validation: Metrics | undefined): number {
  const value = name.startsWith('validation.') ? validation?.[name.slice(11)] : train[name.replace(/^train\./, '')];
  if (value !== undefined) return value;
  const known = [...Object.keys(train), ...Object.keys(validation ?? {}).map(key => `validation.${key}`)];
  throw new EngineError(
    'program-malformed',
    `expected a metric to monitor (${known.join(', ')}), found ${name}; change \`monitor\` or add a split`,
  );
}
