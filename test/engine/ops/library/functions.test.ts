/** Activations and losses against PyTorch: values, gradients, and arguments so large that naive formulas overflow. */
import { describe, expect, it } from 'vitest';
import { evaluateGraph } from '../../../../engine/backend/reference/evaluateGraph.ts';
import type { DType } from '../../../../engine/ir/graph.ts';
import { GraphBuilder, type Value } from '../../../../engine/ops/builder.ts';
import type { Arguments } from '../../../../engine/ops/library/function.ts';
import { gradients } from '../../../../engine/passes/autodiff.ts';
import { golden, relativeError } from '../../../goldens/golden.ts';
import { Lcg } from '../../../goldens/inputs.ts';
import { apply, testContext } from '../../../support/macros.ts';

interface ActivationGolden {
  readonly args: Readonly<Record<string, number | boolean>>;
  readonly values: readonly number[];
  readonly gradients: readonly number[];
  /** At -1000, -80, -20, 0, 20, 80, 1000, as text since JSON has no NaN. */
  readonly large: readonly string[];
}

interface LossGolden {
  readonly args: Readonly<Record<string, number | boolean | readonly number[]>>;
  readonly value: number;
  readonly gradients: readonly number[];
}

const positive = ['log', 'sqrt', 'pow', 'exp'];
const grid = Float64Array.from({ length: 52 }, (_, i) => (i - 26) / 4);

/** The value of `f` at x and the gradient of the sum of `weights` times it. */
function valueAndGradient(
  x: { shape: readonly number[]; data: Float64Array },
  f: (b: GraphBuilder, x: Value) => Value,
  weights?: Float64Array,
) {
  const b = new GraphBuilder();
  const input = b.input('x', { dtype: 'f32', shape: x.shape });
  const y = f(b, input);
  const loss = weights ? b.sum(b.mul(y, b.input('w', y.type))) : y;
  const [gradient] = gradients(b, loss, [input]);
  const graph = b.finish('f', [
    { name: 'y', value: y },
    { name: 'gradient', value: gradient! },
  ]);
  const leaves = {
    x: { dtype: 'f32' as DType, ...x },
    ...(weights && { w: { dtype: 'f32' as DType, shape: x.shape, data: weights } }),
  };
  const found = evaluateGraph(graph, leaves);
  return { y: found.y!.data, gradient: found.gradient!.data };
}

describe('activations', () => {
  it.each(Object.entries(golden<Record<string, ActivationGolden>>('activations')))('%s', (key, expected) => {
    const name = key.split(' ')[0]!;
    const data = positive.includes(name) ? grid.map(v => Math.abs(v) + 0.25) : grid;
    const rule = (b: GraphBuilder, x: Value) => apply(testContext(b), name, { x, ...expected.args });
    const { y, gradient } = valueAndGradient({ shape: [4, 13], data }, rule, new Lcg(3).floats(52));
    expect(relativeError(y, expected.values, 0.1)).toBeLessThan(1e-5);
    expect(relativeError(gradient, expected.gradients, 0.1)).toBeLessThan(1e-5);
    if (expected.large.length === 0) return;
    const far = { shape: [1, 7], data: Float64Array.from([-1000, -80, -20, 0, 20, 80, 1000]) };
    const large = valueAndGradient(far, rule, new Float64Array(7).fill(1));
    expect(relativeError(large.y, expected.large.map(Number), 1e-3)).toBeLessThan(1e-5);
    expect([...large.gradient].every(Number.isFinite)).toBe(true);
  });
});

describe('losses', () => {
  const lcg = new Lcg(11);
  const f32 = (scale = 1) => Float64Array.from(lcg.floats(30), v => v * scale);
  const logits = f32(4);
  const target = Float64Array.from(lcg.classes(6, 5));
  const [first, second] = [f32(), f32()];
  const zeroOne = f32().map(v => (v > 0 ? 1 : 0));
  const probability = f32(2).map(v => 1 / (1 + Math.exp(-v)));
  const times = (values: Float64Array, by: number) => values.map(v => v * by);

  const leaf = (b: GraphBuilder, values: Float64Array, dtype: DType): Value =>
    // A table of constants: the loss is differentiated by its prediction alone.
    b.stack([...values].map(v => b.constant(v, { dtype, shape: [] })));
  const matrix = (b: GraphBuilder, values: Float64Array) => b.reshape(leaf(b, values, 'f32'), [6, 5]);
  const classes = (x: Float64Array) => ({
    x,
    make: (b: GraphBuilder, v: Value) => ({ logits: v, target: leaf(b, target, 'i32'), C: 5 }),
  });
  const against = (x: Float64Array, y: Float64Array) => ({
    x,
    make: (b: GraphBuilder, v: Value) => ({ prediction: v, target: matrix(b, y) }),
  });
  const data: Record<string, { x: Float64Array; make: (b: GraphBuilder, x: Value) => Arguments }> = {
    cross_entropy: classes(logits),
    'cross_entropy smoothing': classes(logits),
    'cross_entropy weights': classes(logits),
    'cross_entropy weights smoothing': classes(logits),
    'cross_entropy where': classes(logits),
    'cross_entropy weights where': classes(logits),
    soft_cross_entropy: { x: logits, make: (b, v) => ({ logits: v, target: matrix(b, rows(second, softmaxed)) }) },
    nll: {
      x: rows(first, logSoftmaxed),
      make: (b, v) => ({ log_prediction: v, target: leaf(b, target, 'i32') }),
    },
    'bce weighted': against(logits, zeroOne),
    smooth_l1: against(times(first, 4), second),
    poisson: against(first, second),
    cosine: against(first, second),
    triplet: {
      x: first,
      make: (b, v) => ({ anchor: v, positive: matrix(b, second), negative: matrix(b, probability) }),
    },
    'cross_entropy large': classes(times(logits, 1024)),
    bce: against(logits, zeroOne),
    'bce large': against(times(logits, 64), zeroOne),
    'bce probabilities': against(probability, zeroOne),
    mse: against(first, second),
    mae: against(first, second),
    huber: against(times(first, 4), second),
    hinge: against(
      times(first, 2),
      zeroOne.map(v => 2 * v - 1),
    ),
    kl: {
      x: rows(first, logSoftmaxed),
      make: (b, v) => ({ log_prediction: v, target: matrix(b, rows(second, softmaxed)) }),
    },
  };

  it.each(Object.entries(golden<Record<string, LossGolden>>('losses')))('%s', (key, expected) => {
    const { x, make } = data[key]!;
    const rule = (b: GraphBuilder, v: Value) =>
      apply(testContext(b), key.split(' ')[0]!, { ...make(b, v), ...vectors(b, expected.args) });
    const { y, gradient } = valueAndGradient({ shape: [6, 5], data: x }, rule);
    expect(relativeError(y, [expected.value], 1e-6)).toBeLessThan(1e-5);
    expect(relativeError(gradient, expected.gradients, 1e-3)).toBeLessThan(1e-4);
  });

  it('takes a number as the target, as the 1 of a generator loss', () => {
    const one = (b: GraphBuilder, x: Value) => apply(testContext(b), 'bce', { prediction: x, target: 1 });
    expect(valueAndGradient({ shape: [1, 1], data: Float64Array.of(0) }, one).gradient[0]).toBe(-0.5);
  });
});

describe('ctc', () => {
  it('of a target longer than its steps is infinite, and 0 where that is asked for', () => {
    const of = (zero: boolean) => (b: GraphBuilder, logits: Value) => {
      const target = b.constant(1, { dtype: 'i32', shape: [1, 3] });
      return apply(testContext(b), 'ctc', { logits, target, zero_infinity: zero });
    };
    const x = { shape: [1, 4, 2], data: new Lcg(3).floats(8) };
    expect([...valueAndGradient(x, of(false)).y]).toEqual([Number.POSITIVE_INFINITY]);
    expect([...valueAndGradient(x, of(true)).y]).toEqual([0]);
    expect([...valueAndGradient(x, of(true)).gradient].map(Math.abs)).toEqual(Array(8).fill(0));
  });

  interface CtcGolden {
    readonly inputs: readonly number[];
    readonly zero_infinity: boolean;
    readonly targets: readonly number[];
    readonly labels: readonly number[];
    readonly value: number;
    readonly gradients: readonly number[];
  }
  it.each(golden<readonly CtcGolden[]>('ctc').map(g => [g.inputs.join(), g] as const))('lengths %s', (_, expected) => {
    const x = new Lcg(29).floats(135).map(v => 3 * v);
    const { y, gradient } = valueAndGradient({ shape: [3, 9, 5], data: x }, (b, logits) => {
      const whole = (values: readonly number[]) => b.stack(values.map(v => b.constant(v, { dtype: 'i32', shape: [] })));
      const target = b.reshape(whole(expected.labels), [3, 4]);
      const lengths = { input_length: whole(expected.inputs), target_length: whole(expected.targets) };
      return apply(testContext(b), 'ctc', { logits, target, ...lengths, zero_infinity: expected.zero_infinity });
    });
    expect(relativeError(y, [expected.value], 1e-6)).toBeLessThan(1e-5);
    expect(relativeError(gradient, expected.gradients, 1e-3)).toBeLessThan(1e-4);
  });
});

const softmaxed = (row: number[]) => row.map(u => Math.exp(u) / row.reduce((s, w) => s + Math.exp(w), 0));
const logSoftmaxed = (row: number[]) => softmaxed(row).map(Math.log);

/** Lists as the vectors they stand for; `where` as conditions. */
function vectors(b: GraphBuilder, args: LossGolden['args']): Arguments {
  const vector = (name: string, values: readonly number[]): Value => {
    const all = b.stack(values.map(v => b.constant(v)));
    return name === 'where' ? b.greater(all, 0) : all;
  };
  return Object.fromEntries(
    Object.entries(args).map(([name, v]) => [name, typeof v === 'object' ? vector(name, v) : v]),
  );
}

/** Applies `f` to each row of 5. */
function rows(values: Float64Array, f: (row: number[]) => number[]): Float64Array {
  return Float64Array.from([...Array(values.length / 5).keys()].flatMap(i => f([...values.slice(5 * i, 5 * i + 5)])));
}
