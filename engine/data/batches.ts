/** Runs a preparation graph over the samples of a data set, chunk by chunk. */
import type { Backend, HostArray } from '../backend/backend.ts';
import { bindGraph } from '../ir/bind.ts';
import type { DType, Graph } from '../ir/graph.ts';
import type { Schedule } from '../kernel/kernel.ts';
import { scheduleGraph } from '../kernel/schedule.ts';
import { optimize } from '../passes/pipeline.ts';
import { never } from '../util/errors.ts';
import type { DataColumn, DataSet } from './schema.ts';

export interface Pass {
  /** Inputs with `B` are columns; the others are `constants`, `seed` and `step`. */
  readonly graph: Graph;
  readonly set: DataSet;
  /** Samples to run over, in this order; all by default. */
  readonly rows?: Int32Array;
  readonly backend: Backend;
  readonly constants: Readonly<Record<string, HostArray>>;
  readonly seed: number;
  /** The scalar `step` of the first chunk; the next has one more. What is drawn depends on it and on the place within the chunk. */
  readonly firstStep: number;
}

/** Samples of a chunk, where they don't need more memory than this. */
const CHUNK = 1024;
const CHUNK_BYTES = 2 ** 28;
/** Columns and fields may share names (`image = image |> scale(…)`), buffers may not. */
const COLUMN = 'column.';

/** Calls `take` with the outputs of each chunk, from sample `from` of the rows on. */
export async function runPass(
  pass: Pass,
  take: (outputs: Readonly<Record<string, HostArray>>, from: number) => void,
): Promise<void> {
  const samples = pass.rows?.length ?? pass.set.samples;
  const chunk = chunkOf(pass.graph, samples);
  const full = samples - (samples % chunk);
  if (full > 0) await runRange(pass, { from: 0, to: full, size: chunk, step: pass.firstStep }, take);
  if (full < samples) {
    const step = pass.firstStep + full / chunk;
    await runRange(pass, { from: full, to: samples, size: samples - full, step }, take);
  }
}

/** The columns that `graph` depends on: a table may have others, with whatever in them. */
export function columnsOf(graph: Graph, set: DataSet): DataColumn[] {
  const names = graph.nodes.filter(isColumn).map(node => String(node.attributes.name));
  return [...new Set(names)].map(name => {
    const column = set.columns.find(each => each.name === name);
    if (column === undefined) throw never('the program reads a column that its plan lacks', name);
    return column;
  });
}

/** Elements of one sample. */
export function widthOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

export function newArray(dtype: DType, length: number): HostArray {
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

/** The rows of `data`, `width` elements each, for `samples`, in their order. */
export function rowsOf(data: HostArray, dtype: DType, width: number, samples: Int32Array): HostArray {
  const rows = newArray(dtype, samples.length * width);
  for (const [row, sample] of samples.entries())
    rows.set(data.subarray(sample * width, (sample + 1) * width), row * width);
  return rows;
}

interface Range {
  readonly from: number;
  readonly to: number;
  /** Samples a run; divides the range. */
  readonly size: number;
  readonly step: number;
}

async function runRange(
  { graph, set, rows, backend, constants, seed }: Pass,
  { from, to, size, step }: Range,
  take: (outputs: Readonly<Record<string, HostArray>>, from: number) => void,
): Promise<void> {
  const schedule = scheduled(graph, size);
  const inputs = new Set(schedule.buffers.filter(buffer => buffer.kind === 'input').map(buffer => buffer.name));
  const columns = columnsOf(graph, set).filter(column => inputs.has(COLUMN + column.name));
  const executable = await backend.compile([schedule]);
  try {
    const fixed: Readonly<Record<string, HostArray>> = { ...constants, seed: Int32Array.of(seed) };
    for (const [name, numbers] of Object.entries(fixed)) if (inputs.has(name)) executable.write(name, numbers);
    for (let at = from, chunk = step; at < to; at += size, chunk++) {
      if (inputs.has('step')) executable.write('step', Int32Array.of(chunk));
      for (const { name, shape, dtype, data } of columns) {
        const width = widthOf(shape);
        const part = rows
          ? rowsOf(data, dtype, width, rows.subarray(at, at + size))
          : data.subarray(at * width, (at + size) * width);
        executable.write(COLUMN + name, part);
      }
      executable.run(schedule.name, 1);
      const outputs: Record<string, HostArray> = {};
      for (const { name } of graph.outputs) outputs[name] = await executable.read(name);
      take(outputs, at);
    }
  } finally {
    executable.dispose();
  }
}

function chunkOf(graph: Graph, samples: number): number {
  const most = Math.min(CHUNK, samples);
  const { arenaBytes, buffers } = scheduled(graph, most);
  const bytes = arenaBytes + buffers.reduce((sum, b) => sum + (b.kind === 'temporary' ? 0 : 4 * b.length), 0);
  return bytes <= CHUNK_BYTES ? most : Math.max(1, Math.floor((most * CHUNK_BYTES) / bytes));
}

function scheduled(graph: Graph, size: number): Schedule {
  const nodes = graph.nodes.map(node =>
    isColumn(node)
      ? { ...node, attributes: { ...node.attributes, name: COLUMN + String(node.attributes.name) } }
      : node,
  );
  return scheduleGraph(optimize(bindGraph({ ...graph, name: 'prepare', nodes }, { B: size })));
}

/** Columns have the batch in front; what is fitted, `seed` and `step` are the same for every sample. */
function isColumn({ op, type }: Graph['nodes'][number]): boolean {
  return op === 'input' && type.shape.length > 0 && typeof type.shape[0] !== 'number';
}
