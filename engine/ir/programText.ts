/** The wire form of Programs: JSON in which graphs are their printed text. What a run folder keeps as `program.json`. */
import * as v from 'valibot';
import { EngineError } from '../util/errors.ts';
import type { Graph } from './graph.ts';
import { parseGraph } from './parse.ts';
import { printGraph } from './print.ts';
import { type CallArgument, PROGRAM_VERSION, type Program } from './program.ts';

export function printProgram(program: Program): string {
  const graphs = (_key: string, value: unknown): unknown =>
    isGraph(value) ? printGraph(value).split('\n').slice(0, -1) : value;
  return `${JSON.stringify(program, graphs, 2)}\n`;
}

/** The inverse of printProgram. The text is untrusted: throws EngineError `program-malformed` that names `file` and the place. */
export function parseProgram(text: string, file: string): Program {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new EngineError('program-malformed', `${file} is not JSON; start the run anew from its source`, { cause });
  }
  const version = typeof json === 'object' && json !== null && 'version' in json ? json.version : undefined;
  if (version !== PROGRAM_VERSION) {
    throw new EngineError(
      'program-malformed',
      `expected ${file} of version ${PROGRAM_VERSION}, found ${JSON.stringify(version)}; start the run anew from its source`,
    );
  }
  const parsed = v.safeParse(programSchema, json);
  if (parsed.success) return parsed.output as Program;
  const issue = parsed.issues[0];
  const place = issue.path?.map(step => String(step.key)).join('.') ?? '';
  throw new EngineError('program-malformed', `${file}: ${place}: ${issue.message}; start the run anew from its source`);
}

function isGraph(value: unknown): value is Graph {
  return typeof value === 'object' && value !== null && 'nodes' in value && 'outputs' in value;
}

const graph = v.pipe(
  v.array(v.string()),
  v.rawTransform(({ dataset, addIssue, NEVER }) => {
    try {
      return parseGraph(dataset.value.join('\n'));
    } catch (error) {
      addIssue({ message: error instanceof Error ? error.message : String(error) });
      return NEVER;
    }
  }),
);
const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const shape = v.array(count);
const argument: v.GenericSchema<CallArgument> = v.lazy(() =>
  v.union([v.number(), v.string(), v.boolean(), v.array(v.number()), v.array(v.string()), call]),
);
const call = v.object({ name: v.string(), args: v.record(v.string(), argument) });
const init = v.variant('kind', [
  v.object({ kind: v.literal('fitted'), fit: v.string() }),
  v.object({ kind: v.literal('constant'), value: v.number() }),
  v.object({ kind: v.literal('uniform'), bound: v.number() }),
  v.object({ kind: v.literal('normal'), std: v.number() }),
]);
const column = v.object({
  name: v.string(),
  dtype: v.picklist(['f32', 'i32', 'u32', 'bool', 'u8']),
  shape,
  classes: v.optional(count),
  classNames: v.optional(v.array(v.string())),
  rate: v.optional(count),
});
const parts = v.pipe(count, v.minValue(1));
const statistic = v.variant('kind', [
  v.object({ kind: v.picklist(['mean', 'median', 'moments']) }),
  v.object({ kind: v.literal('quantiles'), count: parts }),
  v.object({ kind: v.picklist(['mode', 'balance']), classes: parts }),
]);
const dataPlan = v.object({
  name: v.string(),
  source: call,
  test: v.optional(call),
  split: v.object({ validation: v.optional(v.number()), test: v.optional(v.number()) }),
  batch: v.pipe(count, v.minValue(1)),
  shuffle: v.boolean(),
  balance: v.optional(v.string()),
  columns: v.array(column),
  prepare: graph,
  fits: v.optional(v.array(v.object({ name: v.string(), statistic }))),
  classes: v.optional(v.record(v.string(), parts)),
  augment: v.optional(graph),
});
const runPlan = v.object({
  epochs: v.optional(count),
  steps: v.optional(count),
  seed: v.pipe(v.number(), v.safeInteger()),
  device: v.picklist(['auto', 'webgpu', 'cpu']),
  stop: v.optional(v.object({ monitor: v.string(), patience: count, minDelta: v.number() })),
  clip: v.optional(v.number()),
  clipValue: v.optional(v.number()),
  accumulate: v.optional(v.pipe(count, v.minValue(1))),
  precision: v.optional(v.literal('mixed')),
  average: v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(1))),
  checkpoint: v.optional(
    v.object({ every: v.pipe(count, v.minValue(1)), keep: v.optional(v.pipe(count, v.minValue(1))) }),
  ),
  init: v.optional(v.array(v.object({ over: v.string(), from: v.string() }))),
});
const side = v.pipe(count, v.minValue(1));
const viewFormat = v.variant('kind', [
  v.object({ kind: v.literal('numbers') }),
  v.object({
    kind: v.literal('image'),
    channels: v.picklist([1, 3]),
    height: side,
    width: side,
    order: v.picklist(['planes', 'pixels']),
  }),
  v.object({ kind: v.literal('audio'), rate: side }),
  v.object({ kind: v.literal('text'), column: v.string() }),
  v.object({
    kind: v.literal('generate'),
    prompt: v.string(),
    tokens: count,
    temperature: v.pipe(v.number(), v.minValue(0)),
    topK: v.optional(side),
  }),
]);
const view = v.object({ name: v.string(), output: v.string(), as: viewFormat });
const reading = v.picklist(['scores', 'logs', 'odds', 'probability', 'count', 'value']);
const prediction = v.object({ output: v.string(), target: v.string(), as: reading });
const programSchema = v.object({
  version: v.literal(PROGRAM_VERSION),
  name: v.string(),
  data: dataPlan,
  parameters: v.array(v.object({ name: v.string(), shape, init, trainable: v.boolean() })),
  train: graph,
  evaluate: graph,
  objectives: v.array(v.object({ loss: v.string(), over: v.array(v.string()), optimizer: call })),
  reports: v.array(
    v.object({
      name: v.string(),
      better: v.picklist(['lower', 'higher']),
      finish: v.optional(graph),
      classesOf: v.optional(v.string()),
    }),
  ),
  run: runPlan,
  infer: v.optional(graph),
  views: v.optional(v.array(view)),
  predictions: v.optional(v.array(prediction)),
  choice: v.optional(v.record(v.string(), v.number())),
});
