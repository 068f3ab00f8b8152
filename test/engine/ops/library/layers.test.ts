/** Layers with weights against PyTorch's modules: result, gradient of the input and of each parameter, initial ranges. */
import { describe, expect, it } from 'vitest';
import { evaluateGraph } from '../../../../engine/backend/reference/evaluateGraph.ts';
import { GraphBuilder, type Value } from '../../../../engine/ops/builder.ts';
import type { Arguments } from '../../../../engine/ops/library/function.ts';
import type { Tensor } from '../../../../engine/ops/primitive.ts';
import { gradients } from '../../../../engine/passes/autodiff.ts';
import { type Digest, expectDigest, golden } from '../../../goldens/golden.ts';
import { Lcg } from '../../../goldens/inputs.ts';
import { apply, applyAll, testContext } from '../../../support/macros.ts';

interface LayerGolden {
  readonly shape: readonly number[];
  readonly args: Readonly<Record<string, number | boolean | string | readonly number[]>>;
  readonly result: readonly number[];
  readonly values: Digest;
  readonly input: Digest;
  /** Digests of the gradients. */
  readonly parameters: Readonly<Record<string, Digest & { readonly shape: readonly number[] }>>;
}

const size = (shape: readonly number[]) => shape.reduce((n, d) => n * d, 1);
const tensor = (shape: readonly number[], data: Float64Array): Tensor => ({ dtype: 'f32', shape, data });

/** Further tensors of a layer, made from its input as in make.py. */
const others: Readonly<Record<string, (b: GraphBuilder, x: Value) => Arguments>> = {
  'self_attention masked': b => ({ mask: keys(b, 5) }),
  cross_attention: (b, x) => ({ context: b.sliceAxis(b.flip(x, [1]), 1, 1, 4), mask: keys(b, 4) }),
  'lstm started': (b, x) => ({ state: step(b, x, 0), cell: step(b, x, 1) }),
  'gru started': (b, x) => ({ state: step(b, x, 0) }),
};

const step = (b: GraphBuilder, x: Value, t: number): Value => b.squeeze(b.sliceAxis(x, 1, t, 1), [1]);

/** Three keys may be seen in the first row, four in the second. */
function keys(b: GraphBuilder, count: number): Value {
  return b.less(b.iota([2, count], 1), b.add(b.iota([2, count], 0), 3));
}

describe('layers', () => {
  it.each(Object.entries(golden<Record<string, LayerGolden>>('layers')))('%s', (key, expected) => {
    const context = testContext(new GraphBuilder());
    const { b } = context;
    const x = b.input('x', { dtype: 'f32', shape: expected.shape });
    const y = apply(context, key.split(' ')[0]!, { x, ...expected.args, ...others[key]?.(b, x) });
    expect(y.type.shape).toEqual(expected.result);
    const weights = context.parameters.filter(p => p.trainable);
    const stored = Object.entries(expected.parameters).map(([name, p]) => [name.replace('attention.', ''), p.shape]);
    expect(weights.map(p => [p.name, p.shape])).toEqual(stored);
    const loss = b.sum(b.mul(y, b.input('weights', y.type)));
    const values = [x, ...weights.map(p => b.state(p.name, { dtype: 'f32', shape: p.shape }))];
    const found = gradients(b, loss, values);
    const outputs = found.map((value, i) => ({ name: `gradient ${i}`, value }));
    const fill = new Lcg(17);
    const leaves = Object.fromEntries(
      context.parameters.map(p => [
        p.name,
        tensor(p.shape, p.trainable ? fill.floats(size(p.shape)).map(v => v / 2) : new Float64Array(size(p.shape))),
      ]),
    );
    const results = evaluateGraph(b.finish('layer', [{ name: 'y', value: y }, ...outputs]), {
      ...leaves,
      x: tensor(expected.shape, new Lcg(5).floats(size(expected.shape))),
      weights: tensor(expected.result, new Lcg(19).floats(size(expected.result))),
    });
    expectDigest(results.y!.data, expected.values, 1e-4, 'result');
    expectDigest(results['gradient 0']!.data, expected.input, 1e-4, 'input gradient');
    for (const [i, p] of Object.values(expected.parameters).entries()) {
      if (p.norm < 1e-5) continue;
      expectDigest(results[`gradient ${i + 1}`]!.data, p, 1e-4, weights[i]!.name);
    }
  });
});

describe('states of recurrent layers', () => {
  /** The results of `name` over `x`, by number, with weights that depend on their names alone. */
  function run(name: string, x: Tensor, args: Arguments, given: Readonly<Record<string, Tensor>> = {}) {
    const context = testContext(new GraphBuilder());
    const { b } = context;
    const inputs = Object.entries({ x, ...given }).map(([key, { dtype, shape }]) => [
      key,
      b.input(key, { dtype, shape }),
    ]);
    const values = applyAll(context, name, { size: 3, states: true, ...Object.fromEntries(inputs), ...args });
    const graph = b.finish(
      'f',
      values.map((value, i) => ({ name: String(i), value })),
    );
    const fill = new Lcg(17);
    const weights = context.parameters.map(p => [p.name, tensor(p.shape, fill.floats(size(p.shape)))]);
    const found = evaluateGraph(graph, { x, ...given, ...Object.fromEntries(weights) });
    return values.map((_, i) => found[i]!);
  }
  const steps = (x: Tensor, from: number, to: number, width: number): Tensor => {
    const length = x.shape[1] as number;
    const rows = [0, 1].flatMap(row => [...x.data.slice((row * length + from) * width, (row * length + to) * width)]);
    return tensor([2, to - from, width], Float64Array.from(rows));
  };
  const x = tensor([2, 6, 4], new Lcg(5).floats(48));

  it.each(['rnn', 'gru', 'lstm'])('%s goes on from where it was', name => {
    const [whole, ...last] = run(name, x, {});
    const [, state, cell] = run(name, steps(x, 0, 4, 4), {});
    const [rest, ...again] = run(name, steps(x, 4, 6, 4), {}, { state: state!, ...(cell && { cell }) });
    expect([...rest!.data]).toEqual([...steps(whole!, 4, 6, 3).data]);
    expect(again.map(s => [...s.data])).toEqual(last.map(s => [...s.data]));
    expect([...last[0]!.data]).toEqual([...steps(whole!, 5, 6, 3).data]);
  });

  it.each(['rnn', 'gru', 'lstm'])('%s of two layers in both directions ends at either end', name => {
    const [outputs, state] = run(name, x, { layers: 2, bidirectional: true });
    const [first, last] = [steps(outputs!, 0, 1, 6), steps(outputs!, 5, 6, 6)];
    const expected = [0, 1].flatMap(row => [
      ...last.data.slice(row * 6, row * 6 + 3),
      ...first.data.slice(row * 6 + 3, row * 6 + 6),
    ]);
    expect(state!.shape).toEqual([2, 6]);
    expect([...state!.data]).toEqual(expected);
  });
});

describe('batch_norm', () => {
  it('moves the running statistics by the momentum, with the unbiased variance', () => {
    const context = testContext(new GraphBuilder());
    const x = context.b.input('x', { dtype: 'f32', shape: [4, 1] });
    apply(context, 'batch_norm', { x });
    const graph = context.b.finish(
      'f',
      Object.entries(context.updates).map(([name, value]) => ({ name, value })),
    );
    const found = evaluateGraph(graph, {
      x: tensor([4, 1], Float64Array.of(1, 2, 3, 6)),
      running_mean: tensor([1], Float64Array.of(0)),
      running_var: tensor([1], Float64Array.of(1)),
      weight: tensor([1], Float64Array.of(1)),
      bias: tensor([1], Float64Array.of(0)),
    });
    expect(found.running_mean!.data[0]).toBeCloseTo(0.3, 6);
    expect(found.running_var!.data[0]).toBeCloseTo(0.9 + (0.1 * 14) / 3, 6);
  });

  it('uses the running statistics in evaluation', () => {
    const context = testContext(new GraphBuilder(), false);
    const y = apply(context, 'batch_norm', { x: context.b.input('x', { dtype: 'f32', shape: [1, 1] }), eps: 0 });
    const one = (value: number) => tensor([1], Float64Array.of(value));
    const leaves = {
      x: tensor([1, 1], Float64Array.of(7)),
      running_mean: one(1),
      running_var: one(4),
      weight: one(1),
      bias: one(0),
    };
    expect(evaluateGraph(context.b.finish('f', [{ name: 'y', value: y }]), leaves).y!.data[0]).toBe(3);
  });
});

describe('dropout', () => {
  const output = (training: boolean) => {
    const context = testContext(new GraphBuilder(), training);
    const x = context.b.constant(1, { dtype: 'f32', shape: [4000] });
    const y = apply(context, 'dropout', { x, rate: 0.25 });
    const scalar: Tensor = { dtype: 'i32', shape: [], data: Float64Array.of(3) };
    return evaluateGraph(context.b.finish('f', [{ name: 'y', value: y }]), { seed: scalar, step: scalar }).y!.data;
  };

  it('keeps three quarters, scaled so that the mean stays', () => {
    const kept = output(true).filter(v => v !== 0);
    expect(kept.length / 4000).toBeCloseTo(0.75, 1);
    for (const value of kept) expect(value).toBeCloseTo(4 / 3, 6);
  });

  it('is the identity in evaluation', () => expect(output(false).every(v => v === 1)).toBe(true));

  it('refuses a rate of 1', () => {
    const context = testContext();
    const x = context.b.constant(1, { dtype: 'f32', shape: [2] });
    expect(() => apply(context, 'dropout', { x, rate: 1 })).toThrow(
      'dropout expects a rate of at least 0 and below 1, found 1',
    );
  });
});
