/** A compiled run on one backend: the step graphs, the data on the device, and the few ways to look inside. */
import { setTimeout } from 'node:timers/promises';
import type { Backend, Executable, HostArray } from '../backend/backend.ts';
import type { SplitData } from '../data/dataset.ts';
import { balancedOrder, epochOrder, samplesByClass } from '../data/shuffle.ts';
import type { Program } from '../ir/program.ts';
import { never } from '../util/errors.ts';
import { schedulesOf } from './compile.ts';
import type { Metrics, Tables } from './events.ts';
import { metricsOf, tablesOf } from './metrics.ts';
import { FIRST_SCALING } from './scaling.ts';
import { BUFFERS, fieldBuffer, ORDER, passOf, type SplitName, type StepLayout, type Steps } from './step.ts';

/** Values of the buffers that a checkpoint keeps: the flat parameters and moments by buffer name, and the step. */
export interface Weights {
  readonly step: number;
  readonly buffers: Readonly<Record<string, Float32Array>>;
}

/** What a split says of the weights. */
export interface Measured {
  readonly metrics: Metrics;
  readonly tables: Tables;
}

export interface Session {
  readonly backend: Backend;
  readonly executable: Executable;
  readonly layout: StepLayout;
  /** Tells the device the order of samples in an epoch (from 0). */
  setOrder(epoch: number): void;
  /** Tells the device the factors of the schedules that follow a metric. */
  setFactors(factors: readonly number[]): void;
  /**
   * How many of `times` training steps after `step` can run: all in steady state. Only the first step's entry is compiled before training
   * starts, so this waits for another one where that is next. `goOn` is awaited meanwhile; 0 where it has returned false. Rejects with
   * what compiling has rejected with.
   */
  readySteps(step: number, times: number, goOn: () => Promise<boolean>): Promise<number>;
  /** Waits for entries in the same way; false where `goOn` has returned it. */
  ready(entries: readonly string[], goOn: () => Promise<boolean>): Promise<boolean>;
  /** Runs `times` training steps after `step` steps; they must lie in one epoch and be ready. */
  train(step: number, times: number): void;
  /** Rows of the metric ring for `count` steps after `from` steps, [count, columns]. */
  readRows(from: number, count: number): Promise<Float32Array>;
  /** 0, or the step (from 1) that was not finite. */
  readBad(): Promise<number>;
  /** Means over a split with the weights as they are; `pause` is awaited between chunks of batches and may end it by returning false. */
  evaluate(split: SplitName, pause: () => Promise<boolean>): Promise<Measured | undefined>;
  readWeights(step: number): Promise<Weights>;
  /** Puts weights and moments back; absent moments are zero. Clears what else a step leaves. */
  writeWeights(weights: Weights): void;
  dispose(): Promise<void>;
}

/** Milliseconds of evaluation between two looks at the controls, and the most batches in them. */
const EVALUATION_MS = 25;
const EVALUATION_BATCHES = 64;

/** Compiles `steps` on `backend` and uploads the data; weights are still to be written. */
export async function openSession(program: Program, steps: Steps, data: SplitData, backend: Backend): Promise<Session> {
  const { layout } = steps;
  const { full: fullBatches } = passOf(layout, 'train');
  const device = await openDevice(backend, steps, fullBatches > 0 ? 'train' : 'trainLast');
  const { executable } = device;
  writeInputs(device, program, layout, data);
  const fullOf = (step: number, times: number) =>
    Math.max(0, Math.min(times, fullBatches - (step % layout.stepsPerEpoch)));
  const order = new Int32Array(layout.counts.train);
  const fill = orderOf(program, data);
  return {
    backend,
    executable,
    layout,
    setOrder(epoch) {
      fill(order, epoch);
      device.write(ORDER, order);
    },
    setFactors(factors) {
      if (factors.length > 0) device.write(BUFFERS.plateau, Float32Array.from(factors));
    },
    async readySteps(step, times, goOn) {
      if (device.isReady()) return times;
      const full = fullOf(step, times);
      return (await readyUnless(device, [full > 0 ? 'train' : 'trainLast'], goOn)) ? full || times : 0;
    },
    ready: (entries, goOn) => readyUnless(device, entries, goOn),
    train(step, times) {
      const full = fullOf(step, times);
      if (full > 0) executable.run('train', full);
      if (times > full) executable.run('trainLast', times - full);
    },
    readRows: (from, count) => readRows(executable, layout, from, count),
    readBad: async () => (await executable.read(BUFFERS.bad))[0] ?? 0,
    evaluate: (split, pause) => evaluate(device, layout, split, pause),
    readWeights: async step => ({ step, buffers: await readAll(device, weightBuffers(layout)) }),
    writeWeights: weights => writeWeights(device, layout, weights),
    dispose: async () => {
      executable.dispose();
      await backend.dispose();
    },
  };
}

/** Writes the order of the training samples in an epoch. */
function orderOf({ run: { seed }, data: { shuffle, balance } }: Program, { counts, fields }: SplitData) {
  if (balance === undefined) {
    const all = Int32Array.from({ length: counts.train }, (_, i) => i);
    return (order: Int32Array, epoch: number) => epochOrder(order, all, seed, epoch, shuffle);
  }
  const labels = fields.train[balance];
  if (labels === undefined) throw never('the field that samples are balanced by is not prepared', balance);
  const classes = samplesByClass(labels);
  return (order: Int32Array, epoch: number) => balancedOrder(order, classes, seed, epoch);
}

/** The executable's named buffers. What no step reads or writes (the seed without dropout, a frozen weight that isn't used) is not there. */
interface Device {
  readonly executable: Executable;
  /** Whether all entries can run. */
  isReady(): boolean;
  /** Writes a buffer, or keeps its contents here where the device has none of that name. */
  write(name: string, data: HostArray): void;
  read(name: string): Promise<HostArray>;
}

async function openDevice(backend: Backend, steps: Steps, first: string): Promise<Device> {
  const schedules = schedulesOf(steps, backend.memory);
  const executable = await backend.compile(schedules, { first: [first] });
  const held = new Set(
    schedules.flatMap(each => each.buffers).flatMap(each => (each.kind === 'temporary' ? [] : [each.name])),
  );
  const kept = new Map<string, HostArray>();
  let isReady = false;
  executable.ready().then(
    () => {
      isReady = true;
    },
    // Who waits for the entry that failed is told.
    () => undefined,
  );
  return {
    executable,
    isReady: () => isReady,
    write(name, data) {
      if (held.has(name)) executable.write(name, data);
      else kept.set(name, data);
    },
    read: async name => (held.has(name) ? executable.read(name) : (kept.get(name) ?? new Float32Array(0))),
  };
}

/** Names of the flat buffers of parameters and moments, and of the loss scale. */
export function weightBuffers({ groups, moments, mixed }: StepLayout): string[] {
  return [...[...groups, ...moments].map(each => each.buffer), ...(mixed ? [BUFFERS.scaling] : [])];
}

function writeInputs(device: Device, program: Program, layout: StepLayout, data: SplitData): void {
  const wanted = new Set(layout.buffers.filter(buffer => buffer.kind === 'input').map(buffer => buffer.name));
  device.write(BUFFERS.seed, Int32Array.of(program.run.seed));
  if (layout.plateaus.length > 0) device.write(BUFFERS.plateau, new Float32Array(layout.plateaus.length).fill(1));
  for (const split of ['train', 'validation', 'test'] as const) {
    for (const [field, values] of Object.entries(data.fields[split])) {
      const name = fieldBuffer(split, field);
      if (wanted.has(name)) device.write(name, values);
    }
  }
}

/** Waits for entries that are compiled while the run trains; looks at the controls meanwhile. */
async function readyUnless(
  { executable, isReady }: Device,
  entries: readonly string[],
  goOn: () => Promise<boolean>,
): Promise<boolean> {
  if (isReady()) return true;
  let pending = true;
  const ready = executable.ready(entries).finally(() => {
    pending = false;
  });
  while (pending) {
    await Promise.race([ready, setTimeout(EVALUATION_MS)]);
    if (pending && !(await goOn())) return false;
  }
  await ready;
  return true;
}

function evaluationEntries(layout: StepLayout, split: SplitName): readonly string[] {
  const { full, rest } = passOf(layout, split);
  return [...(full > 0 ? [split] : []), ...(rest > 0 ? [`${split}Last`] : [])];
}

async function readRows(
  executable: Executable,
  { ring }: StepLayout,
  from: number,
  count: number,
): Promise<Float32Array> {
  const width = ring.columns.length;
  const rows = new Float32Array(count * width);
  for (let done = 0; done < count; ) {
    const row = (from + done) % ring.rows;
    const run = Math.min(count - done, ring.rows - row);
    rows.set(await executable.read(BUFFERS.ring, row * width, run * width), done * width);
    done += run;
  }
  return rows;
}

async function evaluate(
  device: Device,
  layout: StepLayout,
  split: SplitName,
  pause: () => Promise<boolean>,
): Promise<Measured | undefined> {
  const { full, rest } = passOf(layout, split);
  const { columns } = layout.sums;
  const { executable } = device;
  if (!(await readyUnless(device, evaluationEntries(layout, split), pause))) return undefined;
  device.write(BUFFERS.evaluated, Int32Array.of(0));
  device.write(BUFFERS.sums, new Float32Array(columns.length));
  for (let done = 0, times = 1; done < full; ) {
    const start = performance.now();
    executable.run(split, Math.min(times, full - done));
    await executable.sync();
    done += times;
    if (!(await pause())) return undefined;
    times = Math.min(
      EVALUATION_BATCHES,
      Math.max(1, Math.round((times * EVALUATION_MS) / (performance.now() - start))),
    );
  }
  if (rest > 0) executable.run(`${split}Last`, 1);
  await executable.sync();
  const sums = await executable.read(BUFFERS.sums);
  const means = Array.from(sums, sum => sum / layout.counts[split]);
  return { metrics: metricsOf(layout, means), tables: tablesOf(layout, means) };
}

async function readAll(device: Device, names: readonly string[]): Promise<Record<string, Float32Array>> {
  const read: Record<string, Float32Array> = {};
  for (const name of names) read[name] = asFloats(await device.read(name));
  return read;
}

function asFloats(values: HostArray): Float32Array {
  return values instanceof Float32Array ? values : Float32Array.from(values);
}

function writeWeights(device: Device, layout: StepLayout, { step, buffers }: Weights): void {
  for (const { buffer, length } of layout.groups) device.write(buffer, buffers[buffer] ?? new Float32Array(length));
  for (const { buffer, group } of layout.moments)
    device.write(buffer, buffers[buffer] ?? new Float32Array(group.length));
  if (layout.mixed) device.write(BUFFERS.scaling, buffers[BUFFERS.scaling] ?? Float32Array.from(FIRST_SCALING));
  device.write(BUFFERS.step, Int32Array.of(step));
  device.write(BUFFERS.bad, Int32Array.of(0));
}
