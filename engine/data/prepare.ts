/** Runs the deterministic transforms over all samples, once, ahead of training: columns to fields. */
import type { Backend, HostArray } from '../backend/backend.ts';
import { bindGraph, concreteShape } from '../ir/bind.ts';
import type { DType, Graph } from '../ir/graph.ts';
import type { DataPlan } from '../ir/program.ts';
import { scheduleGraph } from '../kernel/schedule.ts';
import { optimize } from '../passes/pipeline.ts';
import { EngineError, never } from '../util/errors.ts';
import type { DataColumn, DataSet } from './schema.ts';

/** A prepared field over all samples of a data set, row-major. */
export interface Field {
  readonly name: string;
  readonly dtype: DType;
  /** Per sample. */
  readonly shape: readonly number[];
  readonly data: HostArray;
}

/** Samples that are transformed at a time: bounds the memory of what lies between. */
const CHUNK = 1024;
/** Columns and fields may share names (`image = image |> scale(…)`), buffers may not. */
const COLUMN = 'column.';

/** The fields of `set`, in the order of the outputs of `plan.prepare`. `place` names the data in messages. Throws `data-not-finite`, `data-out-of-range`. */
export async function prepareFields(plan: DataPlan, set: DataSet, backend: Backend, place: string): Promise<Field[]> {
  const chunk = Math.min(CHUNK, set.samples);
  const rest = set.samples % chunk;
  const sizes = rest > 0 ? [chunk, rest] : [chunk];
  const graphs = sizes.map(size => bound(plan.prepare, size));
  const columns = columnsOf(graphs[0]!, set);
  for (const column of columns) demandClasses(column, place);
  const fields = graphs[0]!.outputs.map(output => emptyField(graphs[0]!, output.name, output.value, set.samples));
  for (const [at, graph] of graphs.entries()) {
    const from = at === 0 ? 0 : set.samples - rest;
    await transform(backend, graph, columns, fields, {
      from,
      to: at === 0 ? set.samples - rest : set.samples,
      size: sizes[at]!,
    });
  }
  for (const field of fields) demandFinite(field, columns, place);
  return fields;
}

/** The rows of `field` for `samples`, in their order. */
export function takeRows(field: Field, samples: Int32Array): HostArray {
  const width = field.data.length === 0 ? 0 : widthOf(field.shape);
  const rows = newArray(field.dtype, samples.length * width);
  for (const [row, sample] of samples.entries()) {
    rows.set(field.data.subarray(sample * width, (sample + 1) * width), row * width);
  }
  return rows;
}

/** Elements of one sample. */
export function widthOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

interface Range {
  readonly from: number;
  readonly to: number;
  /** Samples a run; divides the range. */
  readonly size: number;
}

async function transform(
  backend: Backend,
  graph: Graph,
  columns: readonly DataColumn[],
  fields: readonly Field[],
  range: Range,
) {
  const executable = await backend.compile([scheduleGraph(graph)]);
  try {
    for (let at = range.from; at < range.to; at += range.size) {
      for (const { name, shape, data } of columns) {
        const width = widthOf(shape);
        executable.write(COLUMN + name, data.subarray(at * width, (at + range.size) * width));
      }
      executable.run(graph.name, 1);
      for (const { name, shape, data } of fields) data.set(await executable.read(name), at * widthOf(shape));
    }
  } finally {
    executable.dispose();
  }
}

function bound(prepare: Graph, size: number): Graph {
  const nodes = prepare.nodes.map(node =>
    node.op === 'input'
      ? { ...node, attributes: { ...node.attributes, name: COLUMN + String(node.attributes.name) } }
      : node,
  );
  return optimize(bindGraph({ ...prepare, name: 'prepare', nodes }, { B: size }));
}

/** The columns that the fields depend on: a table may have others, with whatever in them. */
function columnsOf(graph: Graph, set: DataSet): DataColumn[] {
  const names = graph.nodes.filter(node => node.op === 'input').map(node => String(node.attributes.name));
  return [...new Set(names)].map(name => {
    const column = set.columns.find(each => COLUMN + each.name === name);
    if (column === undefined) throw never('the program reads a column that its plan lacks', name);
    return column;
  });
}

function emptyField(graph: Graph, name: string, value: number, samples: number): Field {
  const type = graph.nodes[value]!.type;
  const shape = concreteShape(type).slice(1);
  return { name, dtype: type.dtype, shape, data: newArray(type.dtype, samples * widthOf(shape)) };
}

function newArray(dtype: DType, length: number): HostArray {
  switch (dtype) {
    case 'f32':
      return new Float32Array(length);
    case 'i32':
      return new Int32Array(length);
    case 'u8':
      return new Uint8Array(length);
    default:
      return new Uint32Array(length);
  }
}

/** A category without a value is -1, which no transform of categories mends. */
function demandClasses({ name, classes, data }: DataColumn, place: string): void {
  if (classes === undefined) return;
  const at = data.findIndex(value => value < 0 || value >= classes);
  if (at < 0) return;
  const found = data[at] === -1 ? 'no value' : `${data[at]}`;
  throw new EngineError(
    'data-out-of-range',
    `${place}: expected a class from 0 to ${classes - 1} in "${name}", found ${found} in sample ${at}; remove the sample or leave the column out`,
  );
}

function demandFinite({ name, dtype, shape, data }: Field, columns: readonly DataColumn[], place: string): void {
  if (dtype !== 'f32') return;
  const at = firstNonFinite(data);
  if (at < 0) return;
  const sample = Math.floor(at / widthOf(shape));
  const missing = columns
    .filter(column => (column.missing ?? 0) > 0)
    .map(column => `"${column.name}" lacks ${column.missing}`);
  const remedy =
    missing.length > 0
      ? `${missing.join(', ')} values; fill them in or leave the column out`
      : 'mend the file or leave the sample out';
  throw new EngineError(
    'data-not-finite',
    `${place}: expected numbers in "${name}", found ${data[at]} in sample ${sample}; ${remedy}`,
  );
}

/** Index of the first NaN or infinity, or -1. A plain loop: it looks at every number of the data set. */
function firstNonFinite(data: HostArray): number {
  for (let at = 0; at < data.length; at++) if (data[at]! - data[at]! !== 0) return at;
  return -1;
}
