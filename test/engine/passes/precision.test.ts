/** Mixed precision on graphs: what is kept in f16 and what isn't, and that gradients stay those of f32 within the rounding. */
import { describe, expect, it } from 'vitest';
import { evaluateGraph } from '../../../engine/backend/reference/evaluateGraph.ts';
import type { Graph, TensorType } from '../../../engine/ir/graph.ts';
import { GraphBuilder, type Value } from '../../../engine/ops/builder.ts';
import { gradients } from '../../../engine/passes/autodiff.ts';
import { optimize } from '../../../engine/passes/pipeline.ts';
import { halve, withoutIdleRoundings } from '../../../engine/passes/precision.ts';
import { randomLeaves } from '../../support/runSchedule.ts';

const f32 = (...shape: number[]): TensorType => ({ dtype: 'f32', shape });

/** A graph of one result, `loss`. */
function graphOf(build: (b: GraphBuilder) => Value): Graph {
  const b = new GraphBuilder();
  return b.finish('forward', [{ name: 'loss', value: build(b) }]);
}

/** The ops whose results are rounded to f16, in order. */
function roundedOps(graph: Graph): string[] {
  const halved = halve(graph);
  return halved.nodes.flatMap(({ op, inputs }) => (op === 'to_f16' ? [halved.nodes[inputs[0]!]!.op] : []));
}

const weight = (b: GraphBuilder, name: string, ...shape: number[]) => b.state(name, f32(...shape));

describe('kept in f16', () => {
  it('are operands and results of products and what is elementwise between them; the loss is not', () => {
    const graph = graphOf(b => {
      const hidden = b.add(b.matmul(b.input('x', f32(4, 3)), weight(b, 'w', 3, 5)), weight(b, 'bias', 5));
      const logits = b.matmul(b.maximum(hidden, 0), weight(b, 'v', 5, 2));
      return b.sum(b.mul(logits, logits));
    });
    expect(roundedOps(graph)).toEqual(['input', 'state', 'matmul', 'add', 'maximum', 'state', 'matmul']);
  });

  it('are no exponentials and sums, and what is wide stays so until a product reads it', () => {
    const graph = graphOf(b => {
      const x = b.matmul(b.input('x', f32(4, 4)), weight(b, 'w', 4, 4));
      const shares = b.exp(b.sub(x, b.max(x, { axes: [1], keep: true })));
      const y = b.div(shares, b.sum(shares, { axes: [1], keep: true }));
      return b.sum(b.matmul(y, weight(b, 'v', 4, 2)));
    });
    expect(roundedOps(graph)).toEqual(['input', 'state', 'matmul', 'sub', 'div', 'state', 'matmul']);
  });

  it('is no residual stream that starts in f32', () => {
    const graph = graphOf(b => {
      const x = b.input('x', f32(4, 4));
      const stream = b.add(x, b.matmul(b.sub(x, b.sum(x, { axes: [1], keep: true })), weight(b, 'w', 4, 4)));
      return b.sum(b.matmul(b.exp(stream), weight(b, 'v', 4, 2)));
    });
    expect(roundedOps(graph)).not.toContain('add');
  });

  it('a mask that f16 does not reach is its largest number', () => {
    const graph = graphOf(b => {
      const scores = b.matmul(b.input('x', f32(3, 3)), weight(b, 'w', 3, 3));
      const seen = b.select(b.lessEqual(b.iota([3, 3], 1), b.iota([3, 3], 0)), scores, -1e30);
      return b.sum(b.matmul(b.exp(seen), weight(b, 'v', 3, 2)));
    });
    const halved = halve(graph);
    const { loss } = evaluateGraph(halved, randomLeaves(halved));
    expect(Number.isFinite(loss!.data[0])).toBe(true);
    const constants = halved.nodes.flatMap(({ op, attributes }) => (op === 'constant' ? [attributes.value] : []));
    expect(constants).toContain(-65504);
    expect(roundedOps(graph)).toContain('select');
  });
});

/** Gradients of `loss` with respect to all weights, plain or mixed, after all passes. */
function gradientsOf(graph: Graph, mixed: boolean): Graph {
  const b = GraphBuilder.from(mixed ? halve(graph) : graph);
  const weights = graph.nodes.flatMap(({ op, attributes, type }) =>
    op === 'state' ? [b.state(String(attributes.name), type)] : [],
  );
  const nodes = mixed ? halve(graph) : graph;
  const found = gradients(b, b.value(nodes.outputs[0]!.value), weights);
  const all = b.finish(
    'step',
    found.map((value, i) => ({ name: `g${i}`, value })),
  );
  return optimize(mixed ? withoutIdleRoundings(all) : all);
}

const models: Record<string, (b: GraphBuilder) => Value> = {
  perceptron: b => {
    const hidden = b.tanh(b.add(b.matmul(b.input('x', f32(6, 5)), weight(b, 'w', 5, 7)), weight(b, 'c', 7)));
    return b.sum(b.exp(b.mul(b.matmul(hidden, weight(b, 'v', 7, 3)), 0.1)));
  },
  convolution: b => {
    const x = b.conv(b.input('x', f32(2, 2, 6, 6)), weight(b, 'w', 3, 2, 3, 3), { before: [1, 1] });
    const pooled = b.maximum(b.conv(x, weight(b, 'v', 2, 3, 2, 2), { strides: [2, 2] }), 0);
    return b.sum(b.mul(pooled, pooled));
  },
  attention: b => {
    const x = b.input('x', f32(2, 4, 3));
    const of = (name: string) => b.matmul(b.reshape(x, [8, 3]), weight(b, name, 3, 3));
    const [q, k, v] = ['q', 'k', 'v'].map(name => b.reshape(of(name), [2, 4, 3])) as [Value, Value, Value];
    const scores = b.exp(b.mul(b.matmul(q, k, { transposeB: true }), 0.3));
    const shares = b.div(scores, b.sum(scores, { axes: [2], keep: true }));
    const y = b.concat([b.matmul(shares, v), v], 2);
    return b.sum(b.mul(b.matmul(b.reshape(y, [8, 6]), weight(b, 'o', 6, 3)), 0.2));
  },
};

it.each(Object.entries(models))('gradients of a %s are those of f32 within the rounding', (_, build) => {
  const graph = graphOf(build);
  const [plain, mixed] = [gradientsOf(graph, false), gradientsOf(graph, true)];
  expect(mixed.nodes.some(({ type }) => type.dtype === 'f16')).toBe(true);
  const leaves = randomLeaves(plain);
  const [expected, found] = [evaluateGraph(plain, leaves), evaluateGraph(mixed, leaves)];
  for (const [name, { data }] of Object.entries(expected)) {
    const scale = Math.max(...data.map(Math.abs));
    const worst = Math.max(...data.map((value, i) => Math.abs(value - found[name]!.data[i]!)));
    expect(worst / scale, name).toBeLessThan(2 ** -7);
    expect(worst, `${name} is rounded`).toBeGreaterThan(0);
  }
});

it('the adjoint of a rounding is rounded, and back', () => {
  const b = new GraphBuilder();
  const x = b.input('x', f32(2));
  const y = b.op('to_f32', [b.op('to_f16', [x])]);
  const [g] = gradients(b, b.sum(b.mul(y, 1 + 2 ** -12)), [x]);
  const { dx } = evaluateGraph(b.finish('g', [{ name: 'dx', value: g! }]), {
    x: { dtype: 'f32', shape: [2], data: Float64Array.of(1, 2) },
  });
  expect([...dx!.data]).toEqual([1, 1]);
});
