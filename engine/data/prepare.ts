/** The second stage of preparation: runs the transforms over all samples, once, ahead of training: columns to fields. */
import type { Backend, HostArray } from '../backend/backend.ts';
import { concreteShape } from '../ir/bind.ts';
import type { DType, Graph } from '../ir/graph.ts';
import type { DataPlan } from '../ir/program.ts';
import { dce } from '../passes/dce.ts';
import { EngineError } from '../util/errors.ts';
import { columnsOf, newArray, rowsOf, runPass, widthOf } from './batches.ts';
import { constantsOf, type Fitted } from './fit.ts';
import type { DataColumn, DataSet } from './schema.ts';

/** A prepared field over all samples of a data set, row-major. */
export interface Field {
  readonly name: string;
  readonly dtype: DType;
  /** Per sample. */
  readonly shape: readonly number[];
  readonly data: HostArray;
}

/** What all passes over a source have in common. */
export interface Preparation {
  readonly plan: DataPlan;
  readonly backend: Backend;
  readonly seed: number;
  /** What was learnt from the training samples. */
  readonly fitted: Fitted;
}

/** Steps of what is drawn once a sample: those of a test source are far from those of the main one. */
const TEST_STEPS = 2 ** 24;

/** The fields of `set`, in the order of the outputs of `plan.prepare`. `place` names the data in messages. Throws `data-not-finite`, `data-out-of-range`. */
export async function prepareFields(
  { plan, backend, seed, fitted }: Preparation,
  set: DataSet,
  place: string,
  source: 'main' | 'test' = 'main',
): Promise<Field[]> {
  const graph = fieldGraph(plan);
  const columns = columnsOf(graph, set);
  for (const column of columns) demandKnown(column, place);
  const fields = graph.outputs.map(output => emptyField(graph, output.name, output.value, set.samples));
  const firstStep = source === 'main' ? 0 : TEST_STEPS;
  await runPass({ graph, set, backend, seed, constants: constantsOf(fitted), firstStep }, (outputs, from) => {
    for (const { name, shape, data } of fields) data.set(outputs[name]!, from * widthOf(shape));
  });
  for (const field of fields) {
    demandFinite(field, columns, place);
    demandClasses(field, plan.classes?.[field.name], columns, place);
  }
  return fields;
}

/** Without the values that are only learnt from. */
function fieldGraph({ prepare, fits = [] }: DataPlan): Graph {
  const learnt = new Set(fits.map(fit => fit.name));
  return dce({ ...prepare, outputs: prepare.outputs.filter(output => !learnt.has(output.name)) });
}

/** The rows of `field` for `samples`, in their order. */
export function takeRows(field: Field, samples: Int32Array): HostArray {
  return rowsOf(field.data, field.dtype, widthOf(field.shape), samples);
}

function emptyField(graph: Graph, name: string, value: number, samples: number): Field {
  const { dtype, shape: batch } = graph.nodes[value]!.type;
  const shape = concreteShape({ dtype, shape: batch.slice(1) });
  return { name, dtype, shape, data: newArray(dtype, samples * widthOf(shape)) };
}

/** No class that the program doesn't know; -1, no value, may still be filled in. */
function demandKnown({ name, classes, data }: DataColumn, place: string): void {
  if (classes === undefined) return;
  const at = data.findIndex(value => value < -1 || value >= classes);
  if (at < 0) return;
  throw new EngineError(
    'data-out-of-range',
    `${place}: expected a class from 0 to ${classes - 1} in "${name}", found ${data[at]} in sample ${at}; the data changed or differs from the training data`,
  );
}

/** A category without a value is -1 until `fill_missing` gives it one. */
function demandClasses(
  { name, data, shape }: Field,
  classes: number | undefined,
  columns: readonly DataColumn[],
  place: string,
): void {
  if (classes === undefined) return;
  const at = data.findIndex(value => value < 0 || value >= classes);
  if (at < 0) return;
  const sample = Math.floor(at / widthOf(shape));
  const found = data[at] === -1 ? 'no value' : `${data[at]}`;
  throw new EngineError(
    'data-out-of-range',
    `${place}: expected a class from 0 to ${classes - 1} in "${name}", found ${found} in sample ${sample}; ${remedyOf(columns)}`,
  );
}

function demandFinite({ name, dtype, shape, data }: Field, columns: readonly DataColumn[], place: string): void {
  if (dtype !== 'f32') return;
  const at = firstNonFinite(data);
  if (at < 0) return;
  const sample = Math.floor(at / widthOf(shape));
  throw new EngineError(
    'data-not-finite',
    `${place}: expected numbers in "${name}", found ${data[at]} in sample ${sample}; ${remedyOf(columns)}`,
  );
}

function remedyOf(columns: readonly DataColumn[]): string {
  const missing = columns
    .filter(column => (column.missing ?? 0) > 0)
    .map(column => `"${column.name}" lacks ${column.missing}`);
  if (missing.length === 0) return 'mend the file or leave the sample out';
  return `${missing.join(', ')} values; fill them in with fill_missing or leave the column out`;
}

/** Index of the first NaN or infinity, or -1. A plain loop: it looks at every number of the data set. */
function firstNonFinite(data: HostArray): number {
  for (let at = 0; at < data.length; at++) if (data[at]! - data[at]! !== 0) return at;
  return -1;
}
