/** What a recurrence accumulates term by term becomes one product and one sum, and nothing else does. */
import { describe, expect, it } from 'vitest';
import { evaluateGraph } from '../../../engine/backend/reference/evaluateGraph.ts';
import type { Graph } from '../../../engine/ir/graph.ts';
import { GraphBuilder, type Value } from '../../../engine/ops/builder.ts';
import { gradients } from '../../../engine/passes/autodiff.ts';
import { optimize } from '../../../engine/passes/pipeline.ts';
import { randomLeaves } from '../../support/runSchedule.ts';
import { difference } from '../../support/samples.ts';

const f32 = (...shape: number[]) => ({ dtype: 'f32', shape }) as const;

/** h = tanh(h w + b) a few times over, and the gradients of its mean. */
function recurrence(steps: number): Graph {
  const b = new GraphBuilder();
  const [w, bias] = [b.input('w', f32(6, 6)), b.input('b', f32(6))];
  let h: Value = b.input('h', f32(3, 6));
  for (let t = 0; t < steps; t++) h = b.tanh(b.add(b.matmul(h, w), bias));
  const [dw, db] = gradients(b, b.sum(h), [w, bias]);
  return b.finish('g', [
    { name: 'dw', kind: 'result', value: dw! },
    { name: 'db', kind: 'result', value: db! },
  ]);
}

function plus(one: (b: GraphBuilder) => Value, other: (b: GraphBuilder) => Value): Graph {
  const b = new GraphBuilder();
  return b.finish('g', [{ name: 'y', kind: 'result', value: b.add(one(b), other(b)) }]);
}

const count = (graph: Graph, op: string) => graph.nodes.filter(n => n.op === op).length;
const product = (m: number, k: number, n: number, name: string) => (b: GraphBuilder) =>
  b.matmul(b.input(`${name}0`, f32(m, k)), b.input(`${name}1`, f32(k, n)));

describe('regroup', () => {
  it('makes one product of all steps for the gradient of a shared weight, and one sum for that of a bias', () => {
    const plain = recurrence(5);
    const optimized = optimize(plain);
    // Five products forward, four back through time, and one for the weight.
    expect(count(optimized, 'matmul')).toBe(10);
    expect(optimized.nodes.filter(n => n.op === 'sum' && n.attributes.keep === false)).toHaveLength(1);
    const leaves = randomLeaves(plain);
    const [expected, found] = [evaluateGraph(plain, leaves), evaluateGraph(optimized, leaves)];
    for (const name of ['dw', 'db']) expect(difference(found[name]!.data, expected[name]!.data)).toBeLessThan(1e-5);
  });

  it('joins outer products, but not products over a long axis', () => {
    expect(count(optimize(plus(product(8, 2, 8, 'x'), product(8, 3, 8, 'y'))), 'matmul')).toBe(1);
    expect(count(optimize(plus(product(2, 8, 2, 'x'), product(2, 8, 2, 'y'))), 'matmul')).toBe(2);
  });

  it('leaves a product alone that somebody else reads', () => {
    const b = new GraphBuilder();
    const [x, y] = [product(8, 2, 8, 'x')(b), product(8, 2, 8, 'y')(b)];
    const graph = b.finish('g', [
      { name: 'sum', kind: 'result', value: b.add(x, y) },
      { name: 'x', kind: 'result', value: x },
    ]);
    expect(count(optimize(graph), 'matmul')).toBe(2);
  });
});
