/** What a trained model says of new samples, in words that people use: classes with probabilities, numbers in the units of the data. */
import type { Backend, HostArray } from '../backend/backend.ts';
import { evaluateGraph } from '../backend/reference/evaluateGraph.ts';
import { loadInputs } from '../data/inputs.ts';
import type { ResolvePath } from '../data/paths.ts';
import { prepareFields } from '../data/prepare.ts';
import { bindGraph, concreteShape } from '../ir/bind.ts';
import type { DataPlan, Prediction, Program } from '../ir/program.ts';
import { dce } from '../passes/dce.ts';
import { EngineError } from '../util/errors.ts';
import { restoreFitted } from './checkpoint.ts';
import { classNames } from './classNames.ts';
import { openInference, type TrainedModel } from './inference.ts';
import { fieldsOf } from './layout.ts';
import { partOf } from './show.ts';

/** What is said of one field of one sample. */
export type Said =
  | {
      readonly kind: 'class';
      readonly name: string;
      readonly probability: number;
      /** Of all classes, in their order. */
      readonly probabilities: Readonly<Record<string, number>>;
    }
  /** Several classes, one a position. */
  | { readonly kind: 'classes'; readonly names: readonly string[] }
  | { readonly kind: 'probability' | 'value'; readonly numbers: readonly number[] };

export interface SamplePrediction {
  readonly file: string;
  /** From 1, where the file has several samples. */
  readonly row?: number;
  /** By field. */
  readonly said: Readonly<Record<string, Said>>;
}

export interface PredictOptions {
  readonly model: TrainedModel;
  readonly files: readonly string[];
  readonly resolvePath: ResolvePath;
  /** Prepares and computes. */
  readonly backend: Backend;
}

/** Samples that are computed at a time. */
const BATCH = 256;

/**
 * What the model of a run predicts for the samples of `files`. Throws `unsupported` where the run predicts nothing of its data or the files are of
 * another kind, and what reading and preparing may throw.
 */
export async function predict(options: PredictOptions): Promise<readonly SamplePrediction[]> {
  const { model, files, resolvePath, backend } = options;
  const { program, checkpoint, path } = model;
  const { predictions = [] } = program;
  if (predictions.length === 0) throw nothingPredicted(program);
  const graph = partOf(
    program,
    predictions.map(({ output }) => output),
  );
  const plan = planFor(
    program.data,
    fieldsOf(graph).map(({ name }) => name),
  );
  const inputs = await loadInputs(plan, files, resolvePath);
  const fitted = restoreFitted(checkpoint, program.data, path);
  const place = files.length === 1 ? files[0]! : 'the files';
  const fields = await prepareFields({ plan, backend, seed: program.run.seed, fitted }, inputs.set, place);
  const values = Object.fromEntries(fields.map(({ name, data }) => [name, data]));
  const outputs = await computed(model, graph, values, inputs.set.samples, backend);
  const readers = predictions.map(prediction => readerOf(program, prediction, fitted, outputs[prediction.output]!));
  return inputs.names.map((name, at) => ({
    ...name,
    said: Object.fromEntries(readers.map(({ target, read }) => [target, read(at)])),
  }));
}

function nothingPredicted({ name }: Program): EngineError {
  return new EngineError(
    'unsupported',
    `train ${name}: expected a loss that compares what the model says with a field of the data, found none; there is nothing to predict`,
  );
}

/** The part of the preparation that leads to `fields`. */
function planFor(plan: DataPlan, fields: readonly string[]): DataPlan {
  const outputs = plan.prepare.outputs.filter(({ name }) => fields.includes(name));
  return { ...plan, prepare: dce({ ...plan.prepare, outputs }) };
}

interface Output {
  /** Per sample. */
  readonly shape: readonly number[];
  readonly data: HostArray;
}

async function computed(
  model: TrainedModel,
  graph: ReturnType<typeof partOf>,
  fields: Readonly<Record<string, HostArray>>,
  samples: number,
  backend: Backend,
): Promise<Readonly<Record<string, Output>>> {
  const parts = new Map<string, HostArray[]>(graph.outputs.map(({ name }) => [name, []]));
  const full = samples - (samples % BATCH);
  for (const [from, to, size] of [
    [0, full, BATCH],
    [full, samples, samples - full],
  ] as const) {
    if (from === to) continue;
    const { executable, write } = await openInference(model, bindGraph(graph, { B: size }), backend);
    try {
      for (let at = from; at < to; at += size) {
        for (const [name, data] of Object.entries(fields)) {
          const width = data.length / samples;
          write(name, data.subarray(at * width, (at + size) * width));
        }
        executable.run(graph.name, 1);
        for (const [name, read] of parts) read.push(await executable.read(name));
      }
    } finally {
      executable.dispose();
    }
  }
  const bound = bindGraph(graph, { B: 1 });
  return Object.fromEntries(
    bound.outputs.map(({ name, value }) => {
      const shape = concreteShape(bound.nodes[value]!.type).slice(1);
      return [name, { shape, data: Float32Array.from(parts.get(name)!.flatMap(part => [...part])) }];
    }),
  );
}

interface Reader {
  readonly target: string;
  readonly read: (sample: number) => Said;
}

function readerOf(
  program: Program,
  { target, as }: Prediction,
  fitted: ReturnType<typeof restoreFitted>,
  { shape, data }: Output,
): Reader {
  const width = shape.reduce((product, size) => product * size, 1);
  const numbers = (sample: number): number[] => [...data.subarray(sample * width, (sample + 1) * width)];
  switch (as) {
    case 'scores':
    case 'logs':
      return {
        target,
        read: sample => classesOf(numbers(sample), shape.at(-1) ?? 1, classNames(program.data, target)),
      };
    case 'odds':
      return {
        target,
        read: sample => ({ kind: 'probability', numbers: numbers(sample).map(x => 1 / (1 + Math.exp(-x))) }),
      };
    case 'probability':
      return { target, read: sample => ({ kind: 'probability', numbers: numbers(sample) }) };
    case 'count':
      return { target, read: sample => ({ kind: 'value', numbers: numbers(sample).map(Math.exp) }) };
    case 'value': {
      const undo = inverseOf(program.data, target, fitted);
      return { target, read: sample => ({ kind: 'value', numbers: undo(numbers(sample)) }) };
    }
  }
}

/** Softmax of scores, and of logs of probabilities, which it leaves as they are. */
function classesOf(numbers: readonly number[], classes: number, names: readonly string[] | undefined): Said {
  const nameOf = (index: number): string => names?.[index] ?? String(index);
  const rows = Array.from({ length: numbers.length / classes }, (_, row) =>
    numbers.slice(row * classes, (row + 1) * classes),
  );
  const best = rows.map(row => row.indexOf(Math.max(...row)));
  const [only, ...others] = rows;
  if (only === undefined || others.length > 0) return { kind: 'classes', names: best.map(nameOf) };
  const shares = only.map(score => Math.exp(score - only[best[0]!]!));
  const total = shares.reduce((sum, share) => sum + share, 0);
  return {
    kind: 'class',
    name: nameOf(best[0]!),
    probability: shares[best[0]!]! / total,
    probabilities: Object.fromEntries(shares.map((share, index) => [nameOf(index), share / total])),
  };
}

/**
 * From the numbers of a field to those of its column, where each is a * column + b, as `scale` and `standardize` make them: a and b are read off the
 * transforms at three values of the column. The numbers as they are where the transforms are of another kind.
 */
function inverseOf(
  plan: DataPlan,
  field: string,
  fitted: ReturnType<typeof restoreFitted>,
): (numbers: readonly number[]) => readonly number[] {
  const graph = bindGraph(planFor(plan, [field]).prepare, { B: 1 });
  const columns = graph.nodes.filter(({ op, attributes }) => op === 'input' && !(String(attributes.name) in fitted));
  const [column] = columns;
  if (graph.outputs.length === 0 || column === undefined || columns.length > 1) return numbers => numbers;
  const at = (value: number): ArrayLike<number> => {
    const shape = concreteShape(column.type);
    const size = shape.reduce((product, n) => product * n, 1);
    const leaves = Object.entries(fitted).map(([name, { shape: sizes, data }]) => [
      name,
      { dtype: 'f32' as const, shape: sizes, data: Float64Array.from(data) },
    ]);
    const own = { dtype: column.type.dtype, shape, data: new Float64Array(size).fill(value) };
    return evaluateGraph(graph, { ...Object.fromEntries(leaves), [String(column.attributes.name)]: own })[field]!.data;
  };
  const [zero, one, two] = [at(0), at(1), at(2)];
  const lines = Array.from(zero, (b, i) => ({ a: one[i]! - b, b, bend: two[i]! - 2 * one[i]! + b }));
  const straight = lines.every(({ a, bend }) => a !== 0 && Math.abs(bend) <= 1e-9 * Math.abs(a));
  if (!straight) return numbers => numbers;
  return numbers =>
    numbers.length % lines.length === 0
      ? numbers.map((y, i) => (y - lines[i % lines.length]!.b) / lines[i % lines.length]!.a)
      : numbers;
}
