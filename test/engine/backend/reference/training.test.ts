/** A whole training step, scheduled and interpreted, against the graph evaluated in double precision. */
import { expect, it } from 'vitest';
import { evaluateGraph } from '../../../../engine/backend/reference/evaluateGraph.ts';
import { referenceBackend } from '../../../../engine/backend/reference/reference.ts';
import type { Graph } from '../../../../engine/ir/graph.ts';
import { scheduleGraph } from '../../../../engine/kernel/schedule.ts';
import { GraphBuilder, type Value } from '../../../../engine/ops/builder.ts';
import { gradients } from '../../../../engine/passes/autodiff.ts';
import { optimize } from '../../../../engine/passes/pipeline.ts';
import { hostArray } from '../../../support/runSchedule.ts';
import { difference, randomTensor, type Tensors } from '../../../support/samples.ts';

const sizes = { batch: 8, input: 12, hidden: 6, classes: 4 };
const parameterCount = sizes.hidden * (sizes.input + 1) + sizes.classes * (sizes.hidden + 1);

/** Two linear layers over one flat parameter buffer, cross-entropy, momentum; the batch is gathered by a permutation. */
function stepGraph(): Graph {
  const b = new GraphBuilder();
  const { batch, input, hidden, classes } = sizes;
  const flat = b.state('params', { dtype: 'f32', shape: [parameterCount] });
  const velocity = b.state('velocity', flat.type);
  let offset = 0;
  const parameter = (...shape: number[]): Value => {
    const size = shape.reduce((n, d) => n * d, 1);
    offset += size;
    return b.reshape(b.slice(flat, [offset - size], [size]), shape);
  };
  const [w1, b1, w2, b2] = [
    parameter(hidden, input),
    parameter(hidden),
    parameter(classes, hidden),
    parameter(classes),
  ] as const;
  const step = b.state('step', { dtype: 'i32', shape: [] });
  const rows = b.add(b.mul(b.mod(step, 2), batch), b.iota([batch]));
  const picked = b.take(b.input('permutation', { dtype: 'i32', shape: [2 * batch] }), rows);
  const x = b.div(b.cast(b.take(b.input('images', { dtype: 'u8', shape: [2 * batch, input] }), picked), 'f32'), 255);
  const label = b.take(b.input('labels', { dtype: 'i32', shape: [2 * batch] }), picked);
  const activation = b.maximum(b.add(b.matmul(x, w1, { transposeB: true }), b1), 0);
  const logits = b.add(b.matmul(activation, w2, { transposeB: true }), b2);
  const shifted = b.sub(logits, b.detach(b.max(logits, { axes: [1], keep: true })));
  const logProbability = b.sub(shifted, b.log(b.sum(b.exp(shifted), { axes: [1], keep: true })));
  const hit = b.equal(b.iota(logits.type.shape, 1), b.unsqueeze(label, 1));
  const loss = b.div(b.neg(b.sum(b.select(hit, logProbability, 0))), batch);
  const parts = gradients(b, loss, [w1, b1, w2, b2]).map(g => b.reshape(g, [-1]));
  const moved = b.add(b.mul(velocity, 0.9), b.concat(parts));
  return b.finish('step', [
    { name: 'loss', value: loss },
    { name: 'velocity', value: moved, kind: 'assign' },
    { name: 'params', value: b.sub(flat, b.mul(moved, 0.5)), kind: 'assign' },
    { name: 'step', value: b.add(step, 1), kind: 'assign' },
  ]);
}

const start: Tensors = {
  params: randomTensor({ dtype: 'f32', shape: [parameterCount] }, [-0.5, 0.5], 1),
  velocity: randomTensor({ dtype: 'f32', shape: [parameterCount] }, [0, 0], 2),
  step: randomTensor({ dtype: 'i32', shape: [] }, [0, 0], 3),
  permutation: { dtype: 'i32', shape: [16], data: Float64Array.from({ length: 16 }, (_, i) => (i * 5) % 16) },
  images: randomTensor({ dtype: 'u8', shape: [16, sizes.input] }, [0, 255], 4),
  labels: randomTensor({ dtype: 'i32', shape: [16] }, [0, 3], 5),
};

it('20 steps of training follow the graph in double precision', async () => {
  const graph = optimize(stepGraph());
  const executable = await referenceBackend().compile([scheduleGraph(graph)]);
  for (const [name, tensor] of Object.entries(start)) executable.write(name, hostArray(tensor));
  let exact: Tensors = start;
  const losses: number[] = [];
  for (let i = 0; i < 20; i++) {
    executable.run('step', 1);
    exact = { ...exact, ...evaluateGraph(graph, exact) };
    losses.push((await executable.read('loss'))[0]!);
    expect(difference(await executable.read('loss'), exact.loss!.data)).toBeLessThan(1e-5);
  }
  expect(difference(await executable.read('params'), exact.params!.data)).toBeLessThan(1e-4);
  expect(losses.at(-1)).toBeLessThan(losses[0]! / 3);
});

it('the passes change no result', () => {
  const [plain, optimized] = [stepGraph(), optimize(stepGraph())];
  expect(optimized.nodes.length).toBeLessThan(plain.nodes.length);
  const [expected, found] = [evaluateGraph(plain, start), evaluateGraph(optimized, start)];
  for (const name of ['loss', 'params', 'velocity']) {
    expect(difference(found[name]!.data, expected[name]!.data)).toBeLessThan(1e-7);
  }
});
