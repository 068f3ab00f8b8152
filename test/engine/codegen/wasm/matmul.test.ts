/** Matrix products in every layout of their operands, with edges in each dimension. */
import { describe, expect, test } from 'vitest';
import type { Scalar } from '../../../../engine/ir/scalar.ts';
import type { MatmulKernel } from '../../../../engine/kernel/kernel.ts';
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

const cases: Case[] = [
  { shape: [1, 8, 16, 16] },
  { shape: [1, 7, 13, 5] },
  { shape: [1, 1, 1, 1] },
  { shape: [1, 64, 10, 128], transposeB: true },
  { shape: [1, 10, 128, 64], transposeA: true },
  { shape: [1, 33, 50, 200] },
  { shape: [1, 33, 50, 201], transposeB: true },
  { shape: [1, 5, 21, 33], transposeA: true, transposeB: true },
  { shape: [3, 6, 18, 20] },
  { shape: [3, 6, 18, 20], transposeB: true },
  { shape: [1, 16, 40, 300], value: biasRelu },
  { shape: [1, 9, 19, 130], transposeB: true, value: biasRelu },
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
