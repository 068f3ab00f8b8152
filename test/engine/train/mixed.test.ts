/** `precision mixed`: overflows are skipped under a scale that follows them, resumed runs keep it to the bit, models train as they do in f32. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Backend } from '../../../engine/backend/backend.ts';
import { referenceBackend } from '../../../engine/backend/reference/reference.ts';
import { wasmBackend } from '../../../engine/backend/wasm/index.ts';
import type { Program, RunPlan } from '../../../engine/ir/program.ts';
import { scheduleGraph } from '../../../engine/kernel/schedule.ts';
import { readCheckpoint } from '../../../engine/train/checkpoint.ts';
import type { RunEvent, StepEvent } from '../../../engine/train/events.ts';
import { FIRST_SCALE } from '../../../engine/train/scaling.ts';
import { buildSteps, ORDER } from '../../../engine/train/step.ts';
import { workloadProgram } from '../../../server/cli/workloads.ts';
import { openWebgpu } from '../../support/devices.ts';
import { temporaryFolder } from '../../support/files.ts';
import { interpreter } from '../../support/interpret.ts';
import { call } from '../../support/macros.ts';
import { moonsProgram } from '../../support/moons.ts';
import { mlpProgram } from '../../support/programs.ts';
import { checkpointPaths, type SourceRun, trainSource } from '../../support/source.ts';

const adam = call('adam', 'optimizer', { lr: 0.01 });
const counts = { train: 12, validation: 0, test: 0 };

/** A small network of mixed precision on the oracle, its weights and data made up. */
function machineOf(run: Partial<RunPlan> = {}) {
  const program = mlpProgram({ sizes: [3, 4, 2], batch: 3, optimizer: adam, run: { precision: 'mixed', ...run } });
  const steps = buildSteps(program, counts);
  const machine = interpreter(steps);
  machine.write(ORDER, [...Array(counts.train).keys()]);
  machine.write(
    'train.features',
    Array.from({ length: 36 }, (_, i) => Math.sin(i * 1.7)),
  );
  machine.write(
    'train.label',
    Array.from({ length: 12 }, (_, i) => i % 2),
  );
  machine.write(
    'params',
    Array.from({ length: steps.layout.groups[0]!.length }, (_, i) => Math.cos(i)),
  );
  machine.write('scaling', [FIRST_SCALE, 0, 0]);
  const snapshot = () => Object.fromEntries(Object.entries(machine.buffers).map(([name, t]) => [name, [...t.data]]));
  return { machine, layout: steps.layout, snapshot };
}

describe('the loss scale', () => {
  it('is in the last column of the metrics, and does not scale the update', () => {
    const { machine, layout } = machineOf();
    expect(layout.ring.columns.at(-1)).toBe('scale');
    machine.run('train');
    expect(machine.read('ring')[layout.ring.columns.length - 1]).toBe(FIRST_SCALE);
    const first = [...machine.read('params')];
    const other = machineOf();
    other.machine.write('scaling', [64, 0, 0]);
    other.machine.run('train');
    for (const [i, p] of other.machine.read('params').entries()) expect(p).toBeCloseTo(first[i]!, 4);
  });

  it('halves where a gradient overflows; that step writes nothing else', () => {
    const { machine, snapshot } = machineOf();
    machine.run('train');
    machine.write('scaling', [2 ** 30, 7, 1]);
    const before = snapshot();
    machine.run('train');
    const after = snapshot();
    expect(after.scaling).toEqual([2 ** 29, 0, 2]);
    expect(after.step).toEqual([2]);
    expect(after.bad).toEqual([0]);
    for (const name of ['params', 'params.m', 'params.v']) expect(after[name], name).toEqual(before[name]);
  });

  it('doubles after 2000 good steps in a row, which count anew', () => {
    const { machine } = machineOf();
    machine.write('scaling', [1024, 1998, 0]);
    machine.run('train');
    expect([...machine.read('scaling')]).toEqual([1024, 1999, 0]);
    machine.run('train');
    expect([...machine.read('scaling')]).toEqual([2048, 0, 0]);
  });

  it('skipped steps are none of the updates that Adam counts', () => {
    const [{ machine }, other] = [machineOf(), machineOf()];
    for (const each of [machine, other.machine]) {
      // Every batch is the same.
      each.write(
        'train.features',
        Array.from({ length: 36 }, (_, i) => i % 3),
      );
      each.write('train.label', new Float64Array(12));
    }
    machine.write('scaling', [2 ** 30, 0, 0]);
    machine.run('train');
    machine.write('scaling', [FIRST_SCALE, 0, 1]);
    for (const each of [machine, other.machine]) for (let i = 0; i < 2; i++) each.run('train');
    expect(machine.read('step')[0]).toBe(3);
    expect([...machine.read('params')]).toEqual([...other.machine.read('params')]);
  });

  it('that would fall under 1 ends the run, with the weights of the step before', () => {
    const { machine, snapshot } = machineOf();
    machine.write('train.features', new Float64Array(36).fill(6e4));
    machine.write(
      'params',
      Array.from(machine.read('params'), x => x * 100),
    );
    machine.write('scaling', [1, 0, 16]);
    const before = snapshot();
    machine.run('train');
    const after = snapshot();
    expect(after.bad).toEqual([1]);
    for (const name of ['params', 'params.m', 'scaling', 'step']) expect(after[name], name).toEqual(before[name]);
  });

  it('with accumulate, a batch that overflows is left out, and the last one takes its group along', () => {
    const { machine } = machineOf({ accumulate: 2 });
    const [initial] = [[...machine.read('params')]];
    machine.run('train');
    const gathered = [...machine.read('params.gradient')];
    expect(gathered.some(x => x !== 0)).toBe(true);
    machine.write('scaling', [2 ** 30, 0, 0]);
    machine.run('train');
    expect([...machine.read('params')]).toEqual(initial);
    expect(machine.read('params.gradient').every(x => x === 0)).toBe(true);
    expect(machine.read('scaling')[2]).toBe(1);
    machine.write('scaling', [2 ** 30, 0, 1]);
    machine.run('train');
    expect(machine.read('scaling')[2]).toBe(1);
    machine.write('scaling', [FIRST_SCALE, 0, 1]);
    machine.run('train');
    expect([...machine.read('params')]).not.toEqual(initial);
  });
});

/** Moons with a loss so large that the first scales overflow. */
function steepMoons(run: Partial<RunPlan> = {}): Program {
  const base = moonsProgram({ run: { precision: 'mixed', ...run } });
  const { nodes, outputs } = base.train;
  const at = outputs.findIndex(output => output.name === 'loss');
  const type = { dtype: 'f32' as const, shape: [] };
  const factor = { op: 'constant', inputs: [], attributes: { value: 3000 }, type };
  const steep = { op: 'mul', inputs: [outputs[at]!.value, nodes.length], attributes: {}, type };
  const train = {
    ...base.train,
    nodes: [...nodes, factor, steep],
    outputs: outputs.with(at, { ...outputs[at]!, value: nodes.length + 1 }),
  };
  return { ...base, train };
}

const onOne = () => wasmBackend({ threads: 1 });
const stepsOf = (events: readonly RunEvent[]): StepEvent[] => events.filter(event => event.type === 'step');
const scalesOf = (events: readonly RunEvent[]) => stepsOf(events).map(({ metrics }) => metrics.scale);

async function weightsOf({ folder }: SourceRun): Promise<Record<string, readonly number[]>> {
  const { tensors } = await readCheckpoint(join(folder, checkpointPaths.last));
  return Object.fromEntries([...tensors].map(([name, { data }]) => [name, Array.from(data)]));
}

describe('a run', () => {
  const train = (program: Program, options = {}, watch?: Parameters<typeof trainSource>[3]) =>
    trainSource(program, temporaryFolder(), { open: { wasm: onOne, webgpu: onOne }, ...options }, watch);

  it('finds its scale, and the same seed gives the same bits', async () => {
    const [one, two] = [await train(steepMoons()), await train(steepMoons())];
    expect(one.done.reason).toBe('finished');
    const scales = scalesOf(one.events);
    expect(scales[0]).toBe(FIRST_SCALE);
    expect(scales.at(-1)).toBeLessThan(FIRST_SCALE);
    expect(await weightsOf(two)).toEqual(await weightsOf(one));
  });

  it('stopped and resumed keeps the scale and all else bit for bit', async () => {
    const whole = await train(steepMoons());
    const pace = { chunk: 0, drain: 0 };
    const first = await train(steepMoons(), { pace }, (event, trainer) => {
      if (event.type === 'step' && event.step === 2) trainer.control.stop();
    });
    expect(first.done.reason).toBe('stopped');
    const path = join(first.folder, checkpointPaths.last);
    const resumeFrom = { checkpoint: await readCheckpoint(path), path };
    const scaling = resumeFrom.checkpoint.tensors.get('optimizer.scaling')!.data;
    expect(scaling[0]).toBeLessThan(FIRST_SCALE);
    const rest = await train(steepMoons(), { folder: first.folder, resumeFrom });
    const told = [...stepsOf(first.events), ...stepsOf(rest.events)].map(({ time: _, ...event }) => event);
    expect(told).toEqual(stepsOf(whole.events).map(({ time: _, ...event }) => event));
    expect(await weightsOf(rest)).toEqual(await weightsOf(whole));
  });

  it('whose loss itself is not finite ends as in f32, and says what overflowed', async () => {
    const program = moonsProgram({ lr: 1e30, run: { precision: 'mixed' } });
    const { done } = await train(program);
    expect(done).toMatchObject({ reason: 'failed', error: { code: 'not-finite' } });
    expect(done.error!.message).toMatch(/gave (NaN|-?Infinity); .*precision float32/);
  });
});

describe('the same curve on every backend', () => {
  const curve = async (backend: () => Promise<Backend>) => {
    const program = steepMoons();
    const { events } = await trainSource(program, temporaryFolder(), { open: { wasm: backend, webgpu: backend } });
    return stepsOf(events).map(({ loss, metrics }) => [loss / 3000, metrics.scale!]);
  };

  it.each([
    ['wasm', onOne],
    ['two threads', () => wasmBackend({ threads: 2 })],
    ['webgpu', openWebgpu],
  ])('%s', { timeout: 60_000 }, async (_, open) => {
    const backend = await open();
    if (backend === undefined) return;
    const expected = await curve(async () => referenceBackend());
    const found = await curve(async () => backend);
    expect(found.map(([, scale]) => scale)).toEqual(expected.map(([, scale]) => scale));
    for (const [i, [loss]] of found.entries()) expect(Math.abs(loss! - expected[i]![0]!)).toBeLessThan(1e-3);
  });
});

it('what a training step of gpt-tiny keeps takes less than 0.75 of the memory, of lenet less than 0.85', () => {
  const arenaOf = (name: string, precision?: 'mixed') => {
    const program = workloadProgram(name);
    const mixed = { ...program, run: { ...program.run, ...(precision && { precision }) } };
    const train = program.data.batch * 2;
    const [entry] = buildSteps(mixed, { train, validation: 0, test: 0 }).entries;
    return scheduleGraph(entry!).arenaBytes;
  };
  for (const [name, most] of [
    ['gpt-tiny', 0.75],
    ['lenet', 0.85],
  ] as const) {
    const [full, mixed] = [arenaOf(name), arenaOf(name, 'mixed')];
    console.info(`${name}: ${(full / 2 ** 20).toFixed(1)} MiB between kernels, mixed ${(mixed / 2 ** 20).toFixed(1)}`);
    expect(mixed / full).toBeLessThan(most);
  }
});
