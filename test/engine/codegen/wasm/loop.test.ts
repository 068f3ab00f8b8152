/** Loop and scatter kernels: every way of vectorising against the plain interpreter. */
import { describe, expect, test } from 'vitest';
import type { Reducer, Scalar, ScalarOp, ScalarType } from '../../../../engine/ir/scalar.ts';
import type { Kernel, LoopKernel, Phase } from '../../../../engine/kernel/kernel.ts';
import { add, apply, axis, constant, load, mul, reduced } from '../../../../engine/kernel/scalar.ts';
import { buffer, difference, random, runPlainly, runWasm, schedule, type Values } from './support.ts';

const int = (n: number) => constant(n);
const float = (n: number) => constant(n, 'f32');
const f = (op: ScalarOp, ...args: Scalar[]) => apply(op, args, 'f32');
const at = (strides: readonly number[], offset = 0) =>
  strides.reduce((sum, s, n) => add(sum, mul(axis(n), int(s))), int(offset));
const loop = (axes: number[], inner: number[], ...phases: Phase[]): LoopKernel => ({
  kind: 'loop',
  name: 'loop',
  axes,
  inner,
  phases,
});
const out = (value: Scalar, where: Scalar, over: 'outer' | 'inner' = 'outer', buffer = 2): Phase => ({
  kind: 'store',
  over,
  stores: [{ buffer, at: where, value }],
});
const reduce = (reducer: Reducer, ...values: Scalar[]): Phase => ({
  kind: 'reduce',
  slots: values.map(value => ({ reducer, value })),
});

const LENGTH = 4096;

async function check(kernel: Kernel, inputs: Values = {}, bound = 1e-6, outType: 'f32' | 'i32' = 'f32'): Promise<void> {
  const buffers = [
    buffer('a', LENGTH),
    buffer('b', LENGTH),
    buffer('out', LENGTH, outType),
    buffer('index', 64, 'i32'),
    buffer('bytes', 256, 'u8'),
    buffer('flags', 256, 'bool'),
  ];
  const s = schedule(buffers, [kernel]);
  const all = { a: random(LENGTH, 1), b: random(LENGTH, 2), ...inputs };
  const expected = runPlainly(s, all);
  const actual = await runWasm(s, all);
  for (const name of ['out', 'a', 'flags'])
    expect(difference(actual[name]!, expected[name]!), name).toBeLessThan(bound);
}

const x = (where: Scalar) => load(0, where, 'f32');
const y = (where: Scalar) => load(1, where, 'f32');

describe('elementwise', () => {
  test.each([1, 3, 4, 7, 8, 9, 12, 31, 100])('%i elements', async n => {
    await check(loop([n], [], out(f('add', f('mul', x(at([1])), y(at([1]))), float(0.5)), at([1]))));
  });

  test('a row repeated, a column repeated, and both in one kernel', async () => {
    await check(loop([9, 21], [], out(f('add', x(at([0, 1])), y(at([1, 0]))), at([21, 1]))));
  });

  test('a transposed operand is gathered lane by lane', async () => {
    await check(loop([13, 11], [], out(f('sub', x(at([1, 13])), y(at([11, 1]))), at([11, 1]))));
  });

  test('a transposed result is scattered lane by lane', async () => {
    await check(loop([13, 12], [], out(x(at([12, 1])), at([1, 13]))));
  });

  test('flipped', async () => {
    await check(loop([5, 19], [], out(x(at([19, -1], 18)), at([19, 1]))));
  });

  test('padded: the index leaves the buffer where the mask is false', async () => {
    const inside = apply(
      'and',
      [apply('le', [int(3), axis(1)], 'bool'), apply('lt', [axis(1), int(13)], 'bool')],
      'bool',
    );
    const padded = apply('select', [inside, x(at([10, 1], -3)), float(-1)], 'f32');
    await check(loop([6, 17], [], out(padded, at([17, 1]))));
  });

  test('rows gathered by an index, 0 where it is out of range', async () => {
    const row = load(3, axis(0), 'i32');
    const inside = apply('and', [apply('le', [int(0), row], 'bool'), apply('lt', [row, int(100)], 'bool')], 'bool');
    const gathered = apply('select', [inside, x(add(mul(row, int(17)), axis(1))), float(0)], 'f32');
    await check(loop([8, 17], [], out(gathered, at([17, 1]))), { index: [3, -1000000, 99, 100, 0, 2000000000, 50, 7] });
  });

  test('single elements gathered by an index', async () => {
    const spread = apply('mod', [mul(axis(0), int(37)), int(101)], 'i32');
    await check(loop([101], [], out(x(spread), at([1]))));
  });

  test('bytes are read as integers', async () => {
    const byte = load(4, at([1], 5), 'i32');
    const bytes = Array.from({ length: 256 }, (_, i) => 255 - i);
    await check(loop([51], [], out(apply('cast', [byte], 'f32'), at([1]))), { bytes });
  });

  test('several results are computed before any is stored', async () => {
    const next = f('add', f('mul', x(at([1])), float(0.9)), y(at([1])));
    const stores = [
      { buffer: 0, at: at([1]), value: next },
      { buffer: 2, at: at([1]), value: f('mul', f('add', next, x(at([1]))), next) },
    ];
    await check(loop([77], [], { kind: 'store', over: 'outer', stores }));
  });

  test('booleans: compared, combined, stored and read back', async () => {
    const below = apply('lt', [x(at([1])), y(at([1]))], 'bool');
    const both = apply('or', [apply('not', [below], 'bool'), load(5, at([1]), 'bool')], 'bool');
    const flags = Array.from({ length: 256 }, (_, i) => i % 2);
    await check(loop([53], [], out(both, at([1]), 'outer', 5)), { flags });
    const chosen = apply('select', [load(5, at([1]), 'bool'), x(at([1])), y(at([1]))], 'f32');
    await check(loop([53], [], out(f('add', chosen, apply('cast', [both], 'f32')), at([1]))), { flags });
  });
});

const unaries: [ScalarOp, number][] = [
  ['neg', 2],
  ['abs', 2],
  ['sign', 2],
  ['floor', 5],
  ['ceil', 5],
  ['round', 5],
  ['exp', 10],
  ['tanh', 3],
  ['erf', 3],
  ['sin', 20],
  ['cos', 20],
];

describe('operations', () => {
  test.each(unaries)('%s', async (op, range) => {
    const a = random(LENGTH, 7, range);
    a[3] = 0;
    await check(loop([45], [], out(f(op, x(at([1]))), at([1]))), { a });
  });

  test.each(['sqrt', 'log'] as const)('%s', async op => {
    await check(loop([45], [], out(f(op, f('abs', x(at([1])))), at([1]))));
  });

  test.each(['add', 'sub', 'mul', 'div', 'mod', 'min', 'max'] as const)('%s', async op => {
    await check(loop([45], [], out(f(op, x(at([1])), y(at([1]))), at([1]))), {}, 2e-5);
  });

  test('pow of positive bases, and of negative ones to whole powers', async () => {
    await check(loop([45], [], out(f('pow', f('abs', x(at([1]))), y(at([1]))), at([1]))));
    await check(loop([45], [], out(f('pow', x(at([1])), f('round', y(at([1])))), at([1]))));
  });

  const integers: [ScalarOp, ScalarType][] = [
    ['add', 'i32'],
    ['mul', 'i32'],
    ['div', 'i32'],
    ['mod', 'i32'],
    ['min', 'i32'],
    ['max', 'u32'],
    ['and', 'i32'],
    ['or', 'u32'],
    ['xor', 'i32'],
    ['shl', 'i32'],
    ['shr', 'i32'],
    ['shr', 'u32'],
    ['div', 'u32'],
    ['min', 'u32'],
  ];
  test.each(integers)('%s on %s', async (op, type) => {
    const a = apply('cast', [apply('sub', [mul(axis(0), int(12345)), int(type === 'u32' ? 0 : 200000)], 'i32')], type);
    const b = apply('cast', [add(apply('mod', [axis(0), int(7)], 'i32'), int(1))], type);
    await check(loop([45], [], out(apply('cast', [apply(op, [a, b], type)], 'i32'), at([1]))), {}, 1e-6, 'i32');
  });

  test('casts truncate, bit casts keep the bits', async () => {
    const whole = apply('cast', [f('mul', x(at([1])), float(1000))], 'i32');
    const bits = apply('bitcast', [y(at([1]))], 'i32');
    await check(loop([45], [], out(apply('xor', [whole, bits], 'i32'), at([1]))), {}, 1e-6, 'i32');
  });

  test('isfinite by bit pattern', async () => {
    const a = random(LENGTH, 9);
    a.splice(0, 4, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0);
    await check(loop([45], [], out(apply('cast', [apply('isfinite', [x(at([1]))], 'bool')], 'f32'), at([1]))), { a });
  });

  test("philox draws the host generator's numbers", async () => {
    const u = (n: number) => constant(n, 'u32');
    const index = apply('cast', [axis(0)], 'u32');
    const word = apply('philox', [u(42), u(7), u(3), index], 'u32');
    await check(loop([45], [], out(apply('bitcast', [word], 'i32'), at([1]))), {}, 1e-9, 'i32');
  });
});

describe('reductions', () => {
  test.each([1, 4, 10, 16, 37, 300])('rows of %i', async n => {
    const row = x(at([n, 1]));
    for (const reducer of ['sum', 'max', 'min', 'argmax'] as const) {
      const slot = reduced(0, reducer === 'argmax' ? 'i32' : 'f32');
      const value = reducer === 'argmax' ? apply('cast', [slot], 'f32') : slot;
      await check(loop([9], [n], reduce(reducer, row), out(value, at([1]))), {}, 1e-5);
    }
  });

  test.each([3, 8, 10, 33])('columns of a matrix %i wide', async n => {
    for (const reducer of ['sum', 'max', 'argmax'] as const) {
      const slot = reduced(0, reducer === 'argmax' ? 'i32' : 'f32');
      const value = reducer === 'argmax' ? apply('cast', [slot], 'f32') : slot;
      await check(loop([n], [64], reduce(reducer, x(at([1, n]))), out(value, at([1]))), {}, 1e-5);
    }
  });

  test('everything to one number, over two axes', async () => {
    await check(
      loop([], [31, 65], reduce('sum', f('mul', x(at([65, 1])), y(at([65, 1])))), out(reduced(0, 'f32'), int(5))),
      {},
      1e-5,
    );
  });

  test('softmax: two reductions and a store over the row', async () => {
    const logit = x(at([10, 1]));
    const e = f('exp', f('sub', logit, reduced(0, 'f32')));
    const kernel = loop(
      [7],
      [10],
      reduce('max', logit),
      reduce('sum', e),
      out(f('div', e, reduced(1, 'f32')), at([10, 1]), 'inner'),
    );
    await check(kernel);
  });

  test.each([16, 67, 79, 140])('of %i neighbouring columns at once, one sum of each and two', async n => {
    const [rows, element] = [Math.floor(LENGTH / n), at([1, n])];
    const one = loop([n], [rows], reduce('sum', x(element)), out(reduced(0, 'f32'), at([1])));
    await check(one, {}, 1e-4);
    const both = f('add', reduced(0, 'f32'), reduced(1, 'f32'));
    const product = f('mul', x(element), y(element));
    await check(loop([n], [rows], reduce('sum', x(element), product), out(both, at([1]))), {}, 1e-4);
  });

  test.each([5, 16, 17, 37, 44, 50])('of rows of %i: whole vectors, some that are left, single elements', async n => {
    const element = x(at([n, 1]));
    const e = f('exp', f('sub', element, reduced(0, 'f32')));
    const both = f('add', reduced(1, 'f32'), reduced(2, 'f32'));
    const phases = [reduce('max', element), reduce('sum', e, element), out(both, at([1]))];
    await check(loop([7], [n], ...phases), {}, 1e-5);
  });

  test('normalised columns: accumulators are vectors over outer points', async () => {
    const value = x(at([1, 20]));
    const kernel = loop(
      [20],
      [30],
      reduce('sum', value, f('mul', value, value)),
      out(f('div', reduced(0, 'f32'), f('sqrt', reduced(1, 'f32'))), at([1])),
    );
    await check(kernel, {}, 1e-5);
  });
});

const scatterRows = (width: number): Parameters<typeof check>[0] => ({
  kind: 'scatter',
  name: 'scatter',
  axes: [9, width],
  buffer: 2,
  at: add(mul(load(3, axis(0), 'i32'), int(width)), axis(1)),
  value: x(at([width, 1])),
});

// Rows that fill the buffer are added in vectors, others element by element.
test.each([17, 4, 64])('scatter adds rows of %i in order, clears first and skips what is outside', async width => {
  const index = [3, 3, 0, -500, 1, 3, 1000, 2, 0];
  await check(scatterRows(width), { index, out: random(LENGTH, 5) });
});
