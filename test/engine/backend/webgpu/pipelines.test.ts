/** Pipelines and bindings on a device: equal kernels share a pipeline, a kernel of many temporaries reaches them through the arena, a small step takes few dispatches. */
import { expect } from 'vitest';
import type { WebgpuBackend } from '../../../../engine/backend/webgpu/index.ts';
import type { Graph } from '../../../../engine/ir/graph.ts';
import { scheduleGraph } from '../../../../engine/kernel/schedule.ts';
import { GraphBuilder } from '../../../../engine/ops/builder.ts';
import { buildSteps } from '../../../../engine/train/step.ts';
import { workloadProgram } from '../../../../server/cli/workloads.ts';
import { deviceTests } from '../../../support/devices.ts';
import { expectedBuffers, hostArray, randomLeaves } from '../../../support/runSchedule.ts';
import { difference } from '../../../support/samples.ts';

const onDevice = deviceTests();

const f32 = (...shape: number[]) => ({ dtype: 'f32', shape }) as const;

/** Compares what a graph leaves behind with its own meaning; returns how it was compiled. */
async function check(backend: WebgpuBackend, graph: Graph) {
  const leaves = randomLeaves(graph);
  const schedule = scheduleGraph(graph);
  const executable = await backend.compile([schedule]);
  for (const [name, leaf] of Object.entries(leaves)) executable.write(name, hostArray(leaf));
  executable.run(graph.name, 1);
  for (const [name, values] of Object.entries(expectedBuffers(graph, leaves)))
    expect(difference(await executable.read(name), values)).toBeLessThan(1e-4);
  const result = { kernels: schedule.kernels.length, ...executable.pipelines };
  executable.dispose();
  return result;
}

onDevice('layers that are alike, elsewhere in one buffer of weights, share their pipelines', async backend => {
  const layers = 4;
  const b = new GraphBuilder();
  const weights = b.state('weights', f32(layers * 64));
  let x = b.input('x', f32(5, 8));
  for (let n = 0; n < layers; n++) {
    const w = b.reshape(b.slice(weights, [n * 64], [64]), [8, 8]);
    const y = b.matmul(x, w);
    x = b.sub(y, b.max(y, { axes: [1], keep: true }));
  }
  const { kernels, count } = await check(backend, b.finish('layers', [{ name: 'y', value: x }]));
  expect(kernels).toBe(2 * layers);
  // The first reads the input and the last writes the result, which have bindings of their own.
  expect(count).toBeLessThanOrEqual(5);
});

onDevice('a kernel of more temporaries than a shader may bind reads them from the arena', async backend => {
  const b = new GraphBuilder();
  const x = b.input('x', f32(6, 6));
  const many = Array.from({ length: 20 }, (_, n) => b.matmul(x, b.mul(x, n - 7)));
  const y = many.reduce((sum, each) => b.add(b.mul(sum, 0.5), each));
  await check(backend, b.finish('many', [{ name: 'y', value: y }]));
});

onDevice('a step of simplenet takes at most 12 dispatches', async backend => {
  const steps = buildSteps(workloadProgram('simplenet'), { train: 128, validation: 0, test: 0 });
  const executable = await backend.compile(steps.entries.map(scheduleGraph));
  expect(executable.dispatches('train')).toBeLessThanOrEqual(12);
  executable.dispose();
});

onDevice('a profile times every kernel beside what the device could do', async backend => {
  const b = new GraphBuilder();
  const [x, w] = [b.input('x', f32(64, 512)), b.input('w', f32(512, 64))];
  const graph = b.finish('entry', [{ name: 'y', value: b.sum(b.exp(b.matmul(x, w)), { axes: [1] }) }]);
  const schedule = scheduleGraph(graph);
  // The depth in parts: two dispatches of one kernel.
  const executable = await backend.compile([schedule], { splits: 2 });
  expect(executable.dispatches('entry')).toBe(3);
  const kernels = await executable.profile('entry', 3);
  if (kernels !== undefined) {
    expect(kernels.map(k => k.name)).toEqual(schedule.kernels.map(k => k.name));
    for (const { microseconds, flops, bytes, boundMicroseconds } of kernels)
      expect(Math.min(microseconds, flops, bytes, boundMicroseconds)).toBeGreaterThan(0);
  }
  executable.dispose();
});

onDevice(
  'quotients and remainders by constants are exact, by shifts, through floats and beyond them',
  async backend => {
    const b = new GraphBuilder();
    const outputs = [1, 1023, 1024, 4095].flatMap(step => {
      // Up to 2^22 and beyond it, where floats are no longer exact.
      const at = b.add(b.mul(b.iota([4096]), step), step - 1);
      return [1, 2, 3, 7, 28, 64, 1023, 4097, 65_536].flatMap(n => [
        { name: `quotient ${step} ${n}`, value: b.div(at, n) },
        { name: `remainder ${step} ${n}`, value: b.mod(at, n) },
      ]);
    });
    await check(backend, b.finish('division', outputs));
  },
);

onDevice('entries that are not wanted first are compiled afterwards, and share what the first have', async backend => {
  const entry = (name: string, more: number) => {
    const b = new GraphBuilder();
    const y = b.softmax(b.input('x', f32(5, 8)));
    return scheduleGraph(b.finish(name, [{ name, value: more === 0 ? y : b.mul(b.exp(y), more) }]));
  };
  const executable = await backend.compile([entry('first', 0), entry('second', 3), entry('same', 3)], {
    first: ['first'],
  });
  const x = Float32Array.from({ length: 40 }, (_, n) => Math.sin(n));
  executable.write('x', x);
  executable.run('first', 1);
  const first = await executable.read('first');
  await executable.ready(['second', 'same']);
  const { count } = executable.pipelines;
  executable.run('second', 1);
  executable.run('same', 1);
  const expected = first.map(v => Math.fround(3 * Math.exp(v)));
  expect(difference(await executable.read('second'), Array.from(expected))).toBeLessThan(1e-5);
  expect(await executable.read('same')).toEqual(await executable.read('second'));
  await executable.ready();
  expect(executable.pipelines.count).toBe(count);
  executable.dispose();
});
