/** f16 storage on every backend: each pattern read, each tie and its neighbours rounded, operands of products in all layouts. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Backend } from '../../../engine/backend/backend.ts';
import { referenceBackend } from '../../../engine/backend/reference/reference.ts';
import { wasmBackend } from '../../../engine/backend/wasm/index.ts';
import type { Graph, TensorType } from '../../../engine/ir/graph.ts';
import { scheduleGraph } from '../../../engine/kernel/schedule.ts';
import { GraphBuilder, type Value } from '../../../engine/ops/builder.ts';
import { floatsOfHalves, roundToHalf } from '../../../engine/util/half.ts';
import { openWebgpu } from '../../support/devices.ts';
import { expectedBuffers, randomLeaves, runSchedule } from '../../support/runSchedule.ts';
import { difference } from '../../support/samples.ts';

const backends = new Map<string, Backend | undefined>();
beforeAll(async () => {
  backends.set('reference', referenceBackend());
  backends.set('wasm', await wasmBackend({ threads: 1 }));
  backends.set('wasm, two threads', await wasmBackend({ threads: 2 }));
  backends.set('webgpu', await openWebgpu());
}, 60_000);
afterAll(() => Promise.all([...backends.values()].map(backend => backend?.dispose())));

const f32 = (...shape: number[]): TensorType => ({ dtype: 'f32', shape });
const patterns = floatsOfHalves(Uint16Array.from({ length: 65536 }, (_, bits) => bits));
/** All midpoints of neighbours, and the numbers of f32 on both sides of them. */
const ties = Float32Array.from({ length: 0x7bff * 6 }, (_, at) => {
  const bits = Math.floor(at / 6);
  const middle = (patterns[bits]! + patterns[bits + 1]!) / 2;
  return (at % 2 === 0 ? 1 : -1) * middle * (1 + ((at % 3) - 1) * 2 ** -22);
});

/** `build` makes the result `y` of the input `x`. */
function graphOf(build: (b: GraphBuilder, x: Value) => Value, type: TensorType): Graph {
  const b = new GraphBuilder();
  return b.finish('g', [{ name: 'y', value: build(b, b.input('x', type)) }]);
}

async function compute(backend: Backend, graph: Graph, x: Float32Array): Promise<ArrayLike<number>> {
  const leaves = { x: { dtype: 'f32', shape: [x.length], data: Float64Array.from(x) } } as const;
  return (await runSchedule(backend, scheduleGraph(graph), leaves, ['y'])).y!;
}

describe.each(['reference', 'wasm', 'wasm, two threads', 'webgpu'])('%s', name => {
  const on = (title: string, run: (backend: Backend) => Promise<void>) =>
    it(title, { timeout: 60_000 }, context => {
      const backend = backends.get(name);
      return backend === undefined ? context.skip() : run(backend);
    });
  const stored = (b: GraphBuilder, x: Value) => b.op('to_f16', [x]);

  on('reads and writes every pattern as it is', async backend => {
    const graph = graphOf(stored, f32(65536));
    const found = await compute(backend, graph, patterns);
    expect(difference(found, patterns)).toBe(0);
    expect(Array.from(found).every((y, i) => Object.is(y, patterns[i]))).toBe(true);
  });

  on('rounds ties to even, in storage and in registers', async backend => {
    const expected = ties.map(roundToHalf);
    const round = (b: GraphBuilder, x: Value) => b.op('to_f32', [stored(b, x)]);
    for (const build of [stored, round]) {
      const found = await compute(backend, graphOf(build, f32(ties.length)), ties);
      expect(Array.from(found).filter((y, i) => !Object.is(y, expected[i]))).toEqual([]);
    }
  });

  on('reads operands of products, windows, transposes and gathers from f16', async backend => {
    for (const transposeA of [false, true]) {
      for (const transposeB of [false, true]) {
        for (const [m, k, n] of [
          [7, 5, 3],
          [33, 300, 70],
          [1, 40, 24],
        ] as const) {
          const b = new GraphBuilder();
          const half = (name: string, shape: number[]) => {
            const x = b.op('to_f16', [b.input(name, f32(...shape))]);
            return b.op('to_f32', [x]);
          };
          const x = half('x', transposeA ? [k, m] : [m, k]);
          const y = half('y', transposeB ? [n, k] : [k, n]);
          const z = b.op('to_f16', [b.matmul(x, y, { transposeA, transposeB })]);
          const wide = b.op('to_f32', [z]);
          const graph = b.finish('g', [
            { name: 'product', value: z },
            { name: 'turned', value: b.transpose(b.maximum(wide, 0.25), [1, 0]) },
            { name: 'sum', value: b.sum(wide, { axes: [0] }) },
            { name: 'row', value: b.take(wide, b.iota([m])) },
          ]);
          const leaves = randomLeaves(graph);
          const expected = expectedBuffers(graph, leaves);
          const found = await runSchedule(backend, scheduleGraph(graph), leaves, Object.keys(expected));
          // A sum that falls just beside a tie may round the other way: one step of f16.
          for (const [output, values] of Object.entries(expected))
            expect(difference(found[output]!, values), `${output} of ${[m, k, n]}`).toBeLessThan(2 ** -9);
        }
      }
    }
  });
});
