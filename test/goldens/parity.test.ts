/** Functions, layers and losses against PyTorch where a python here has it: values and gradients at random places, ties, zeros, infinities, gaps. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { evaluateGraph } from '../../engine/backend/reference/evaluateGraph.ts';
import { GraphBuilder } from '../../engine/ops/builder.ts';
import type { Argument } from '../../engine/ops/library/function.ts';
import type { Tensor } from '../../engine/ops/primitive.ts';
import { gradients } from '../../engine/passes/autodiff.ts';
import { helpers, rules } from '../../server/export/rules.ts';
import { applyAll, defaultsOf, libraryFunction, testContext } from '../support/macros.ts';
import { randomTensor, type Tensors } from '../support/samples.ts';
import { accepted, type Case, cases } from './parityCases.ts';

/** A python that has torch: the one that `STRATA_BENCH_PYTHON` names, or the system's. */
const python = [process.env.STRATA_BENCH_PYTHON, 'python3'].find(
  path => path !== undefined && spawnSync(path, ['-c', 'import torch']).status === 0,
);
if (python === undefined) console.log('SKIPPED: functions are not compared with PyTorch, no python here has torch');

interface Answer {
  readonly y: readonly (number | string)[];
  readonly gradients: Readonly<Record<string, readonly (number | string)[]>>;
  readonly error?: string;
}

/** The function's value and the gradients of its inputs and weights for a random adjoint, by the f64 evaluator. */
function ours({ name, inputs, args = {}, part = 0 }: Case) {
  const b = new GraphBuilder();
  const context = testContext(b);
  const values = Object.fromEntries(
    Object.entries(inputs).map(([key, { dtype, shape }]) => [key, b.input(key, { dtype, shape })]),
  );
  const y = applyAll(context, name, { ...args, ...values })[part]!;
  const weights: Tensors = Object.fromEntries(
    context.parameters
      .filter(p => p.trainable)
      .map((p, i) => [p.name, randomTensor({ dtype: 'f32', shape: p.shape }, [-1, 1], 50 + i)]),
  );
  const statistics: Tensors = Object.fromEntries(
    context.parameters
      .filter(p => !p.trainable)
      .map(p => [p.name, { dtype: 'f32' as const, shape: p.shape, data: new Float64Array(p.shape[0]!) }]),
  );
  const shape = y.type.shape as number[];
  const adjoint = randomTensor({ dtype: 'f32', shape }, [-1, 1], 99);
  const wanted = {
    ...Object.fromEntries(Object.entries(values).filter(([, v]) => v.type.dtype === 'f32')),
    ...Object.fromEntries(
      Object.entries(weights).map(([key, w]) => [key, b.state(key, { dtype: 'f32', shape: w.shape })]),
    ),
  };
  const outputs = [{ name: 'y', value: y }];
  if (y.type.dtype === 'f32') {
    const total = b.sum(b.mul(y, b.input('adjoint', { dtype: 'f32', shape })));
    const parts = gradients(b, total, Object.values(wanted));
    outputs.push(...Object.keys(wanted).map((key, i) => ({ name: `d ${key}`, value: parts[i]! })));
  }
  const found = evaluateGraph(b.finish('g', outputs), { ...inputs, ...weights, ...statistics, adjoint });
  return { found, weights, adjoint, result: shape };
}

const spec = ({ dtype, shape, data }: Tensor) => ({
  dtype,
  shape,
  data: Array.from(data, v => (Number.isFinite(v) ? v : String(v))),
});
const specs = (tensors: Tensors) => Object.fromEntries(Object.entries(tensors).map(([key, t]) => [key, spec(t)]));

/** The case as parity.py reads it. */
function question(each: Case, { weights, adjoint, result }: ReturnType<typeof ours>) {
  const { name, inputs, args = {}, torch } = each;
  const rule = rules[name];
  const full: Record<string, Argument> = { ...defaultsOf(libraryFunction(name, 'model').signature), ...args };
  const helper = rule?.helper?.(full);
  const call = {
    args: { ...full, ...each.sizes },
    x: (parameter: string) => parameter,
    has: (parameter: string) => inputs[parameter] !== undefined,
    shape: (parameter: string) => inputs[parameter]!.shape as number[],
    result,
    self: 'module',
  };
  const value = torch ?? rule!.value(call);
  return {
    value: each.part === undefined ? value : `${value}[${each.part}]`,
    ...(torch === undefined && rule?.module && { module: rule.module(call) }),
    helpers: helper ? [helpers[helper]] : [],
    inputs: specs(inputs),
    weights: specs(weights),
    adjoint: spec(adjoint),
  };
}

/** Places where the two differ by 1e-6 of the greatest finite value; NaN and infinities have to be where they are there. */
function differences(found: ArrayLike<number>, expected: readonly (number | string)[]): readonly string[] {
  const words: Readonly<Record<string, number>> = { nan: Number.NaN, inf: Infinity, '-inf': -Infinity };
  const numbers = expected.map(v => (typeof v === 'string' ? words[v]! : v));
  if (found.length !== numbers.length) return [`${found.length} elements, expected ${numbers.length}`];
  const scale = Math.max(1, ...numbers.filter(Number.isFinite).map(Math.abs));
  const same = (x: number, y: number) =>
    x === y || (Number.isNaN(x) && Number.isNaN(y)) || Math.abs(x - y) < 1e-6 * scale;
  return numbers.flatMap((v, i) => (same(found[i]!, v) ? [] : [`[${i}] ${found[i]} expected ${v}`]));
}

describe.skipIf(python === undefined)('as PyTorch', () => {
  it('values and gradients', { timeout: 120_000 }, () => {
    const made = cases.map(each => ({ each, mine: ours(each) }));
    const asked = spawnSync(python!, [join(import.meta.dirname, 'parity.py')], {
      input: JSON.stringify(made.map(({ each, mine }) => question(each, mine))),
      encoding: 'utf8',
      maxBuffer: 2 ** 28,
    });
    const answers = JSON.parse(asked.stdout) as Answer[];
    const wrong = made.flatMap(({ each, mine }, i) => {
      const { y, gradients: theirs, error } = answers[i]!;
      if (error !== undefined) return [`${each.title}: ${error}`];
      const parts = [['y', y], ...Object.entries(theirs).map(([key, g]) => [`d ${key}`, g])] as const;
      return parts.flatMap(([key, values]) => {
        const found = mine.found[key as string];
        if (found === undefined) return [`${each.title}, ${key}: no such result`];
        const places = differences(found.data, values as readonly number[]);
        return places.length === 0 ? [] : [`${each.title}, ${key}: ${places.slice(0, 4).join('; ')}`];
      });
    });
    expect(wrong.filter(line => !accepted.some(([pattern]) => pattern.test(line)))).toEqual([]);
    // No excuse outlives its difference.
    expect(accepted.filter(([pattern]) => !wrong.some(line => pattern.test(line)))).toEqual([]);
  });

  it('covers what has a counterpart', () => {
    const covered = new Set(cases.map(({ name }) => name));
    expect(Object.keys(rules).filter(name => !covered.has(name))).toEqual(['dropout']);
  });
});
