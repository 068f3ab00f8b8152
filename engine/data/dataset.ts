/** From a data plan to the fields of each split: load, divide, learn from the training part, transform, check. */
import type { Backend, HostArray } from '../backend/backend.ts';
import type { Call, DataPlan } from '../ir/program.ts';
import { EngineError, never } from '../util/errors.ts';
import { type Fitted, fitNumbers } from './fit.ts';
import type { ResolvePath } from './paths.ts';
import { type Field, type Preparation, prepareFields, takeRows } from './prepare.ts';
import type { DataSet } from './schema.ts';
import { loadSource, placeOf } from './sources.ts';
import { labelColumnOf, type Split, splitSamples } from './splits.ts';

export type SplitName = 'train' | 'validation' | 'test';

/** Everything a run trains and is measured on, on the host. */
export interface SplitData {
  readonly counts: Readonly<Record<SplitName, number>>;
  /** By split and field name, [samples, ...] row-major. */
  readonly fields: Readonly<Record<SplitName, Readonly<Record<string, HostArray>>>>;
  /** What transforms learnt from the training samples: to be kept with the weights. */
  readonly fitted: Fitted;
}

export interface LoadDataOptions {
  readonly resolvePath: ResolvePath;
  readonly seed: number;
  /** Runs the transforms. */
  readonly backend: Backend;
  /** What was learnt when the weights were; without it, it is learnt now. */
  readonly fitted?: Fitted;
}

/** Loads and prepares the data of a plan; splits depend on the seed alone. Throws EngineError (`data-*`, `split-empty`). */
export async function loadData(
  plan: DataPlan,
  { resolvePath, seed, backend, fitted: known }: LoadDataOptions,
): Promise<SplitData> {
  // Files are read and inflated side by side.
  const loads = [plan.source, ...(plan.test ? [plan.test] : [])].map(source => loaded(plan, source, resolvePath));
  const [main, other] = await Promise.all(loads);
  if (main === undefined) throw never('a plan without a source');
  const parts = splitOf(plan, main.set, seed);
  const fitted = known ?? (await fitNumbers(plan, main.set, parts.train, { backend, seed, place: main.place }));
  const preparation: Preparation = { plan, backend, seed, fitted };
  const fields = await prepareFields(preparation, main.set, main.place);
  const held = other && (await prepareFields(preparation, other.set, other.place, 'test'));
  return {
    counts: {
      train: parts.train.length,
      validation: parts.validation.length,
      test: other?.set.samples ?? parts.test.length,
    },
    fields: {
      train: rowsOf(fields, parts.train),
      validation: rowsOf(fields, parts.validation),
      test: held ? arraysOf(held) : rowsOf(fields, parts.test),
    },
    fitted,
  };
}

/** Of the main source; a test source of its own takes the place of its test part. */
function splitOf(plan: DataPlan, set: DataSet, seed: number): Split {
  const { test: held, ...withoutTest } = plan.split;
  const split = plan.test || held === undefined ? withoutTest : plan.split;
  return splitSamples(set.samples, split, seed, labelColumnOf(set, plan.balance)?.data);
}

interface Loaded {
  readonly set: DataSet;
  readonly place: string;
}

async function loaded(plan: DataPlan, source: Call, resolvePath: ResolvePath): Promise<Loaded> {
  const place = placeOf(source);
  const set = await loadSource(source, { resolvePath, expected: plan.columns });
  if (set.samples === 0) throw new EngineError('data-empty', `${place}: expected samples, found none`);
  return { set, place };
}

type Arrays = Readonly<Record<string, HostArray>>;

function arraysOf(fields: readonly Field[]): Arrays {
  return Object.fromEntries(fields.map(field => [field.name, field.data]));
}

function rowsOf(fields: readonly Field[], samples: Int32Array): Arrays {
  return Object.fromEntries(fields.map(field => [field.name, takeRows(field, samples)]));
}
