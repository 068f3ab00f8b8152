/** Products whose right operand lies in another order go through the columns in that order: plain loads, the same sums. */
import { expect, test } from 'vitest';
import { evaluateGraph } from '../../../engine/backend/reference/evaluateGraph.ts';
import { wasmBackend } from '../../../engine/backend/wasm/index.ts';
import type { Graph } from '../../../engine/ir/graph.ts';
import { printKernel } from '../../../engine/kernel/print.ts';
import { scheduleGraph } from '../../../engine/kernel/schedule.ts';
import { GraphBuilder } from '../../../engine/ops/builder.ts';
import { runGraph } from '../../support/runGraph.ts';
import { difference, randomTensor } from '../../support/samples.ts';

const f32 = (...shape: number[]) => ({ dtype: 'f32', shape }) as const;

/** Gradient of a linear layer's weight over images [B, H, W, C] that the layer sees as [B, C H W]. */
function weightGradient([batch, h, w, c]: readonly [number, number, number, number], rows: number): Graph {
  const b = new GraphBuilder();
  const x = b.reshape(b.transpose(b.input('x', f32(batch, h, w, c)), [0, 3, 1, 2]), [batch, c * h * w]);
  const g = b.input('g', f32(batch, rows));
  return b.finish('g', [{ name: 'y', value: b.add(b.matmul(g, x, { transposeA: true }), 1) }]);
}

function productOf(graph: Graph): { readonly operand: string; readonly store: string } {
  const schedule = scheduleGraph(graph);
  const text = schedule.kernels.map((kernel, n) => printKernel(schedule, kernel, n)).join('');
  const [operand, store] = ['r0 +=', 'y['].map(part => text.split('\n').find(line => line.includes(part)));
  return { operand: operand!, store: store! };
}

const cases = [
  [[16, 5, 5, 8], 3],
  [[33, 2, 3, 4], 10],
  [[8, 1, 6, 5], 2],
] as const;

test.each(cases)('images %j, %i rows', async (shape, rows) => {
  const graph = weightGradient(shape, rows);
  expect(productOf(graph).operand).not.toMatch(/[/%] \d/);
  const x = randomTensor(f32(...shape), [-1, 1], 1);
  const leaves = { x, g: randomTensor(f32(shape[0], rows), [-1, 1], 2) };
  const expected = evaluateGraph(graph, leaves).y!.data;
  for (const threads of [1, 2]) {
    const { y } = await runGraph(await wasmBackend({ threads }), graph, leaves);
    expect(difference(y!, expected)).toBeLessThan(1e-5);
  }
});

test('more results than elements of the operand are stored as they are', () => {
  const { store } = productOf(weightGradient([4, 5, 5, 8], 16));
  expect(store).not.toMatch(/[/%] \d/);
});
