/** Whole training steps: WASM follows the graph in double precision, gives the same bits twice and with any number of threads, and allocates nothing. */
import { expect, test } from 'vitest';
import type { Backend, HostArray } from '../../../../engine/backend/backend.ts';
import { referenceBackend } from '../../../../engine/backend/reference/reference.ts';
import { wasmBackend } from '../../../../engine/backend/wasm/index.ts';
import { scheduleGraph } from '../../../../engine/kernel/schedule.ts';
import { initialParameters } from '../../../../engine/train/initialize.ts';
import { buildSteps } from '../../../../engine/train/step.ts';
import { call } from '../../../support/macros.ts';
import { mlpProgram } from '../../../support/programs.ts';
import { difference, randomTensor } from '../../../support/samples.ts';

const COUNT = 320;

/** A net whose first product is wide enough to be divided among threads. */
function steps(sizes: readonly number[], optimizer: string) {
  const program = mlpProgram({ sizes, batch: 32, optimizer: call(optimizer, 'optimizer', { lr: 0.01 }), dropout: 0.2 });
  return { program, ...buildSteps(program, { train: COUNT, validation: 0, test: 0 }) };
}

async function train(
  backend: Backend,
  sizes: readonly number[],
  optimizer: string,
  times: number,
): Promise<Record<string, HostArray>> {
  const { program, entries, layout } = steps(sizes, optimizer);
  const executable = await backend.compile(entries.map(scheduleGraph));
  const names = program.parameters.map(p => p.name);
  for (const [name, values] of Object.entries(initialParameters(layout, names, 3))) executable.write(name, values);
  const features = randomTensor({ dtype: 'f32', shape: [COUNT, sizes[0]!] }, [-1, 1], 1).data;
  executable.write('train.features', Float32Array.from(features));
  executable.write(
    'train.label',
    Int32Array.from({ length: COUNT }, (_, i) => (i * 7) % sizes.at(-1)!),
  );
  executable.write(
    'train.order',
    Int32Array.from({ length: COUNT }, (_, i) => (i * 37) % COUNT),
  );
  executable.write('seed', Int32Array.of(5));
  executable.run('train', times);
  await executable.sync();
  const result = { params: await executable.read('params'), ring: await executable.read('ring', 0, 3 * times) };
  executable.dispose();
  return result;
}

test.each(['sgd', 'adam', 'adamw', 'rmsprop'])('10 steps of %s follow the reference', async optimizer => {
  const sizes = [37, 24, 5];
  const expected = await train(referenceBackend(), sizes, optimizer, 10);
  const actual = await train(await wasmBackend({ threads: 1 }), sizes, optimizer, 10);
  expect(difference(actual.ring!, expected.ring!)).toBeLessThan(1e-5);
  expect(difference(actual.params!, expected.params!)).toBeLessThan(1e-4);
});

test('the same bits twice, and with one, two and three threads', async () => {
  const sizes = [300, 200, 10];
  const once = await train(await wasmBackend({ threads: 1 }), sizes, 'adam', 5);
  expect(await train(await wasmBackend({ threads: 1 }), sizes, 'adam', 5)).toEqual(once);
  for (const threads of [2, 3]) {
    const backend = await wasmBackend({ threads });
    expect(await train(backend, sizes, 'adam', 5)).toEqual(once);
    await backend.dispose();
  }
});

test('plain SIMD agrees with fused multiply-add up to rounding', async () => {
  const sizes = [100, 50, 10];
  const plain = await train(await wasmBackend({ threads: 1, relaxed: false, revectorize: false }), sizes, 'adam', 3);
  const fused = await train(await wasmBackend({ threads: 1 }), sizes, 'adam', 3);
  expect(difference(fused.ring!, plain.ring!)).toBeLessThan(1e-5);
});
