/** f16 on a device: the trial that switches it on, and that a step stores in two bytes what it otherwise rounds in four, to the bit. */
import { expect, it } from 'vitest';
import type { Backend, Executable } from '../../../../engine/backend/backend.ts';
import { referenceBackend } from '../../../../engine/backend/reference/reference.ts';
import { storageOfHalves, trialValues } from '../../../../engine/backend/webgpu/halves.ts';
import type { WebgpuBackend } from '../../../../engine/backend/webgpu/index.ts';
import type { WgslOptions } from '../../../../engine/codegen/wgsl/shader.ts';
import type { TensorType } from '../../../../engine/ir/graph.ts';
import type { Schedule } from '../../../../engine/kernel/kernel.ts';
import { scheduleGraph } from '../../../../engine/kernel/schedule.ts';
import { widened } from '../../../../engine/kernel/widen.ts';
import { GraphBuilder } from '../../../../engine/ops/builder.ts';
import { buildSteps } from '../../../../engine/train/step.ts';
import { roundToHalf } from '../../../../engine/util/half.ts';
import { workloadProgram } from '../../../../server/cli/workloads.ts';
import { deviceTests } from '../../../support/devices.ts';
import { expectedBuffers, hostArray, randomLeaves, runSchedule } from '../../../support/runSchedule.ts';
import { difference, randomTensor } from '../../../support/samples.ts';

const onDevice = deviceTests();

/** The reference, which leaves `spoil(y)` where the trial reads `y`, or refuses. */
const reference =
  (spoil: (y: Float32Array, ways: number) => Float32Array) =>
  ({ rounds }: NonNullable<WgslOptions['halves']>) =>
  async (schedule: Schedule): Promise<Executable> => {
    const executable = await referenceBackend().compile([schedule]);
    return { ...executable, read: async name => spoil((await executable.read(name)) as Float32Array, rounds ? 1 : 2) };
  };

it('the conversion of the device is taken where it is right', async () => {
  expect(await storageOfHalves(reference(y => y))).toEqual({ rounds: true });
});

it('one that truncates is given numbers that are rounded', async () => {
  const values = trialValues();
  const truncated = (x: number) => {
    const near = roundToHalf(x);
    const below = Math.abs(near) > Math.abs(x) ? Math.abs(near) * (1 - 2 ** -11) : Math.abs(near);
    return Math.abs(near) > Math.abs(x) ? Math.sign(x) * below : near;
  };
  const spoil = (y: Float32Array, way: number) => (way === 1 ? y.map((_, n) => truncated(values[n]!)) : y);
  expect(await storageOfHalves(reference(spoil))).toEqual({ rounds: false });
});

it.each([
  ['a single wrong number', (y: Float32Array) => y.with(y.length - 3, 0.5)],
  ['no denormals', (y: Float32Array) => y.map(each => (Math.abs(each) < 2 ** -14 ? 0 : each))],
  ['no infinity', (y: Float32Array) => y.map(each => Math.max(-65504, Math.min(65504, each)))],
])('nothing is stored with %s', async (_, spoil) => {
  expect(await storageOfHalves(reference(y => spoil(y) as Float32Array))).toBeUndefined();
});

it('an error of the device counts as wrong', async () => {
  expect(await storageOfHalves(() => () => Promise.reject(new Error('refused')))).toBeUndefined();
});

/** The training step of a workload in mixed precision: what its weights are after three runs, and the bytes it holds. */
async function trained(backend: WebgpuBackend, shader: Partial<WgslOptions>, name: string) {
  const program = workloadProgram(name);
  const run = { ...program.run, precision: 'mixed' as const };
  const counts = { train: 2 * program.data.batch, validation: 0, test: 0 };
  const { entries, layout } = buildSteps({ ...program, run }, counts);
  const schedule = scheduleGraph(entries[0]!);
  const executable = await backend.compile([schedule], shader);
  const contents = (buffer: string, type: TensorType, seed: number) => {
    if (buffer === 'scaling') return Float32Array.of(1024, 0, 0);
    if (buffer.endsWith('order')) return Int32Array.from({ length: counts.train }, (_, n) => n);
    return type.dtype === 'f32' && !/\.[mv]$/.test(buffer)
      ? hostArray(randomTensor(type, [-0.05, 0.05], seed))
      : undefined;
  };
  for (const [seed, { name: buffer, dtype, shape }] of layout.buffers.entries()) {
    const data = contents(buffer, { dtype, shape }, seed);
    if (data && schedule.buffers.some(each => each.name === buffer)) executable.write(buffer, data);
  }
  executable.run(schedule.name, 3);
  const weights = (await executable.read(layout.groups[0]!.buffer)) as Float32Array;
  executable.dispose();
  return { weights, bytes: executable.bytes, schedule };
}

onDevice('what a kernel with more buffers than bindings reads is rounded in f32', async backend => {
  const b = new GraphBuilder();
  const x = b.input('x', { dtype: 'f32', shape: [20, 12] });
  const halves = Array.from({ length: 9 }, (_, n) => {
    const product = b.matmul(x, b.input(`w${n}`, { dtype: 'f32', shape: [12, 8] }));
    return b.op('to_f32', [b.op('to_f16', [product])]);
  });
  const sum = halves.slice(1).reduce((total, each) => b.add(total, each), halves[0]!);
  const graph = b.finish('g', [{ name: 'sum', value: sum }]);
  const leaves = randomLeaves(graph);
  const compile: Backend['compile'] = entries => backend.compile(entries, { storageBuffers: 8 });
  const found = await runSchedule({ ...backend, compile }, scheduleGraph(graph), leaves, ['sum']);
  expect(difference(found.sum!, expectedBuffers(graph, leaves).sum!)).toBeLessThan(2 ** -9);
});

onDevice(
  'the same bits whether f16 is stored or rounded, in as much memory as is planned',
  async (backend, isFirst) => {
    for (const name of isFirst ? ['simplenet', 'optimizednet'] : ['simplenet']) {
      const stored = await trained(backend, {}, name);
      const rounded = await trained(backend, { halves: undefined }, name);
      expect(stored.weights.every(Number.isFinite)).toBe(true);
      expect(Buffer.from(stored.weights.buffer).equals(Buffer.from(rounded.weights.buffer))).toBe(true);
      const planned = backend.memory.storable!(stored.schedule).arenaBytes;
      const wide = widened(stored.schedule).arenaBytes;
      expect(rounded.bytes - stored.bytes).toBe(wide - planned);
      if (backend.halves === 'stored') expect(planned / wide).toBeLessThan(0.85);
    }
  },
);
