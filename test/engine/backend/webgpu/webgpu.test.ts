/** The WebGPU backend on a real or emulated device: every primitive, random schedules, a training run, and the interface's promises. */
import fc from 'fast-check';
import { describe, expect } from 'vitest';
import type { Backend, Executable } from '../../../../engine/backend/backend.ts';
import { referenceBackend } from '../../../../engine/backend/reference/reference.ts';
import type { WebgpuBackend } from '../../../../engine/backend/webgpu/index.ts';
import { defaultOptions } from '../../../../engine/codegen/wgsl/shader.ts';
import type { Schedule } from '../../../../engine/kernel/kernel.ts';
import { scheduleGraph } from '../../../../engine/kernel/schedule.ts';
import { GraphBuilder } from '../../../../engine/ops/builder.ts';
import { buildSteps } from '../../../../engine/train/step.ts';
import { deviceTests } from '../../../support/devices.ts';
import { rounds } from '../../../support/fuzz.ts';
import { call } from '../../../support/macros.ts';
import { mlpProgram } from '../../../support/programs.ts';
import { randomGraphs } from '../../../support/randomGraphs.ts';
import { expectedBuffers, hostArray, randomLeaves, runSchedule } from '../../../support/runSchedule.ts';
import { allSamples, difference, randomTensor, sampleGraph, sampleInputs } from '../../../support/samples.ts';

const onDevice = deviceTests();

const scalar = { dtype: 'i32', shape: [] } as const;
const f32 = (...shape: number[]) => ({ dtype: 'f32', shape }) as const;

describe('webgpu', () => {
  onDevice('computes every sample of every primitive', async backend => {
    const wrong: string[] = [];
    for (const { title, name, sample } of allSamples()) {
      const graph = sampleGraph(name, sample);
      const leaves = sampleInputs(sample);
      const found = await runSchedule(backend, scheduleGraph(graph), leaves, ['y']);
      const gap = difference(found.y!, expectedBuffers(graph, leaves).y!);
      if (!(gap < 1e-4)) wrong.push(`${title}: ${gap}`);
    }
    expect(wrong).toEqual([]);
  });

  /** The device with shaders as a GPU of the least limits gets them. */
  const asHardware = (backend: WebgpuBackend): Backend => ({
    ...backend,
    compile: entries => backend.compile(entries, { ...defaultOptions, subgroups: undefined }),
  });

  onDevice('computes random schedules, as software and as hardware', async (software, isFirst) => {
    const hardware = asHardware(software);
    await fc.assert(
      fc.asyncProperty(randomGraphs(), fc.boolean(), async (graph, isHardware) => {
        const backend = isHardware ? hardware : software;
        const leaves = randomLeaves(graph);
        const expected = expectedBuffers(graph, leaves);
        const found = await runSchedule(backend, scheduleGraph(graph), leaves, Object.keys(expected));
        for (const [name, values] of Object.entries(expected))
          expect(difference(found[name]!, values)).toBeLessThan(1e-3);
      }),
      { numRuns: isFirst ? 40 : 3 },
    );
  });

  onDevice(
    'multiplies matrices of awkward sizes, transposed and batched, with sums over long and few rows',
    async backend => {
      const shapes = [
        [1, 1, 1, 1],
        [1, 65, 33, 7],
        [1, 64, 64, 64],
        [3, 17, 129, 40],
        [1, 200, 10, 300],
        [1, 10, 200, 70],
      ] as const;
      for (const [batch, m, n, k] of shapes) {
        const b = new GraphBuilder();
        const [x, y] = [
          b.input('x', { dtype: 'f32', shape: [batch, k, m] }),
          b.input('y', { dtype: 'f32', shape: [batch, n, k] }),
        ];
        const product = b.op('matmul', [x, y], { transposeA: true, transposeB: true });
        const results = {
          product: b.maximum(product, 0),
          total: b.sum(product),
          rows: b.sum(product, { axes: [-1] }),
          best: b.argmax(x, { axes: [1] }),
        };
        const graph = b.finish(
          'products',
          Object.entries(results).map(([name, value]) => ({ name, value })),
        );
        const leaves = randomLeaves(graph);
        const expected = expectedBuffers(graph, leaves);
        const found = await runSchedule(backend, scheduleGraph(graph), leaves, Object.keys(expected));
        for (const [name, values] of Object.entries(expected))
          expect(difference(found[name]!, values)).toBeLessThan(1e-3);
      }
    },
  );

  describe.each(['subgroups', 'workgroup memory'])('with %s', how => {
    const options = how === 'subgroups' ? {} : { subgroups: undefined };

    onDevice('reduces long rows, the first of equal maxima included', async backend => {
      const b = new GraphBuilder();
      const x = b.input('x', { dtype: 'f32', shape: [3, 5000] });
      const axes = { axes: [1] };
      const e = b.exp(b.sub(x, b.max(x, { axes: [1], keep: true })));
      const graph = b.finish('rows', [
        { name: 'softmax', value: b.div(e, b.sum(e, { axes: [1], keep: true })) },
        { name: 'argmax', value: b.argmax(b.floor(x), axes) },
        { name: 'least', value: b.min(x, axes) },
        { name: 'count', value: b.sum(b.cast(b.floor(x), 'i32'), axes) },
      ]);
      const leaves = randomLeaves(graph);
      const expected = expectedBuffers(graph, leaves);
      const executable = await backend.compile([scheduleGraph(graph)], options);
      executable.write('x', hostArray(leaves.x!));
      executable.run('rows', 1);
      for (const [name, values] of Object.entries(expected))
        expect(difference(await executable.read(name), values)).toBeLessThan(1e-5);
      executable.dispose();
    });

    onDevice('computes random sums, maxima and positions of all lengths', async (backend, isFirst) => {
      const reductions = fc.record({
        rows: fc.integer({ min: 1, max: 5 }),
        length: fc.oneof(fc.integer({ min: 65, max: 300 }), fc.constantFrom(512, 1023, 4096, 4097)),
        ties: fc.boolean(),
      });
      await fc.assert(
        fc.asyncProperty(reductions, async ({ rows, length, ties }) => {
          const b = new GraphBuilder();
          const given = b.input('x', f32(rows, length));
          const x = ties ? b.floor(given) : given;
          const axes = { axes: [1] };
          const graph = b.finish('rows', [
            { name: 'sum', value: b.sum(x, axes) },
            { name: 'squares', value: b.sum(b.mul(x, x), axes) },
            { name: 'most', value: b.max(x, axes) },
            { name: 'least', value: b.min(x, axes) },
            { name: 'at', value: b.argmax(x, axes) },
          ]);
          const leaves = randomLeaves(graph);
          const executable = await backend.compile([scheduleGraph(graph)], options);
          executable.write('x', hostArray(leaves.x!));
          executable.run('rows', 1);
          for (const [name, values] of Object.entries(expectedBuffers(graph, leaves)))
            expect(difference(await executable.read(name), values)).toBeLessThan(1e-4);
          executable.dispose();
        }),
        rounds(isFirst ? 12 : 3),
      );
    });

    onDevice('notices NaN and infinity within sums', async backend => {
      const b = new GraphBuilder();
      const graph = b.finish('guard', [{ name: 'y', value: b.cast(b.isfinite(b.sum(b.input('x', f32(777)))), 'f32') }]);
      const executable = await backend.compile([scheduleGraph(graph)], options);
      for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1]) {
        executable.write('x', new Float32Array(777).fill(0.5).with(700, bad));
        executable.run('guard', 1);
        expect([...(await executable.read('y'))]).toEqual([Number(Number.isFinite(bad))]);
      }
      executable.dispose();
    });
  });

  onDevice('reduces columns, whose neighbours share a workgroup', async (backend, isFirst) => {
    const shapes = fc.record({
      length: fc.integer({ min: 65, max: 300 }),
      columns: fc.oneof(fc.integer({ min: 8, max: 40 }), fc.constantFrom(64, 4100)),
      software: fc.constantFrom(false, false, true),
    });
    await fc.assert(
      fc.asyncProperty(shapes, async ({ length, columns, software }) => {
        const b = new GraphBuilder();
        const [x, w] = [b.input('x', f32(length, columns)), b.state('w', f32(columns))];
        const axes = { axes: [0] };
        const total = b.sum(x, { axes: [0], keep: true });
        const graph = b.finish('columns', [
          { name: 'w', value: b.sub(w, b.sum(b.mul(x, x), axes)), kind: 'assign' },
          { name: 'most', value: b.max(x, axes) },
          { name: 'at', value: b.argmax(b.floor(x), axes) },
          { name: 'centred', value: b.sub(x, b.div(total, length)) },
        ]);
        const leaves = randomLeaves(graph);
        const executable = await backend.compile([scheduleGraph(graph)], { software });
        for (const [name, leaf] of Object.entries(leaves)) executable.write(name, hostArray(leaf));
        executable.run('columns', 1);
        for (const [name, values] of Object.entries(expectedBuffers(graph, leaves)))
          expect(difference(await executable.read(name), values)).toBeLessThan(1e-4);
        executable.dispose();
      }),
      rounds(isFirst ? 12 : 3),
    );
  });

  onDevice('reduces few rows that are very long in parts', async backend => {
    const b = new GraphBuilder();
    const [x, w] = [b.input('x', f32(3, 30_000)), b.state('w', f32(3))];
    const axes = { axes: [1] };
    const graph = b.finish('long', [
      { name: 'w', value: b.sub(w, b.sum(b.mul(x, x), axes)), kind: 'assign' },
      { name: 'most', value: b.max(x, axes) },
      { name: 'least', value: b.min(x, axes) },
      { name: 'count', value: b.sum(b.cast(b.less(x, 0), 'i32'), axes) },
      { name: 'all', value: b.sum(b.abs(x)) },
    ]);
    const leaves = randomLeaves(graph);
    for (const options of [{ software: false }, { software: false, subgroups: undefined }, { software: true }]) {
      const executable = await backend.compile([scheduleGraph(graph)], options);
      for (const [name, leaf] of Object.entries(leaves)) executable.write(name, hostArray(leaf));
      executable.run('long', 1);
      for (const [name, values] of Object.entries(expectedBuffers(graph, leaves)))
        expect(difference(await executable.read(name), values)).toBeLessThan(1e-4);
      executable.dispose();
    }
  });

  onDevice('notices NaN and infinity, also within sums, and lets nothing through', async backend => {
    const b = new GraphBuilder();
    const [x, w] = [b.input('x', f32(200)), b.state('w', f32(200))];
    const good = b.isfinite(b.sum(x));
    const graph = b.finish('guard', [
      { name: 'each', value: b.cast(b.isfinite(x), 'f32') },
      { name: 'w', value: b.select(good, b.add(w, x), w), kind: 'assign' },
    ]);
    const schedule = scheduleGraph(graph);
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1]) {
      const data = new Float64Array(200).fill(0.5).with(123, bad);
      const leaves = { x: { ...f32(200), data }, w: { ...f32(200), data: new Float64Array(200).fill(2) } };
      const found = await runSchedule(backend, schedule, leaves, ['each', 'w']);
      const finite = Number.isFinite(bad);
      expect([...found.each!]).toEqual([...data].map(v => Number(Number.isFinite(v))));
      expect([...found.w!]).toEqual([...data].map(v => (finite ? 2 + v : 2)));
    }
  });

  onDevice('trains as the reference does, step by step', async backend => {
    const steps = buildSteps(
      mlpProgram({ sizes: [20, 16, 5], batch: 8, optimizer: call('adam', 'optimizer', { lr: 0.01 }), dropout: 0.2 }),
      { train: 30, validation: 10, test: 0 },
    );
    const schedules = steps.entries.map(scheduleGraph);
    const backends = [backend, asHardware(backend), referenceBackend()];
    const runs = await Promise.all(backends.map(b => train(b, schedules, steps.layout.buffers)));
    const [found, hardware, expected] = runs as [Float32Array, Float32Array, Float32Array];
    expect(difference(found, expected)).toBeLessThan(1e-3);
    expect(difference(hardware, expected)).toBeLessThan(1e-3);
    expect(await train(backend, schedules, steps.layout.buffers)).toEqual(found);
  });

  onDevice('keeps persistent buffers between entries and reads and writes parts of them', async backend => {
    const b = new GraphBuilder();
    const bytes = b.input('bytes', { dtype: 'u8', shape: [7] });
    const n = b.state('n', scalar);
    const count = b.finish('count', [
      { name: 'n', value: b.add(n, 1), kind: 'assign' },
      { name: 'sum', value: b.sum(b.cast(bytes, 'f32')) },
    ]);
    const executable = await backend.compile([scheduleGraph(count), scheduleGraph({ ...count, name: 'again' })]);
    executable.write('n', Int32Array.of(40));
    executable.write('bytes', Uint8Array.of(1, 2, 3, 4, 250, 6, 7));
    executable.run('count', 1);
    executable.run('again', 600);
    expect(await executable.read('n')).toEqual(Int32Array.of(641));
    expect(await executable.read('sum')).toEqual(Float32Array.of(273));
    executable.write('bytes', Uint8Array.of(0, 0, 0), 4);
    expect(await executable.read('bytes', 2, 4)).toEqual(Uint8Array.of(3, 4, 0, 0));
    expect(executable.bytes).toBeGreaterThan(0);
    expect(() => executable.run('never', 1)).toThrow('no such entry');
    expect(() => executable.write('n', Int32Array.of(1, 2))).toThrow('n holds 1 elements');
    executable.dispose();
  });

  onDevice('says how much memory it lacked', async backend => {
    const b = new GraphBuilder();
    const x = b.input('huge', { dtype: 'f32', shape: [2 ** 31] });
    const schedule = scheduleGraph(b.finish('huge', [{ name: 'y', value: b.slice(x, [0], [1]) }]));
    await expect(backend.compile([schedule])).rejects.toMatchObject({
      code: 'out-of-memory',
      message: /8192\.0 MiB .* for huge/,
    });
  });
});

/** Parameters after a few steps from fixed random contents. */
async function train(
  backend: Backend,
  schedules: readonly Schedule[],
  buffers: readonly { name: string; dtype: string; shape: readonly number[] }[],
) {
  const executable: Executable = await backend.compile(schedules);
  for (const [i, { name, dtype, shape }] of buffers.entries()) {
    if (dtype === 'f32' && (name === 'params' || name.endsWith('features')))
      executable.write(name, hostArray(randomTensor({ dtype, shape }, [-0.3, 0.3], i)));
    if (name.endsWith('label'))
      executable.write(
        name,
        Int32Array.from({ length: shape[0]! }, (_, n) => n % 5),
      );
    if (name.endsWith('order'))
      executable.write(
        name,
        Int32Array.from({ length: shape[0]! }, (_, n) => (n * 7) % shape[0]!),
      );
  }
  executable.run('train', 3);
  executable.run('trainLast', 1);
  executable.run('train', 3);
  const found = await executable.read('params');
  executable.dispose();
  return found;
}
