/** Generated from the signatures: the gradient of every function, layer and loss by finite differences, and finite at zeros, ties and far out. */
import { describe, expect, it } from 'vitest';
import { evaluateGraph } from '../../../../engine/backend/reference/evaluateGraph.ts';
import { type Dim, sizeOf, substituteDim } from '../../../../engine/dim/dim.ts';
import type { TensorType } from '../../../../engine/ir/graph.ts';
import { GraphBuilder, isValue, type Value } from '../../../../engine/ops/builder.ts';
import type { Argument, TensorFunction } from '../../../../engine/ops/library/function.ts';
import { library } from '../../../../engine/ops/library/library.ts';
import { gradients } from '../../../../engine/passes/autodiff.ts';
import { compileSignature, ownName, type TensorPattern } from '../../../../server/lang/check/signature.ts';
import { parseSignature } from '../../../../server/lang/syntax/parse.ts';
import { checkGradient } from '../../../support/gradients.ts';
import { defaultsOf, testContext } from '../../../support/macros.ts';
import { randomTensor, type Tensors } from '../../../support/samples.ts';

/** Sizes of dimension variables, and values of hyperparameters that have no default. */
const sizes: Readonly<Record<string, number>> = {
  ...{ B: 2, C: 4, H: 5, W: 6, L: 7, T: 4, S: 3, D: 4, E: 3, N: 4, M: 3, V: 5, K: 2, in: 3 },
  ...{
    out: 4,
    kernel: 3,
    size: 2,
    heads: 2,
    groups: 2,
    dim: 4,
    length: 4,
    k: 2,
    by: 1,
    parts: 3,
    scale: 2,
    exponent: 3,
    rows: 6,
    axis: -1,
  },
};

/** Where the sizes of the table don't fit, or a function is defined on a part of the line alone. */
const special: Readonly<Record<string, Readonly<Record<string, Argument>>>> = {
  reshape: { shape: [3, 2] },
  pixel_unshuffle: { scale: 1 },
  split: { sizes: [1, 2] },
  rearrange: { pattern: 'a b -> b a' },
  einsum: { pattern: 'a b, a b, a b -> b' },
};
const domains: Readonly<Record<string, readonly [number, number]>> = {
  log: [0.25, 4],
  log1p: [-0.6, 4],
  sqrt: [0.25, 4],
  rsqrt: [0.25, 4],
  variance: [0.25, 4],
  tan: [-1.2, 1.2],
  log_prediction: [-3, -0.1],
  weights: [0.5, 2],
};

/** No gradient, or none to speak of: whole numbers, random and fixed numbers, steps, what the data say. */
const without = new Set([
  'balanced',
  'argmax',
  'argmin',
  'ceil',
  'arange',
  'one_hot',
  'normal',
  'uniform',
  'zeros',
  'ones',
  'sign',
  'floor',
  'round',
  'detach',
]);

/** A layer's own weight among the inputs: a hyperparameter may have the same name. */
const own = (name: string): string => `own ${name}`;

interface Case {
  readonly at: Tensors;
  readonly args: Readonly<Record<string, Argument>>;
  readonly fn: TensorFunction;
}

/** What `...` stands for. */
const rest = (fn: TensorFunction): readonly number[] => (fn.name === 'squeeze' ? [2, 1] : [2, 3]);

function typeOf({ dims, restAt, dtype }: TensorPattern, rest: readonly number[]): TensorType {
  const known = new Map(Object.entries(sizes).map(([name, d]): [string, Dim] => [ownName(name), d]));
  const shape = dims.map(d => substituteDim(d, known));
  return { dtype, shape: restAt === undefined ? shape : shape.toSpliced(restAt, 0, ...rest) };
}

/** Tensors for all parameters of the signature, optional ones too, and weights for the layer's own. */
function caseOf(fn: TensorFunction): Case {
  const signature = compileSignature(parseSignature(fn.signature), { label: fn.signature });
  const at: Record<string, ReturnType<typeof randomTensor>> = {};
  const args: Record<string, Argument> = { ...sizes, ...defaultsOf(fn.signature), ...special[fn.name] };
  for (const [stream, { name, type, optional }] of signature.parameters.entries()) {
    if (type.kind === 'tensor') {
      const { classes } = type.pattern;
      const most = classes === undefined ? 1 : 2;
      const domain = domains[name] ?? domains[fn.name] ?? (type.pattern.dtype === 'f32' ? [-2, 2] : [0, most]);
      at[name] = randomTensor(typeOf(type.pattern, rest(fn)), domain as [number, number], stream);
    } else if (optional && special[fn.name]?.[name] === undefined) delete args[name];
  }
  const dry = new GraphBuilder();
  const context = testContext(dry);
  fn.build(context, { ...args, ...valuesOf(dry, at) });
  const weights = context.parameters.map((p, i) => [
    own(p.name),
    randomTensor({ dtype: 'f32', shape: p.shape }, p.trainable ? [-1, 1] : [0.5, 1], 50 + i),
  ]);
  return { at: { ...at, ...(Object.fromEntries(weights) as Tensors) }, args, fn };
}

function valuesOf(b: GraphBuilder, at: Tensors): Record<string, Value> {
  return Object.fromEntries(
    Object.entries(at).map(([name, { dtype, shape }]) => [name, b.input(name, { dtype, shape })]),
  );
}

function build({ args, fn }: Case, b: GraphBuilder, values: Readonly<Record<string, Value>>): Value {
  const plain = testContext(b);
  const scalar = b.constant(3, { dtype: 'i32', shape: [] });
  let stream = 0;
  const context = {
    ...plain,
    parameter: (name: string) => values[own(name)]!,
    statistic: (name: string) => ({ value: values[own(name)]!, update: () => undefined }),
    uniform: (shape: readonly Dim[]) => b.uniform(scalar, scalar, shape, stream++),
  };
  const built = fn.build(context, { ...args, ...values });
  if (isValue(built)) return built;
  // Of several results, those that have gradients.
  return b.concat(
    built.filter(v => v.type.dtype === 'f32').map(v => b.reshape(v, [sizeOf(v.type.shape)])),
    0,
  );
}

const differentiable = Object.values(library.model)
  .filter(fn => !without.has(fn.name))
  .map(fn => [fn.name, fn] as const);

describe('every gradient agrees with finite differences', () => {
  it.each(differentiable)('%s', (_, fn) => {
    const made = caseOf(fn);
    const reports = checkGradient(made.at, (b, inputs) => build(made, b, inputs));
    for (const { input, error } of reports) expect(error, input).toBeLessThan(1e-6);
  });
});

describe('every gradient is finite at zeros, ties and far out', () => {
  const partial = new Set(['log', 'log1p', 'sqrt', 'rsqrt', 'pow', 'exp', 'poisson']);
  it.each(differentiable.filter(([name]) => !partial.has(name)))('%s', (name, fn) => {
    const made = caseOf(fn);
    for (const value of name === 'bce' || fn.kind === 'loss' ? [0, 1] : [0, 1, 60, -60]) {
      const at = Object.fromEntries(
        Object.entries(made.at).map(([key, t]) => [
          key,
          t.dtype === 'f32' ? { ...t, data: t.data.map(() => value) } : t,
        ]),
      );
      const b = new GraphBuilder();
      const values = valuesOf(b, at);
      const output = build(made, b, values);
      const names = Object.keys(at).filter(key => at[key]!.dtype === 'f32');
      const found = gradients(
        b,
        b.sum(output),
        names.map(key => values[key]!),
      );
      const graph = b.finish('g', [
        { name: 'y', value: output },
        ...found.map((v, i) => ({ name: names[i]!, value: v })),
      ]);
      for (const [key, { data }] of Object.entries(evaluateGraph(graph, at)))
        expect(data.every(Number.isFinite), `${key} at ${value}`).toBe(true);
    }
  });
});
