/** What the panel's page and its host say to each other, checked at run time on both sides. */
import * as v from 'valibot';
import type { RunEvent } from '../../engine/train/events.ts';
import type { RunHistory, RunSummary } from '../../server/runs/runs.ts';

/** JSON has no NaN: it arrives as null. */
const number = v.pipe(
  v.nullable(v.number()),
  v.transform(value => value ?? Number.NaN),
);
const metrics = v.record(v.string(), number);
const state = v.picklist(['starting', 'running', 'paused', 'finished', 'stopped', 'failed', 'died']);

const start = v.object({
  type: v.literal('start'),
  run: v.string(),
  name: v.string(),
  time: number,
  device: v.string(),
  backend: v.picklist(['reference', 'wasm', 'webgpu']),
  seed: number,
  parameters: number,
  trainSamples: number,
  validationSamples: number,
  batch: number,
  stepsPerEpoch: number,
  steps: number,
  epochs: number,
  fromStep: number,
  bytes: number,
});
const step = v.object({
  type: v.literal('step'),
  step: number,
  epoch: number,
  loss: number,
  lr: number,
  metrics,
  time: number,
});
const epoch = v.object({
  type: v.literal('epoch'),
  epoch: number,
  step: number,
  train: metrics,
  validation: v.exactOptional(metrics),
  seconds: number,
  stepsPerSecond: number,
  samplesPerSecond: number,
  time: number,
});
const change = v.object({ type: v.literal('state'), state, step: number, time: number });
const checkpoint = v.object({ type: v.literal('checkpoint'), step: number, path: v.string(), best: v.boolean() });
const done = v.object({
  type: v.literal('done'),
  reason: v.picklist(['finished', 'stopped', 'early-stop', 'failed']),
  step: number,
  epoch: number,
  stepsPerSecond: number,
  device: v.string(),
  checkpoint: v.exactOptional(v.string()),
  metrics,
  tables: v.exactOptional(v.record(v.string(), v.array(v.array(number)))),
  classes: v.exactOptional(v.record(v.string(), v.array(v.string()))),
  error: v.exactOptional(v.object({ code: v.string(), message: v.string() })),
  time: number,
});

/** A file of the run folder's samples. */
const samplePath = v.pipe(v.string(), v.regex(/^samples\/[\w-]+\.(?:png|wav|json)$/));
const samples = v.object({
  type: v.literal('samples'),
  epoch: number,
  step: number,
  name: v.string(),
  kind: v.picklist(['image', 'audio', 'text', 'numbers']),
  items: number,
  paths: v.array(samplePath),
  time: number,
});

const event = v.variant('type', [start, step, epoch, samples, change, checkpoint, done]) satisfies v.GenericSchema<
  unknown,
  RunEvent
>;
const landmark = v.variant('type', [start, epoch, samples, change, checkpoint, done]);

const summary = v.object({
  id: v.string(),
  folder: v.string(),
  name: v.string(),
  source: v.string(),
  choice: v.exactOptional(v.string()),
  state,
  step: number,
  steps: number,
  epoch: number,
  loss: v.exactOptional(number),
  started: number,
  resumable: v.boolean(),
}) satisfies v.GenericSchema<unknown, RunSummary>;

const history = v.object({
  summary,
  events: v.array(landmark),
  steps: v.object({
    step: v.array(number),
    loss: v.array(number),
    lr: v.array(number),
    metrics: v.record(v.string(), v.array(number)),
  }),
}) satisfies v.GenericSchema<unknown, RunHistory>;

const toPanel = v.variant('type', [
  /** The click has been heard; the run does not exist yet. */
  v.object({ type: v.literal('starting'), name: v.string(), source: v.string() }),
  v.object({ type: v.literal('history'), history }),
  v.object({ type: v.literal('events'), summary, events: v.array(event) }),
  /** The run could not start, or is gone. */
  v.object({ type: v.literal('problem'), message: v.string(), code: v.exactOptional(v.string()) }),
  /** What a file of the samples holds: a data URI of an image or a sound, or JSON; null where it can't be read. */
  v.object({ type: v.literal('sample'), path: samplePath, content: v.nullable(v.string()) }),
  /** A command of the page was carried out or refused: its button may be pressed again. */
  v.object({ type: v.literal('answered') }),
]);

const fromPanel = v.variant('type', [
  /** The page listens; also after it was hidden and shown again. */
  v.object({ type: v.literal('ready') }),
  v.object({ type: v.literal('command'), command: v.picklist(['pause', 'continue', 'stop', 'resume']) }),
  /** The page wants to show a file of the samples. */
  v.object({ type: v.literal('sample'), path: samplePath }),
  v.object({ type: v.literal('show'), what: v.picklist(['source', 'log', 'folder']) }),
]);

const sampleItems = v.object({
  items: v.array(
    v.union([
      v.string(),
      v.object({ shape: v.array(v.number()), numbers: v.array(v.union([v.number(), v.string()])) }),
    ]),
  ),
});
/** The items of a text or a table. */
export type SampleItem = v.InferOutput<typeof sampleItems>['items'][number];

/** None where the text is not what the engine writes. */
export function parseSampleItems(text: string): readonly SampleItem[] {
  try {
    const result = v.safeParse(sampleItems, JSON.parse(text));
    return result.success ? result.output.items : [];
  } catch {
    return [];
  }
}

/** What the page keeps over reloads. The run itself is fetched anew by its folder. */
const saved = v.object({
  folder: v.exactOptional(v.string()),
  log: v.exactOptional(v.boolean()),
  smoothing: v.exactOptional(v.number()),
  hidden: v.exactOptional(v.array(v.string())),
  /** The epoch whose samples are looked at; the newest where it is left out. */
  epoch: v.exactOptional(v.number()),
});

/** The contract's own types in place of the mutable copies that validation makes. */
export type ToPanel =
  | Exclude<v.InferOutput<typeof toPanel>, { type: 'history' | 'events' }>
  | { readonly type: 'history'; readonly history: RunHistory }
  | { readonly type: 'events'; readonly summary: RunSummary; readonly events: readonly RunEvent[] };
export type FromPanel = v.InferOutput<typeof fromPanel>;
export type RunCommand = Extract<FromPanel, { type: 'command' }>['command'];
export type SavedState = v.InferOutput<typeof saved>;

/** Undefined when the message is not one of ours: both sides then drop it. */
export function parseToPanel(data: unknown): ToPanel | undefined {
  const result = v.safeParse(toPanel, data);
  return result.success ? result.output : undefined;
}

/** As `parseToPanel`, for the other direction. */
export function parseFromPanel(data: unknown): FromPanel | undefined {
  const result = v.safeParse(fromPanel, data);
  return result.success ? result.output : undefined;
}

/** An unknown or older state counts as none. */
export function parseSaved(data: unknown): SavedState {
  const result = v.safeParse(saved, data);
  return result.success ? result.output : {};
}

/** Checks a message that came from the language server before anything relies on it. */
export function parseRunMessage(data: unknown): { summary: RunSummary; events: RunEvent[] } | undefined {
  const result = v.safeParse(v.object({ summary, events: v.array(event) }), data);
  return result.success ? result.output : undefined;
}
