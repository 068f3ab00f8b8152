/** Curve parity with PyTorch: same initial weights, same batches, 100 steps with each optimiser, on every backend at hand. */
import { describe, expect, it } from 'vitest';
import type { Backend } from '../../engine/backend/backend.ts';
import { referenceBackend } from '../../engine/backend/reference/reference.ts';
import { wasmBackend } from '../../engine/backend/wasm/index.ts';
import { webgpuBackend } from '../../engine/backend/webgpu/index.ts';
import { scheduleGraph } from '../../engine/kernel/schedule.ts';
import { buildSteps, ORDER } from '../../engine/train/step.ts';
import { EngineError } from '../../engine/util/errors.ts';
import { call } from '../support/macros.ts';
import { mlpProgram } from '../support/programs.ts';
import { expectDigest, type GoldenRun, type GoldenTraining, golden, relativeError } from './golden.ts';
import { type Net, problem } from './inputs.ts';

function stepsOf(net: Net, run: GoldenRun) {
  const lr = run.schedule ? call('step_decay', 'schedule', { ...run.schedule, lr: run.args.lr! }) : run.args.lr!;
  const program = mlpProgram({
    sizes: net.sizes,
    batch: net.batch,
    optimizer: call(run.optimizer, 'optimizer', { ...run.args, lr }),
    run: { steps: run.losses.length, ...(run.clip !== undefined && { clip: run.clip }) },
  });
  return buildSteps(program, { train: net.samples, validation: 0, test: 0 });
}

const names = ['net.fc1.weight', 'net.fc1.bias', 'net.fc2.weight', 'net.fc2.bias'];

/** Trains as the golden did; gives the losses and the final flat parameters. */
async function trainOn(backend: Backend, net: Net, run: GoldenRun, data: ReturnType<typeof problem>) {
  const steps = stepsOf(net, run);
  const executable = await backend.compile(steps.entries.map(scheduleGraph));
  executable.write('train.features', data.x);
  executable.write('train.label', data.labels);
  executable.write(
    ORDER,
    Int32Array.from(data.labels, (_, i) => i),
  );
  executable.write('params', Float32Array.from(data.parameters.flatMap(p => [...p])));
  // SwiftShader slows down when many dispatches ride in one submit.
  for (let done = 0; done < run.losses.length; done += 10) executable.run('train', 10);
  const width = steps.layout.ring.columns.length;
  const ring = await executable.read('ring', 0, width * run.losses.length);
  const params = await executable.read('params');
  executable.dispose();
  return { layout: steps.layout, losses: run.losses.map((_, step) => ring[step * width]!), params };
}

function follows(netName: string, tolerance: number, backend: () => Promise<Backend> | Backend): void {
  const stored = golden<GoldenTraining>(`training-${netName}`);
  const data = problem(stored.net);
  it.each(Object.entries(stored.runs))(`${netName}: %s`, async (_, run) => {
    const { losses, params, layout } = await trainOn(await backend(), stored.net, run, data);
    expect(relativeError(losses, run.losses, 0)).toBeLessThan(tolerance);
    for (const [i, name] of names.entries()) {
      const { offset, length } = layout.parameters[name]!;
      expectDigest(params.slice(offset, offset + length), run.weights[i]!, 30 * tolerance, name);
    }
  });
}

describe('100 steps follow the losses and weights of PyTorch', () => {
  describe('reference', () => follows('small', 1e-4, referenceBackend));
  describe('wasm', async () => {
    const backend = await wasmBackend({ threads: 1 });
    follows('small', 1e-4, () => backend);
    follows('simplenet', 1e-4, () => backend);
  });
  describe('webgpu', async () => {
    const backend = await webgpuBackend().catch((error: unknown) => {
      if (error instanceof EngineError && error.code === 'no-adapter') return undefined;
      throw error;
    });
    if (backend === undefined) it.skip('no adapter: parity on WebGPU is not checked', () => undefined);
    else follows('small', 1e-3, () => backend);
  });
});
