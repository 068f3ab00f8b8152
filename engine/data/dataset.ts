/** From a data plan to the fields of each split: load, check, transform, divide. */
import type { Backend, HostArray } from '../backend/backend.ts';
import type { Call, DataPlan } from '../ir/program.ts';
import { EngineError, never } from '../util/errors.ts';
import type { ResolvePath } from './paths.ts';
import { type Field, prepareFields, takeRows } from './prepare.ts';
import type { DataSet } from './schema.ts';
import { loadSource, placeOf } from './sources.ts';
import { labelColumnOf, splitSamples } from './splits.ts';

export type SplitName = 'train' | 'validation' | 'test';

/** Everything a run trains and is measured on, on the host. */
export interface SplitData {
  readonly counts: Readonly<Record<SplitName, number>>;
  /** By split and field name, [samples, ...] row-major. */
  readonly fields: Readonly<Record<SplitName, Readonly<Record<string, HostArray>>>>;
}

/** Loads and prepares the data of a plan with `backend`; splits depend on the seed alone. Throws EngineError (`data-*`, `split-empty`). */
export async function loadData(
  plan: DataPlan,
  resolvePath: ResolvePath,
  seed: number,
  backend: Backend,
): Promise<SplitData> {
  // Files are read and inflated side by side.
  const loads = [plan.source, ...(plan.test ? [plan.test] : [])].map(source => loaded(plan, source, resolvePath));
  const [main, other] = await Promise.all(loads).then(sets => preparedInTurn(plan, sets, backend));
  if (main === undefined) throw never('a plan without a source');
  const { test: held, ...withoutTest } = plan.split;
  const parts = splitSamples(
    main.samples,
    plan.test || held === undefined ? withoutTest : plan.split,
    seed,
    main.labels,
  );
  const test = other ? arraysOf(other.fields) : rowsOf(main.fields, parts.test);
  return {
    counts: {
      train: parts.train.length,
      validation: parts.validation.length,
      test: other?.samples ?? parts.test.length,
    },
    fields: { train: rowsOf(main.fields, parts.train), validation: rowsOf(main.fields, parts.validation), test },
  };
}

interface Prepared {
  readonly samples: number;
  readonly fields: readonly Field[];
  readonly labels?: ArrayLike<number>;
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

async function preparedInTurn(plan: DataPlan, sets: readonly Loaded[], backend: Backend): Promise<Prepared[]> {
  const prepared: Prepared[] = [];
  for (const { set, place } of sets) {
    const labels = labelColumnOf(set)?.data;
    prepared.push({
      samples: set.samples,
      fields: await prepareFields(plan, set, backend, place),
      ...(labels && { labels }),
    });
  }
  return prepared;
}

type Arrays = Readonly<Record<string, HostArray>>;

function arraysOf(fields: readonly Field[]): Arrays {
  return Object.fromEntries(fields.map(field => [field.name, field.data]));
}

function rowsOf(fields: readonly Field[], samples: Int32Array): Arrays {
  return Object.fromEntries(fields.map(field => [field.name, takeRows(field, samples)]));
}
