/** Very deep networks: what the scheduler asks of each pair of layers stays cheap. */
import { describe, expect, it } from 'vitest';
import type { Graph } from '../../../engine/ir/graph.ts';
import { scheduleGraph } from '../../../engine/kernel/schedule.ts';
import { GraphBuilder, type Value } from '../../../engine/ops/builder.ts';
import { gradients } from '../../../engine/passes/autodiff.ts';
import { optimize } from '../../../engine/passes/pipeline.ts';

const [ROWS, WIDTH] = [64, 32];

/** A step of `depth` residual blocks, normalised as in a transformer, whose weights are slices of one state. */
function stepOf(depth: number): Graph {
  const b = new GraphBuilder();
  const size = WIDTH * WIDTH;
  const weights = b.state('w', { dtype: 'f32', shape: [depth * size] });
  let x = b.input('x', { dtype: 'f32', shape: [ROWS, WIDTH] });
  for (let n = 0; n < depth; n++) {
    const w = b.reshape(b.slice(weights, [n * size], [size]), [WIDTH, WIDTH]);
    const mean = (v: Value) => b.reshape(b.mul(b.sum(v, { axes: [1] }), 1 / WIDTH), [ROWS, 1]);
    const centred = b.sub(x, mean(x));
    const norm = b.div(centred, b.sqrt(b.add(mean(b.square(centred)), 1e-5)));
    x = b.add(x, b.mul(b.maximum(b.matmul(norm, w), 0), 0.1));
  }
  const loss = b.sum(b.square(x));
  const [gradient] = gradients(b, loss, [weights]);
  const next = b.sub(weights, b.mul(gradient!, 1e-4));
  return optimize(
    b.finish('step', [
      { name: 'loss', value: loss },
      { name: 'w', value: next, kind: 'assign' },
    ]),
  );
}

/** Seconds of processor time. */
function secondsFor(graph: Graph): number {
  const before = process.cpuUsage();
  scheduleGraph(graph);
  return process.cpuUsage(before).user / 1e6;
}

describe('scheduleGraph of a deep network', () => {
  it('takes seconds for 240 blocks', () => {
    const graph = stepOf(240);
    expect(secondsFor(graph)).toBeLessThan(10);
  }, 120_000);
});
