/** What a network does to looked-up rows is done to the table where that is shorter, with the same values and gradients. */
import { describe, expect, it } from 'vitest';
import { evaluateGraph } from '../../../engine/backend/reference/evaluateGraph.ts';
import type { Graph } from '../../../engine/ir/graph.ts';
import { GraphBuilder } from '../../../engine/ops/builder.ts';
import { gradients } from '../../../engine/passes/autodiff.ts';
import { optimize } from '../../../engine/passes/pipeline.ts';
import { difference } from '../../support/samples.ts';

const LENGTH = 16;
const WIDTH = 20;

/** y = table(i)' w with time first, as a recurrent layer projects an embedding, and the gradients of sum(y * y). */
function projection(rows: number, places: readonly [number, number]): Graph {
  const b = new GraphBuilder();
  const table = b.input('table', { dtype: 'f32', shape: [rows, LENGTH] });
  const w = b.input('w', { dtype: 'f32', shape: [WIDTH, LENGTH] });
  const indices = b.input('indices', { dtype: 'i32', shape: places });
  const x = b.transpose(b.take(table, indices), [1, 0, 2]);
  const flat = b.reshape(x, [places[0] * places[1], LENGTH]);
  const y = b.matmul(flat, w, { transposeB: true });
  const [dTable, dw] = gradients(b, b.sum(b.mul(y, y)), [table, w]);
  return b.finish('g', [
    { name: 'y', kind: 'result', value: y },
    { name: 'dTable', kind: 'result', value: dTable! },
    { name: 'dw', kind: 'result', value: dw! },
  ]);
}

const outputs = (graph: Graph, op: string) => graph.nodes.filter(n => n.op === op).map(n => n.type.shape);

describe('lookups', () => {
  it('multiplies a table of few rows instead of the rows looked up, and sums gradients by row once', () => {
    const plain = projection(5, [4, 3]);
    const optimized = optimize(plain);
    expect(outputs(optimized, 'matmul')).toEqual([
      [5, WIDTH],
      [WIDTH, LENGTH],
      [5, LENGTH],
    ]);
    expect(outputs(optimized, 'scatter_add')).toEqual([[5, WIDTH]]);
    // Indices below, within and above the table: rows out of range are zeros, and get no gradient.
    const leaves = leavesOf(5, [-1, 0, 1, 2, 3, 4, 5, 9, 2, 2, 0, 4]);
    const [expected, found] = [evaluateGraph(plain, leaves), evaluateGraph(optimized, leaves)];
    for (const name of ['y', 'dTable', 'dw'])
      expect(difference(found[name]!.data, expected[name]!.data)).toBeLessThan(1e-5);
  });

  it('leaves a table alone that has more rows than are looked up', () => {
    expect(outputs(optimize(projection(50, [4, 3])), 'matmul')).toContainEqual([12, WIDTH]);
  });
});

function leavesOf(rows: number, indices: readonly number[]) {
  const wave = (length: number) => Float64Array.from({ length }, (_, i) => Math.sin(i + 1));
  return {
    table: { dtype: 'f32', shape: [rows, LENGTH], data: wave(rows * LENGTH) },
    w: { dtype: 'f32', shape: [WIDTH, LENGTH], data: wave(WIDTH * LENGTH) },
    indices: { dtype: 'i32', shape: [4, 3], data: Float64Array.from(indices) },
  } as const;
}
