/** Steps of more kernels than one function of the module holds. */
import { describe, expect, it } from 'vitest';
import { referenceBackend } from '../../../../engine/backend/reference/reference.ts';
import { wasmBackend } from '../../../../engine/backend/wasm/index.ts';
import { scheduleGraph } from '../../../../engine/kernel/schedule.ts';
import { GraphBuilder } from '../../../../engine/ops/builder.ts';
import { randomLeaves, runSchedule } from '../../../support/runSchedule.ts';
import { difference } from '../../../support/samples.ts';

/** A chain of products, each a kernel of its own: rows are turned by one place, and grow. */
function chain(length: number) {
  const b = new GraphBuilder();
  const w = b.input('w', { dtype: 'f32', shape: [8, 8] });
  let x = b.input('x', { dtype: 'f32', shape: [64, 8] });
  for (let n = 0; n < length; n++) x = b.add(b.matmul(x, w), n % 7);
  return b.finish('entry', [{ name: 'y', value: x }]);
}

describe.each([1, 2])('with %i threads', threads => {
  it.each([255, 256, 257, 700])('%i kernels run in their order', async length => {
    const graph = chain(length);
    const schedule = scheduleGraph(graph);
    expect(schedule.kernels).toHaveLength(length);
    const turn = Float64Array.from({ length: 64 }, (_, at) => (((at >> 3) + 1) % 8 === at % 8 ? 1 : 0));
    const leaves = { ...randomLeaves(graph), w: { dtype: 'f32' as const, shape: [8, 8], data: turn } };
    const backend = await wasmBackend({ threads });
    const [expected, found] = [
      await runSchedule(referenceBackend(), schedule, leaves, ['y']),
      await runSchedule(backend, schedule, leaves, ['y']),
    ];
    expect(difference(found.y!, expected.y!)).toBeLessThan(1e-5);
  });
});
