/** The loop on the reference backend: events, epochs, checkpoints that resume bit for bit, stopping, and what can go wrong. */
import { copyFileSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { referenceBackend } from '../../../engine/backend/reference/reference.ts';
import { wasmBackend } from '../../../engine/backend/wasm/index.ts';
import { workspacePaths } from '../../../engine/data/paths.ts';
import type { Call, Program } from '../../../engine/ir/program.ts';
import { writeAtomic } from '../../../engine/train/atomicFile.ts';
import { readCheckpoint } from '../../../engine/train/checkpoint.ts';
import { evaluateSplit } from '../../../engine/train/evaluate.ts';
import type { DoneEvent, RunEvent, StepEvent } from '../../../engine/train/events.ts';
import { createRecorder } from '../../../engine/train/recorder.ts';
import { encodeSafetensors } from '../../../engine/train/safetensors.ts';
import { buildSteps } from '../../../engine/train/step.ts';
import { createTrainer, type Trainer, type TrainerOptions } from '../../../engine/train/trainer.ts';
import { EngineError } from '../../../engine/util/errors.ts';
import { temporaryFolder } from '../../support/files.ts';
import { call } from '../../support/macros.ts';
import { moonsProgram } from '../../support/moons.ts';

const paths = { last: 'last.safetensors', best: 'best.safetensors' };
const reference = async () => referenceBackend();

interface Outcome {
  readonly done: DoneEvent;
  readonly events: readonly RunEvent[];
  readonly folder: string;
}

/** Trains to the end; `watch` sees each event and may use the controls. */
async function train(
  program: Program,
  options: Partial<TrainerOptions> = {},
  watch: (event: RunEvent, trainer: Trainer) => void = () => {},
): Promise<Outcome> {
  const folder = options.folder ?? temporaryFolder();
  const events: RunEvent[] = [];
  const trainer = createTrainer({
    program,
    folder,
    paths,
    resolvePath: workspacePaths(folder),
    open: { wasm: reference, webgpu: reference },
    emit: more => {
      events.push(...more);
      for (const event of more) watch(event, trainer);
    },
    ...options,
  });
  return { done: await trainer.run(), events, folder };
}

const stepsOf = (events: readonly RunEvent[]): StepEvent[] => events.filter(event => event.type === 'step');
const curve = (events: readonly RunEvent[]) => stepsOf(events).map(({ time: _, ...event }) => event);
const epochsOf = (events: readonly RunEvent[]) =>
  events.flatMap(event =>
    event.type === 'epoch' ? [{ step: event.step, train: event.train, validation: event.validation }] : [],
  );

async function resume(program: Program, folder: string, path = join(folder, paths.last)): Promise<Outcome> {
  return train(program, { folder, resumeFrom: { checkpoint: await readCheckpoint(path), path } });
}

test('a run tells its start, every step, its epochs, its checkpoints and its end', async () => {
  const { done, events, folder } = await train(moonsProgram({ run: { epochs: 8 } }));
  expect(done.error).toBeUndefined();
  expect(events.find(event => event.type === 'start')).toMatchObject({
    name: 'moons',
    backend: 'reference',
    seed: 7,
    parameters: 42,
    trainSamples: 160,
    validationSamples: 20,
    batch: 30,
    stepsPerEpoch: 6,
    steps: 48,
    epochs: 8,
    fromStep: 0,
  }); // 160 = 5 * 30 + 10
  expect(stepsOf(events).map(event => [event.step, event.epoch])).toEqual(
    Array.from({ length: 48 }, (_, i) => [i + 1, Math.floor(i / 6) + 1]),
  );
  expect(events.filter(event => event.type === 'epoch').map(event => event.step)).toEqual([
    6, 12, 18, 24, 30, 36, 42, 48,
  ]);
  expect(events.flatMap(event => (event.type === 'state' ? [event.state] : []))).toEqual([
    'starting',
    'running',
    'finished',
  ]);
  expect(done).toMatchObject({ type: 'done', reason: 'finished', step: 48, epoch: 8, checkpoint: paths.last });
  expect(Object.keys(done.metrics).sort()).toEqual([
    'accuracy',
    'loss',
    'test.accuracy',
    'test.loss',
    'validation.accuracy',
    'validation.loss',
  ]);
  expect(done.metrics['test.accuracy']).toBeGreaterThanOrEqual(0.8);
  const losses = stepsOf(events).map(event => event.loss);
  expect(Math.min(...losses.slice(-6))).toBeLessThan(losses[0]! / 2);
  expect((await readCheckpoint(join(folder, paths.best))).state.best.best).toBe(
    Math.min(...epochsOf(events).map(epoch => epoch.validation!.loss!)),
  );
});

test('an epoch is told as the mean over its samples, the partial batch by its size', async () => {
  const { events } = await train(moonsProgram({ run: { epochs: 2 } }));
  const second = stepsOf(events).slice(6, 12);
  const mean = second.reduce((sum, event, at) => sum + event.loss * (at < 5 ? 30 : 10), 0) / 160;
  expect(epochsOf(events)[1]!.train.loss).toBeCloseTo(mean, 6);
});

test('the same seed gives the same bits, another seed others', async () => {
  const runs = await Promise.all([7, 7, 8].map(seed => train(moonsProgram({ run: { seed } }))));
  const [a, b, c] = runs.map(({ folder }) => readFileSync(join(folder, paths.last)));
  expect(curve(runs[0]!.events)).toEqual(curve(runs[1]!.events));
  expect(a).toEqual(b);
  expect(a).not.toEqual(c);
});

test('threads of the CPU backend do not change a bit, though epochs end in partial batches all the time', async () => {
  const program = moonsProgram({ hidden: 768, run: { epochs: 40 } });
  const weights = await Promise.all(
    [1, 2].map(async threads => {
      const open = () => wasmBackend({ threads });
      const { done, folder } = await train(program, { open: { wasm: open, webgpu: open } });
      expect(done.error).toBeUndefined();
      return readFileSync(join(folder, paths.last));
    }),
  );
  expect(weights[0]).toEqual(weights[1]);
});

test.each([3, 6, 8, 11])(
  'stopped at step %i and resumed: curve, epochs and weights are those of the uninterrupted run',
  async at => {
    const program = moonsProgram({ run: { epochs: 4 } });
    const whole = await train(program);
    const { folder } = await train(moonsProgram({ run: { epochs: 4 } }), { pace: oneByOne }, (event, trainer) => {
      if (event.type === 'step' && event.step >= at) trainer.control.stop();
    });
    const { state } = await readCheckpoint(join(folder, paths.last));
    expect(state.step).toBeGreaterThanOrEqual(at);
    expect(state.step).toBeLessThan(24);
    const rest = await resume(program, folder);
    expect(rest.events.find(event => event.type === 'start')).toMatchObject({ fromStep: state.step });
    expect(curve(rest.events)).toEqual(curve(whole.events).slice(state.step));
    expect(epochsOf(rest.events)).toEqual(epochsOf(whole.events).slice(-epochsOf(rest.events).length));
    expect(rest.done.metrics).toEqual(whole.done.metrics);
    expect(readFileSync(join(folder, paths.last))).toEqual(readFileSync(join(whole.folder, paths.last)));
  },
);

const settings: Readonly<Record<string, { run?: Partial<Program['run']>; optimizer?: Call }>> = {
  'accumulated gradients': { run: { accumulate: 4 } },
  'an average of the weights': { run: { average: 0.9 } },
  'a plateau of the validation loss': {
    optimizer: call('adam', 'optimizer', {
      lr: call('plateau', 'schedule', { lr: 0.2, patience: 0, factor: 0.3 }),
    }),
  },
  muon: { optimizer: call('muon', 'optimizer', { lr: 0.05 }) },
  'all of them': {
    run: { accumulate: 4, average: 0.9, clip: 1, clipValue: 0.3, checkpoint: { every: 1, keep: 2 } },
    optimizer: call('muon', 'optimizer', {
      lr: call('plateau', 'schedule', { lr: 0.2, patience: 0, factor: 0.3 }),
    }),
  },
};

describe.each(Object.entries(settings))('resumed with %s', (_, { run = {}, optimizer }) => {
  test.each([3, 8, 12, 17])('after step %i: curve, epochs and weights are those of the uninterrupted run', async at => {
    const base = moonsProgram({ run: { epochs: 4, ...run } });
    const program = optimizer ? { ...base, objectives: base.objectives.map(o => ({ ...o, optimizer })) } : base;
    const folder = temporaryFolder();
    const kept = join(folder, 'kept.safetensors');
    const whole = await train(program, { folder, pace: { ...oneByOne, checkpoint: -1 } }, event => {
      if (event.type === 'checkpoint' && event.step === at && event.path === paths.last)
        copyFileSync(join(folder, paths.last), kept);
    });
    const final = readFileSync(join(folder, paths.last));
    const rest = await resume(program, folder, kept);
    expect(rest.done.error).toBeUndefined();
    expect(curve(rest.events)).toEqual(curve(whole.events).slice(at));
    expect(epochsOf(rest.events)).toEqual(epochsOf(whole.events).slice(-epochsOf(rest.events).length));
    expect(readFileSync(join(folder, paths.last))).toEqual(final);
  });
});

test('a plateau lowers the learning rate from the epoch on after which its metric got no better', async () => {
  const lr = call('plateau', 'schedule', { lr: 0.2, patience: 1, factor: 0.5, threshold: 10 });
  const base = moonsProgram({ run: { epochs: 5 } });
  const optimizer = call('adam', 'optimizer', { lr });
  const program = { ...base, objectives: base.objectives.map(o => ({ ...o, optimizer })) };
  const { events } = await train(program);
  // Epoch 1 sets the mark that none can beat; the second and third miss it.
  const rates = stepsOf(events).filter(event => event.step % 6 === 0);
  expect(rates.map(event => Number(event.lr.toFixed(6)))).toEqual([0.2, 0.2, 0.2, 0.1, 0.1]);
});

test('checkpoints of epochs are kept as asked, the oldest give way', async () => {
  const { folder, events } = await train(moonsProgram({ run: { epochs: 7, checkpoint: { every: 2, keep: 2 } } }));
  const kept = readdirSync(folder).filter(name => name.startsWith('epoch-'));
  expect(kept.sort()).toEqual(['epoch-4.safetensors', 'epoch-6.safetensors']);
  const told = events.flatMap(event => (event.type === 'checkpoint' ? [event.path] : []));
  expect(told.filter(path => path.startsWith('epoch-'))).toEqual([2, 4, 6].map(n => `epoch-${n}.safetensors`));
  expect((await readCheckpoint(join(folder, 'epoch-4.safetensors'))).state.step).toBe(24);
});

describe('weights from before', () => {
  const tensors = new Map([
    ['fc1.weight', { shape: [8, 2], data: Float32Array.from({ length: 16 }, (_, i) => i / 16) }],
    ['fc1.bias', { shape: [8], data: Float32Array.from({ length: 8 }, (_, i) => 1 - i) }],
  ]);
  const startFrom = async (over: string, hidden = 8) => {
    const folder = temporaryFolder();
    await writeAtomic(join(folder, 'old.safetensors'), encodeSafetensors({ tensors, metadata: {} }));
    const init = [{ over, from: 'old.safetensors' }];
    // A learning rate of 0: the weights at the end are those of the start.
    return train(moonsProgram({ lr: 0, hidden, run: { init, steps: 1 } }), { folder });
  };

  test('fill the layer they are meant for, and no other', async () => {
    const { folder, done } = await startFrom('net.fc1');
    expect(done.error).toBeUndefined();
    const plain = await train(moonsProgram({ lr: 0, run: { steps: 1 } }));
    const read = async (at: string) => (await readCheckpoint(join(at, paths.last))).tensors;
    const [found, fresh] = [await read(folder), await read(plain.folder)];
    for (const name of ['fc1.weight', 'fc1.bias']) expect(found.get(`net.${name}`)).toEqual(tensors.get(name));
    for (const name of ['net.fc2.weight', 'net.fc2.bias']) expect(found.get(name)).toEqual(fresh.get(name));
  });

  test.each([
    ['net.fc1', 9, 'expected "fc1.weight" [9, 2], found [8, 2]'],
    ['net.fc2', 8, 'found no tensor of that name'],
  ])('that do not fit %s are refused', async (over, hidden, message) => {
    const { done } = await startFrom(over, hidden);
    expect(done.error).toMatchObject({ code: 'checkpoint-mismatch', message: expect.stringContaining(message) });
  });
});

test('with an average, checkpoints hold it under the names of the weights', async () => {
  const program = moonsProgram({ run: { average: 0.9, epochs: 2 } });
  const { folder, done } = await train(program);
  const path = join(folder, paths.last);
  const checkpoint = await readCheckpoint(path);
  const name = 'net.fc1.weight';
  expect(checkpoint.tensors.get(name)).not.toEqual(checkpoint.tensors.get(`training.${name}`));
  const options = { program, resolvePath: workspacePaths(folder), open: { wasm: reference, webgpu: reference } };
  const { metrics } = await evaluateSplit({ ...options, resumeFrom: { checkpoint, path } }, 'test');
  expect(metrics.loss).toBe(done.metrics['test.loss']);
});

/** Every step is a chunk of its own and is told at once. */
const oneByOne = { chunk: 0, drain: 0 };

test('a checkpoint within an epoch goes on in the middle of it', async () => {
  const program = moonsProgram({ run: { epochs: 2 } });
  const whole = await train(program);
  const folder = temporaryFolder();
  const kept = join(folder, 'kept.safetensors');
  await train(program, { folder, pace: { ...oneByOne, checkpoint: -1 } }, event => {
    if (event.type === 'checkpoint' && event.step === 8) copyFileSync(join(folder, paths.last), kept);
  });
  const rest = await resume(program, folder, kept);
  expect(curve(rest.events)).toEqual(curve(whole.events).slice(8));
  expect(epochsOf(rest.events)).toEqual(epochsOf(whole.events).slice(1));
  expect(readFileSync(join(folder, paths.last))).toEqual(readFileSync(join(whole.folder, paths.last)));
});

test('steps may end within an epoch, which is then told and validated', async () => {
  const { done, events } = await train(moonsProgram({ run: { steps: 8 } }));
  expect(done).toMatchObject({ reason: 'finished', step: 8, epoch: 2 });
  expect(epochsOf(events).map(epoch => epoch.step)).toEqual([6, 8]);
});

test('early stopping ends the run after the epochs without improvement, also when it is resumed', async () => {
  const program = moonsProgram({
    lr: 0,
    run: { epochs: 9, stop: { monitor: 'validation.loss', patience: 3, minDelta: 0 } },
  });
  const { done, events, folder } = await train(program);
  expect(done).toMatchObject({ reason: 'early-stop', epoch: 4 });
  expect(epochsOf(events)).toHaveLength(4);
  expect(await resume(program, folder)).toMatchObject({ done: { reason: 'early-stop', step: done.step } });
});

test('pause holds the run, continue lets it go on, both are told', async () => {
  let stepAtPause = 0;
  const { done, events } = await train(moonsProgram(), { pace: oneByOne }, (event, trainer) => {
    if (event.type === 'step' && event.step === 2) trainer.control.pause();
    if (event.type === 'state' && event.state === 'paused') {
      stepAtPause = event.step;
      setImmediate(() => trainer.control.continue());
    }
  });
  const states = events.flatMap(event => (event.type === 'state' ? [event.state] : []));
  expect(states).toEqual(['starting', 'running', 'paused', 'running', 'finished']);
  expect(stepAtPause).toBeLessThan(6);
  expect(done.reason).toBe('finished');
});

test('stopped while it still loads, a run ends at once and leaves nothing running', async () => {
  const controller = new AbortController();
  let disposed = (): void => {};
  const gone = new Promise<void>(resolve => {
    disposed = resolve;
  });
  const open = async () => {
    controller.abort();
    const backend = referenceBackend();
    return { ...backend, dispose: async () => disposed() };
  };
  const { done, events } = await train(moonsProgram(), {
    signal: controller.signal,
    open: { wasm: open, webgpu: open },
  });
  expect(done).toMatchObject({ reason: 'stopped', step: 0 });
  expect(events.map(event => event.type)).toEqual(['state', 'state', 'done']);
  await gone;
});

test('of very long runs every n-th step is told, and all are in the means', () => {
  const { layout } = buildSteps(moonsProgram({ run: { steps: 1_000_000 } }), { train: 160, validation: 0, test: 0 });
  const recorder = createRecorder(layout, { step: 0, sums: [], summed: 0 });
  const rows = Float32Array.from({ length: 12 * 3 }, (_, at) => Math.floor(at / 3) + 0.5); // loss, accuracy, lr of 12 steps
  expect(recorder.record(rows, Date.now()).map(event => [event.step, event.loss])).toEqual([
    [1, 0.5],
    [5, 4.5],
    [10, 9.5],
  ]);
  expect(recorder.recorded).toBe(12);
  expect(recorder.summed).toBe(320);
});

test('stop is answered within 200 ms of the request, and a signal stops too', { retry: 2 }, async () => {
  const controller = new AbortController();
  let asked = 0;
  const program = moonsProgram({
    hidden: 64,
    data: { source: { name: 'moons', args: { samples: 20_000 } } },
    run: { epochs: 100 },
  });
  const { done } = await train(program, { signal: controller.signal }, event => {
    if (event.type === 'step' && asked === 0) {
      asked = Date.now();
      controller.abort();
    }
  });
  expect(done.reason).toBe('stopped');
  expect(done.time - asked).toBeLessThan(200);
});

test('a loss that is not finite stops the run, names the operation and keeps the last good weights', async () => {
  const program = moonsProgram({ lr: 1e30 });
  const { done, folder, events } = await train(program);
  expect(done).toMatchObject({ reason: 'failed', error: { code: 'not-finite' } });
  expect(done.error!.message).toMatch(/^step \d+: \S+ .*gave (NaN|-?Infinity); lower the learning rate/);
  expect(stepsOf(events).every(event => Number.isFinite(event.loss))).toBe(true);
  const { tensors, state } = await readCheckpoint(join(folder, paths.last));
  expect(state.step).toBe(done.step);
  for (const { data } of tensors.values()) expect(data.every(value => Number.isFinite(value))).toBe(true);
});

test.each([
  ['a missing file', { source: { name: 'csv', args: { path: 'none.csv' } } }, 'data-missing'],
  ['a batch larger than the data', { batch: 500 }, 'batch-too-large'],
  ['a split of no samples', { split: { validation: 0.0001 } }, 'split-empty'],
  ['data that changed', { source: { name: 'digits', args: { samples: 200 } } }, 'data-malformed'],
])('%s ends in a coded error', async (_, data, code) => {
  const { done, events } = await train(moonsProgram({ data }));
  expect(done).toMatchObject({ reason: 'failed', step: 0, error: { code } });
  expect(events.at(-1)).toEqual(done);
});

test('a report that is not finite is left out and hinders neither checkpoints nor resuming', async () => {
  const base = moonsProgram({ run: { epochs: 2 } });
  // accuracy becomes log(0): -Infinity on training data, as a perplexity may overflow.
  const broken = (graph: Program['train']): Program['train'] => {
    const at = graph.outputs.findIndex(output => output.name === 'accuracy');
    const zero = { op: 'constant', inputs: [], attributes: { value: 0 }, type: { dtype: 'f32' as const, shape: [] } };
    const log = { op: 'log', inputs: [graph.nodes.length], attributes: {}, type: zero.type };
    const outputs = graph.outputs.with(at, { ...graph.outputs[at]!, value: graph.nodes.length + 1 });
    return { ...graph, nodes: [...graph.nodes, zero, log], outputs };
  };
  const program = { ...base, train: broken(base.train) };
  const { done, events, folder } = await train(program, { pace: oneByOne }, (event, trainer) => {
    if (event.type === 'step' && event.step === 8) trainer.control.stop();
  });
  expect(done.reason).toBe('stopped');
  expect(stepsOf(events)[0]!.metrics).toEqual({});
  expect(epochsOf(events)[0]).toMatchObject({
    train: { loss: expect.any(Number) },
    validation: { accuracy: expect.any(Number) },
  });
  expect(epochsOf(events)[0]!.train).not.toHaveProperty('accuracy');
  expect((await resume(program, folder)).done).toMatchObject({ reason: 'finished', step: 12 });
});

test('a checkpoint of another model names the first difference', async () => {
  const { folder } = await train(moonsProgram());
  const other = await resume(moonsProgram({ hidden: 9 }), folder);
  expect(other.done.error).toMatchObject({
    code: 'checkpoint-mismatch',
    message: expect.stringContaining('expected "net.fc1.weight" f32 [9, 2], found [8, 2]'),
  });
});

test('a checkpoint over other data is not gone on from', async () => {
  const { folder } = await train(moonsProgram());
  const other = await resume(moonsProgram({ data: { split: { validation: 0.2 } } }), folder);
  expect(other.done.error).toMatchObject({
    code: 'checkpoint-mismatch',
    message: expect.stringContaining('expected 20 validation samples, found 40'),
  });
});

test('no room for metrics or checkpoints ends the run in disk-full; the checkpoint before is intact', async () => {
  const { done, folder } = await train(moonsProgram(), {}, event => {
    if (event.type === 'epoch' && event.epoch === 2) throw new EngineError('disk-full', 'no room');
  });
  expect(done).toMatchObject({ reason: 'failed', error: { code: 'disk-full' }, checkpoint: paths.last });
  expect((await readCheckpoint(join(folder, paths.last))).state.step).toBe(6);
});

test('a checkpoint is measured as it was at the end of its run', async () => {
  const program = moonsProgram();
  const { done, folder } = await train(program);
  const path = join(folder, paths.last);
  const resumeFrom = { checkpoint: await readCheckpoint(path), path };
  const options = {
    program,
    resolvePath: workspacePaths(folder),
    open: { wasm: reference, webgpu: reference },
    resumeFrom,
  };
  expect((await evaluateSplit(options, 'test')).metrics).toEqual({
    loss: done.metrics['test.loss'],
    accuracy: done.metrics['test.accuracy'],
  });
});

test('measuring a split without samples is refused', async () => {
  const program = moonsProgram({ data: { split: { validation: 0.1 } } });
  const { folder } = await train(program);
  const path = join(folder, paths.last);
  const resumeFrom = { checkpoint: await readCheckpoint(path), path };
  const options = {
    program,
    resolvePath: workspacePaths(folder),
    open: { wasm: reference, webgpu: reference },
    resumeFrom,
  };
  await expect(evaluateSplit(options, 'test')).rejects.toMatchObject({
    code: 'split-empty',
    message: expect.stringContaining('choose train'),
  });
});
