/** Matrix products in every layout of their operands, with edges in each dimension. */
import { describe, expect, test } from 'vitest';
import { compileModule } from '../../../../engine/codegen/wasm/module.ts';
import type { Scalar } from '../../../../engine/ir/scalar.ts';
import type { LoopKernel, MatmulKernel } from '../../../../engine/kernel/kernel.ts';
import { add, apply, axis, constant, load, mul, reduced } from '../../../../engine/kernel/scalar.ts';
import { buffer, difference, random, runPlainly, runWasm, schedule } from './support.ts';

const int = (n: number) => constant(n);
const sum = reduced(0, 'f32');

interface Case {
  readonly shape: readonly [batch: number, m: number, n: number, k: number];
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
  /** What is stored at [b, m, n]. */
  readonly value?: Scalar;
}

function product({ shape: [batch, m, n, k], transposeA = false, transposeB = false, value = sum }: Case): MatmulKernel {
  const at = (b: number, rows: Scalar, row: number, columns: Scalar, column: number) =>
    add(mul(axis(b), int(row * column)), add(mul(rows, int(column)), columns));
  return {
    kind: 'matmul',
    name: 'product',
    batch,
    m,
    n,
    k,
    a: load(0, transposeA ? at(0, axis(3), k, axis(1), m) : at(0, axis(1), m, axis(3), k), 'f32'),
    b: load(1, transposeB ? at(0, axis(2), n, axis(3), k) : at(0, axis(3), k, axis(2), n), 'f32'),
    stores: [{ buffer: 2, at: at(0, axis(1), m, axis(2), n), value }],
  };
}

const biasRelu = apply('max', [apply('add', [sum, load(3, axis(2), 'f32')], 'f32'), constant(0, 'f32')], 'f32');

const half = apply('mul', [sum, constant(0.5, 'f32')], 'f32');
const causal = apply('select', [apply('le', [axis(2), axis(1)], 'bool'), half, constant(-7, 'f32')], 'f32');

const cases: Case[] = [
  { shape: [1, 8, 16, 16] },
  { shape: [1, 7, 13, 5] },
  { shape: [1, 1, 1, 1] },
  { shape: [2, 1, 21, 33], transposeB: true, value: biasRelu },
  { shape: [2, 1, 21, 33] },
  { shape: [2, 21, 1, 33], transposeA: true },
  { shape: [1, 6, 70, 300], transposeA: true },
  { shape: [1, 32, 70, 300], transposeA: true },
  { shape: [2, 8, 70, 300], transposeA: true, value: biasRelu },
  { shape: [1, 64, 10, 128], transposeB: true },
  { shape: [1, 10, 128, 64], transposeA: true },
  { shape: [1, 33, 50, 200] },
  { shape: [1, 33, 50, 201], transposeB: true },
  { shape: [1, 5, 21, 33], transposeA: true, transposeB: true },
  { shape: [3, 6, 18, 20] },
  { shape: [3, 6, 18, 20], transposeB: true },
  { shape: [1, 16, 40, 300], value: biasRelu },
  { shape: [1, 9, 19, 130], transposeB: true, value: biasRelu },
  { shape: [2, 33, 40, 32], transposeB: true, value: causal },
];

describe.each([{ relaxed: false, revectorize: false }, { revectorize: true }])('%j', options => {
  test.each(cases)('%j', async c => {
    const [batch, m, n, k] = c.shape;
    const buffers = [
      buffer('a', batch * m * k),
      buffer('b', batch * k * n),
      buffer('c', batch * m * n),
      buffer('bias', n),
    ];
    const inputs = { a: random(batch * m * k, 1), b: random(batch * k * n, 2), bias: random(n, 3) };
    const s = schedule(buffers, [product(c)]);
    const actual = await runWasm(s, inputs, options);
    expect(difference(actual.c!, runPlainly(s, inputs).c!)).toBeLessThan(2e-6 * Math.sqrt(k) + 1e-6);
  });
});

describe('operands and results that are not plain', () => {
  const shape = { m: 13, n: 21, k: 18 };
  const at = (row: number, width: number, column: number) => add(mul(axis(row), int(width)), axis(column));
  const buffers = [
    buffer('a', 40 * 40),
    buffer('b', 40 * 40),
    buffer('c', 40 * 40),
    buffer('d', 40 * 40),
    buffer('rows', 64, 'i32'),
  ];
  const inputs = { a: random(1600, 1), b: random(1600, 2), rows: Array.from({ length: 64 }, (_, i) => (i * 7) % 30) };
  const plain: MatmulKernel = {
    kind: 'matmul',
    name: 'product',
    batch: 1,
    ...shape,
    a: load(0, at(1, shape.k, 3), 'f32'),
    b: load(1, at(3, shape.n, 2), 'f32'),
    stores: [{ buffer: 2, at: at(1, shape.n, 2), value: sum }],
  };
  const inside = apply(
    'and',
    [apply('le', [int(3), axis(3)], 'bool'), apply('lt', [axis(2), int(17)], 'bool')],
    'bool',
  );
  const gathered = (row: number) => load(4, axis(row), 'i32');
  /** x / size * outer + x % size * inner. */
  const windowed = (x: number, size: number, outer: number, inner: number) => {
    const part = (op: 'div' | 'mod', by: number) => mul(apply(op, [axis(x), int(size)], 'i32'), int(by));
    return add(part('div', outer), part('mod', inner));
  };
  const variants: Record<string, Partial<MatmulKernel>> = {
    'rows of A gathered': { a: load(0, add(mul(gathered(1), int(40)), axis(3)), 'f32') },
    'A computed': { a: apply('exp', [load(0, at(1, shape.k, 3), 'f32')], 'f32') },
    'B computed': { b: apply('exp', [load(1, at(3, shape.n, 2), 'f32')], 'f32') },
    'rows of B gathered': { b: load(1, add(mul(gathered(3), int(40)), axis(2)), 'f32') },
    'B masked where its index leaves the buffer': {
      b: apply('select', [inside, load(1, add(at(3, 40, 2), int(-120)), 'f32'), constant(0, 'f32')], 'f32'),
    },
    'A through windows: rows and k merge axes': {
      a: load(0, add(windowed(1, 5, 100, 7), windowed(3, 6, 30, 3)), 'f32'),
    },
    'A backwards along k': { a: load(0, add(at(1, 40, 1), add(mul(axis(3), int(-2)), int(34))), 'f32') },
    'an operand of stride 2': { b: load(1, add(mul(axis(3), int(50)), mul(axis(2), int(2))), 'f32') },
    'stored transposed': { stores: [{ buffer: 2, at: at(2, shape.m, 1), value: sum }] },
    'two results, one of them of the other buffer': {
      stores: [
        { buffer: 2, at: at(1, shape.n, 2), value: sum },
        { buffer: 3, at: at(1, shape.n, 2), value: apply('mul', [sum, load(3, at(1, shape.n, 2), 'f32')], 'f32') },
      ],
    },
    'added to what is there': {
      stores: [
        { buffer: 2, at: at(1, shape.n, 2), value: apply('add', [load(2, at(1, shape.n, 2), 'f32'), sum], 'f32') },
      ],
    },
  };
  test.each(Object.entries(variants))('%s', async (_, change) => {
    const s = schedule(buffers, [{ ...plain, ...change }]);
    const all = { ...inputs, c: random(1600, 4), d: random(1600, 5) };
    for (const threads of [1, 3]) {
      const [actual, expected] = [await runWasm(s, all, { threads }), runPlainly(s, all)];
      expect(difference(actual.c!, expected.c!)).toBeLessThan(1e-5);
      expect(difference(actual.d!, expected.d!)).toBeLessThan(1e-5);
    }
  });
});

describe('a right operand that several products read', () => {
  const [m, n, k] = [24, 40, 150];
  const buffers = [buffer('a', m * k), buffer('b', k * n), buffer('c', m * n), buffer('d', m * n)];
  const inputs = { a: random(m * k, 1), b: random(k * n, 2) };
  const to = (target: number, transposeB: boolean): MatmulKernel => {
    const one = product({ shape: [1, m, n, k], transposeB });
    return { ...one, stores: [{ ...one.stores[0]!, buffer: target }] };
  };
  const change: LoopKernel = {
    kind: 'loop',
    name: 'change',
    axes: [k * n],
    inner: [],
    phases: [
      {
        kind: 'store',
        over: 'outer',
        stores: [{ buffer: 1, at: axis(0), value: apply('add', [load(1, axis(0), 'f32'), constant(1, 'f32')], 'f32') }],
      },
    ],
  };

  test.each([false, true])('is packed once (transposed: %s)', async transposeB => {
    const s = schedule(buffers, [to(2, transposeB), to(3, transposeB)]);
    const [found, expected] = [await runWasm(s, inputs, { threads: 2 }), runPlainly(s, inputs)];
    for (const name of ['c', 'd']) expect(difference(found[name]!, expected[name]!)).toBeLessThan(1e-4);
    const { entries } = compileModule([s], { threads: 1, tile: { rows: 4, vectors: 4, fused: false } });
    expect(entries.get('test')).toHaveLength(3);
  });

  test('is packed anew when it has been written in between', async () => {
    const s = schedule(buffers, [to(2, true), change, to(3, true)]);
    const [found, expected] = [await runWasm(s, inputs), runPlainly(s, inputs)];
    for (const name of ['c', 'd']) expect(difference(found[name]!, expected[name]!)).toBeLessThan(1e-4);
  });
});
