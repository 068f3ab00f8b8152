/** Decisions around the loop: early stopping as PyTorch users write it, overrides, monitors, devices, controls. */
import { expect, test, vi } from 'vitest';
import { referenceBackend } from '../../../engine/backend/reference/reference.ts';
import { createControl } from '../../../engine/train/control.ts';
import { chooseDevice, type Openers } from '../../../engine/train/devices.ts';
import { applyOverrides } from '../../../engine/train/overrides.ts';
import { FRESH, monitored, monitorOf, observe, type Patience } from '../../../engine/train/stopping.ts';
import { EngineError } from '../../../engine/util/errors.ts';
import curves from '../../goldens/data/early-stopping.json' with { type: 'json' };
import { moonsProgram } from '../../support/moons.ts';

test.each(curves.map((golden, at) => [at, golden] as const))('early stopping, curve %i as in Python', (_, golden) => {
  let patience: Patience = FRESH;
  const epoch = golden.curve.findIndex(loss => {
    patience = observe(patience, loss, 'lower', golden.minDelta);
    return patience.stale >= golden.patience;
  });
  expect(epoch < 0 ? null : epoch + 1).toBe(golden.stopped);
});

test('a higher accuracy is better, NaN never is', () => {
  const seen = [0.5, 0.7, Number.NaN, 0.7, 0.9].reduce((state, value) => observe(state, value, 'higher', 0), FRESH);
  expect(seen).toEqual({ best: 0.9, stale: 0 });
  expect(observe({ best: 0.9, stale: 0 }, Number.NaN, 'higher', 0)).toEqual({ best: 0.9, stale: 1 });
  expect(observe(FRESH, Number.NaN, 'lower', 0)).toEqual({ best: null, stale: 1 });
});

test.each([
  ['validation.loss', true, { name: 'validation.loss', better: 'lower' }],
  ['validation.accuracy', true, { name: 'validation.accuracy', better: 'higher' }],
  ['accuracy', false, { name: 'accuracy', better: 'higher' }],
  [undefined, true, { name: 'validation.loss', better: 'lower' }],
  [undefined, false, { name: 'loss', better: 'lower' }],
])('monitor %s, validated %s', (monitor, validated, expected) => {
  const run = monitor === undefined ? {} : { stop: { monitor, patience: 1, minDelta: 0 } };
  expect(monitorOf(moonsProgram({ run }), validated)).toEqual(expected);
});

test('a metric to monitor that there is not is named with those there are', () => {
  expect(monitored('validation.loss', { loss: 1 }, { loss: 2 })).toBe(2);
  expect(monitored('train.loss', { loss: 1 }, undefined)).toBe(1);
  expect(() => monitored('validation.f1', { loss: 1 }, { loss: 2 })).toThrow(
    expect.objectContaining({
      code: 'program-malformed',
      message: expect.stringContaining('(loss, validation.loss), found validation.f1'),
    }),
  );
});

test.each([
  [{}, { epochs: 3, seed: 7, device: 'cpu' }],
  [{ epochs: 9 }, { epochs: 9, seed: 7, device: 'cpu' }],
  [{ steps: 5 }, { steps: 5, seed: 7, device: 'cpu' }],
  [
    { steps: 5, epochs: 9 },
    { steps: 5, seed: 7, device: 'cpu' },
  ],
  [
    { seed: 0, device: 'auto' },
    { epochs: 3, seed: 0, device: 'auto' },
  ],
] as const)('overrides %j', (overrides, run) => {
  const program = moonsProgram();
  expect(applyOverrides(program, overrides).run).toEqual(run);
  expect(program.run).toEqual({ epochs: 3, seed: 7, device: 'cpu' });
});

const noAdapter = new EngineError('no-adapter', 'no adapter');

/** Openers of pretended backends with the milliseconds a step takes on each; an error where there is none. */
function machine(cpu: number, gpu: number | EngineError, emulated = false) {
  const disposed: string[] = [];
  const backend = (name: 'wasm' | 'webgpu', about: string) => ({
    ...referenceBackend(),
    name,
    description: about,
    dispose: async () => void disposed.push(name),
  });
  const open: Openers = {
    wasm: async () => backend('wasm', 'CPU'),
    webgpu: async ({ software }) => {
      if (gpu instanceof EngineError) throw gpu;
      if (emulated && !software) throw noAdapter;
      return backend('webgpu', 'GPU');
    },
  };
  const tryOn = vi.fn(async (on: { name: string; dispose(): Promise<void> }) => ({
    value: on.name,
    msPerStep: on.name === 'wasm' ? cpu : Number(gpu),
    dispose: () => on.dispose(),
  }));
  return { open, tryOn, disposed };
}

test.each([
  ['cpu', undefined, machine(9, 1), 'wasm', []],
  ['webgpu', undefined, machine(1, 9), 'webgpu', []],
  ['webgpu', undefined, machine(1, 9, true), 'webgpu', []],
  ['auto', undefined, machine(1, 9), 'wasm', ['webgpu']],
  ['auto', undefined, machine(9, 1), 'webgpu', ['wasm']],
  ['auto', undefined, machine(9, noAdapter), 'wasm', []],
  ['auto', undefined, machine(9, 1, true), 'wasm', []],
  ['auto', 'wasm', machine(9, 1), 'wasm', []],
  ['auto', 'webgpu', machine(1, 9), 'webgpu', []],
  ['auto', 'webgpu', machine(1, noAdapter), 'wasm', []],
] as const)('device %s after %s', async (device, before, { open, tryOn, disposed }, expected, dropped) => {
  expect(await chooseDevice(device, before, open, tryOn)).toBe(expected);
  expect(disposed).toEqual(dropped);
});

test('webgpu without an adapter says so', async () => {
  const { open, tryOn } = machine(1, noAdapter);
  await expect(chooseDevice('webgpu', undefined, open, tryOn)).rejects.toMatchObject({ code: 'no-adapter' });
});

test('auto falls back to the CPU where the GPU fails at its first steps, but not over our own faults', async () => {
  const { open } = machine(1, 9);
  const trial = (error: Error) => async (on: { name: string }) => {
    if (on.name === 'webgpu') throw error;
    return { value: on.name, msPerStep: 1, dispose: async () => {} };
  };
  expect(await chooseDevice('auto', undefined, open, trial(new EngineError('out-of-memory', 'too large')))).toBe(
    'wasm',
  );
  await expect(chooseDevice('auto', undefined, open, trial(new Error('bug')))).rejects.toThrow('bug');
});

test('controls: a pause lasts until continue, stop, or a request for a checkpoint', async () => {
  const control = createControl();
  await control.resumed();
  control.pause();
  expect(control.paused).toBe(true);
  const woken = control.resumed();
  control.requestCheckpoint();
  await woken;
  expect(control.takeCheckpointRequest()).toBe(true);
  expect(control.takeCheckpointRequest()).toBe(false);
  expect(control.paused).toBe(true);
  const stopped = control.resumed();
  control.stop();
  await stopped;
  expect([control.paused, control.stopping]).toEqual([false, true]);
});
