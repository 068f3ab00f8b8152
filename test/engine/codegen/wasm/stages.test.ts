/** Kernels that round to f16 beside other arithmetic, in stages: the numbers of the plain kernel with roundings in f32, on one thread and on two. */
import { expect, test } from 'vitest';
import { stagesOf } from '../../../../engine/codegen/wasm/stages.ts';
import type { Scalar } from '../../../../engine/ir/scalar.ts';
import type { Buffer, Kernel, LoopKernel } from '../../../../engine/kernel/kernel.ts';
import { add, apply, axis, constant, load, mul, reduced } from '../../../../engine/kernel/scalar.ts';
import { widened } from '../../../../engine/kernel/widen.ts';
import { buffer, random, runPlainly, runWasm, schedule } from './support.ts';

const f32 = (value: number) => constant(value, 'f32');
const op = (name: Parameters<typeof apply>[0], ...args: Scalar[]) => apply(name, args, 'f32');
const at = (row: number, width: number, column: number) => add(mul(axis(row), constant(width)), axis(column));

/** GELU of a value that is rounded, with its inner part rounded too, as `precision mixed` makes it. */
function geluStores(x: Scalar, index: Scalar) {
  const kept = op('round_f16', x);
  const inner = op('add', op('erf', op('mul', kept, f32(Math.SQRT1_2))), f32(1));
  const value = op('mul', op('mul', kept, f32(0.5)), op('round_f16', inner));
  return [x, inner, value].map((each, i) => ({ buffer: 1 + i, at: index, value: each }));
}

function geluLoop(axes: readonly number[], index: Scalar): LoopKernel {
  const x = op('mul', load(0, index, 'f32'), f32(1.1));
  const phases = [{ kind: 'store', over: 'outer', stores: geluStores(x, index) }] as const;
  return { kind: 'loop', name: 'gelu', axes, inner: [], phases };
}

function softmax(rows: number, columns: number): LoopKernel {
  const x = load(0, at(0, columns, 1), 'f32');
  const e = op('exp', op('sub', x, reduced(0, 'f32')));
  const value = op('div', e, reduced(1, 'f32'));
  return {
    kind: 'loop',
    name: 'softmax',
    axes: [rows],
    inner: [columns],
    phases: [
      { kind: 'reduce', slots: [{ reducer: 'max', value: x }] },
      { kind: 'reduce', slots: [{ reducer: 'sum', value: e }] },
      { kind: 'store', over: 'inner', stores: [{ buffer: 1, at: at(0, columns, 1), value }] },
    ],
  };
}

function geluProduct(m: number, n: number, k: number): Kernel {
  const x = op('add', reduced(0, 'f32'), load(5, axis(2), 'f32'));
  const stores = geluStores(x, at(1, n, 2));
  const [a, b] = [load(0, at(1, k, 3), 'f32'), load(4, at(2, k, 3), 'f32')];
  return { kind: 'matmul', name: 'product', batch: 1, m, n, k, a, b, stores };
}

const results = (length: number): Buffer[] => ['kept', 'inner', 'value'].map(name => buffer(name, length, 'f16'));
const cases: Record<string, readonly [Buffer[], Kernel]> = {
  'a line, longer than blocks': [[buffer('x', 2501), ...results(2501)], geluLoop([2501], axis(0))],
  'rows whose ends are no vectors': [[buffer('x', 33 * 40), ...results(33 * 37)], geluLoop([33, 37], at(0, 37, 1))],
  softmax: [[buffer('x', 40 * 77), buffer('value', 40 * 77, 'f16')], softmax(40, 77)],
  'a product': [
    [buffer('x', 23 * 19), ...results(23 * 37), buffer('w', 37 * 19), buffer('bias', 37)],
    geluProduct(23, 37, 19),
  ],
};

test.each(Object.entries(cases))('%s', async (_, [buffers, kernel]) => {
  const plan = schedule(buffers, [kernel]);
  const inputs = Object.fromEntries(
    buffers.filter(b => b.dtype === 'f32').map((b, i) => [b.name, random(b.length, i)]),
  );
  const expected = runPlainly(widened(plan), inputs);
  for (const threads of [1, 2]) {
    const found = await runWasm(plan, inputs, { threads });
    for (const { name, dtype } of buffers) {
      if (dtype !== 'f16') continue;
      // What is computed in f32 here and in f64 there may fall on either side of a tie.
      const worst = Math.max(...found[name]!.map((x, i) => Math.abs(x - expected[name]![i]!) / (1 + Math.abs(x))));
      expect(worst, name).toBeLessThan(2 ** -9);
    }
  }
});

test('a kernel that does little but round stays one loop', () => {
  const stores = [{ buffer: 1, at: axis(0), value: op('max', load(0, axis(0), 'f32'), f32(0)) }];
  const kernel: LoopKernel = { ...geluLoop([8], axis(0)), phases: [{ kind: 'store', over: 'outer', stores }] };
  const places = (['f32', 'f16', 'f16', 'f16'] as const).map((dtype, i) => ({ base: 64 * i, dtype, length: 8 }));
  expect(stagesOf(kernel, places, axis(0))).toBeUndefined();
  expect(stagesOf(geluLoop([8], axis(0)), places, axis(0))?.kernels.length).toBe(6);
});
