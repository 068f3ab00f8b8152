/** Metrics on batches small enough to count by hand, and lion, which PyTorch doesn't have. */
import { describe, expect, it } from 'vitest';
import { evaluateGraph } from '../../../../engine/backend/reference/evaluateGraph.ts';
import { GraphBuilder } from '../../../../engine/ops/builder.ts';
import { apply, defaultsOf, libraryFunction, testContext } from '../../../support/macros.ts';

const f32 = (shape: readonly number[], ...values: number[]) => ({
  dtype: 'f32' as const,
  shape,
  data: Float64Array.from(values),
});
const i32 = (shape: readonly number[], ...values: number[]) => ({
  dtype: 'i32' as const,
  shape,
  data: Float64Array.from(values),
});

const bool = (shape: readonly number[], ...values: number[]) => ({
  dtype: 'bool' as const,
  shape,
  data: Float64Array.from(values),
});

function metric(
  name: string,
  inputs: Readonly<Record<string, ReturnType<typeof f32 | typeof i32 | typeof bool>>>,
  settings = {},
): number {
  const context = testContext();
  const args = Object.fromEntries(Object.entries(inputs).map(([key, t]) => [key, context.b.input(key, t)]));
  const means = apply(context, name, { ...args, C: 3, ...settings }, 'metric');
  const value = libraryFunction(name, 'metric').finish?.(context.b, means, { ...args, ...settings }) ?? means;
  return evaluateGraph(context.b.finish('m', [{ name: 'm', value }]), inputs).m!.data[0]!;
}

const logits = f32([4, 3], 3, 2, 1, 0, 5, 4, 1, 2, 3, 9, 0, 1);
const target = i32([4], 0, 2, 2, 1);

describe('metrics', () => {
  it.each([
    ['accuracy', { logits, target }, {}, 0.5],
    ['top_k', { logits, target }, { k: 2 }, 0.75],
    ['top_k', { logits, target }, { k: 3 }, 1],
    ['perplexity', { logits: f32([2, 3], 0, 0, 0, 1, 1, 1), target: i32([2], 0, 2) }, {}, 3],
    ['binary_accuracy', { prediction: f32([4], -1, 2, 3, -4), target: f32([4], 0, 1, 0, 0) }, {}, 0.75],
    ['accuracy', { logits, target, where: bool([4], 1, 1, 1, 0) }, {}, 2 / 3],
    // Classes 0, 1, 2: predicted 2, 1, 1 times, there 1, 1, 2 times, right 1, 0, 1 times.
    ['precision', { logits, target }, {}, (1 / 2 + 0 + 1) / 3],
    ['recall', { logits, target }, {}, (1 + 0 + 1 / 2) / 3],
    ['f1', { logits, target }, {}, (2 / 3 + 0 + 2 / 3) / 3],
    ['binary_precision', { prediction: f32([4], -1, 2, 3, -4), target: f32([4], 0, 1, 0, 0) }, {}, 0.5],
    ['binary_recall', { prediction: f32([4], -1, 2, 3, -4), target: f32([4], 1, 1, 0, 0) }, {}, 0.5],
    ['binary_f1', { prediction: f32([4], -1, 2, 3, -4), target: f32([4], 1, 1, 0, 0) }, {}, 0.5],
    // Of the four pairs one is in the wrong order and one is a tie.
    ['auc', { prediction: f32([4], 2, -1, -1, 1), target: f32([4], 1, 1, 0, 0) }, {}, 2.5 / 4],
    ['auc', { prediction: f32([4], 0.9, 0.1, 0.4, 0.2), target: f32([4], 1, 0, 1, 0) }, { logits: false }, 1],
    ['rmse', { prediction: f32([2], 1, 4), target: f32([2], 3, 4) }, {}, Math.SQRT2],
    ['r2', { prediction: f32([4], 1, 2, 3, 5), target: f32([4], 1, 2, 3, 4) }, {}, 1 - 1 / 5],
    ['confusion', { logits, target }, {}, 0.5],
    ['mse', { prediction: f32([2], 1, 4), target: f32([2], 3, 4) }, {}, 2],
    ['mae', { prediction: f32([2], 1, 4), target: f32([2], 3, 4) }, {}, 1],
  ] as const)('%s', (name, inputs, settings, expected) => {
    expect(metric(name, inputs, settings)).toBeCloseTo(expected, 6);
  });
});

describe('lion', () => {
  it('steps by the sign of the interpolated gradient and shrinks the weights', () => {
    const b = new GraphBuilder();
    const flat = (name: string) => b.state(name, { dtype: 'f32', shape: [2] });
    const { update, state, signature } = libraryFunction('lion', 'optimizer');
    const args = { ...defaultsOf(signature), weight_decay: 0.1 };
    expect(state(args)).toEqual(['m']);
    const scalars = { lr: b.constant(0.5), step: b.constant(1) };
    const places = [{ shape: [2], offset: 0, length: 2 }];
    const values = { p: flat('p'), g: flat('g'), ...scalars, state: { m: flat('m') }, places };
    const { p, state: next } = update(b, values, args);
    const outputs = [p, next.m!].map((value, i) => ({ name: String(i), value }));
    const found = evaluateGraph(b.finish('lion', outputs), {
      p: f32([2], 1, 1),
      g: f32([2], 2, -3),
      m: f32([2], -1, 0),
    });
    // 0.9 * -1 + 0.1 * 2 is below 0, so the first weight grows although its gradient is positive.
    expect([...found[0]!.data].map(v => Number(v.toFixed(6)))).toEqual([0.95 + 0.5, 0.95 + 0.5]);
    expect([...found[1]!.data].map(v => Number(v.toFixed(6)))).toEqual([-0.97, -0.03]);
  });
});
