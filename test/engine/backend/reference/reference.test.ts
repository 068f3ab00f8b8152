/** The interpreter on kernels written by hand, and as a backend. */
import { describe, expect, it } from 'vitest';
import { referenceBackend } from '../../../../engine/backend/reference/reference.ts';
import * as interning from '../../../../engine/ir/interning.ts';
import type { Scalar, ScalarType } from '../../../../engine/ir/scalar.ts';
import {
  addInt,
  apply,
  applyTo,
  axis,
  cast,
  compare,
  float,
  int,
  mulInt,
  select,
  uint,
} from '../../../../engine/ir/scalars.ts';
import type { Buffer, Kernel, Schedule } from '../../../../engine/kernel/kernel.ts';
import { philox } from '../../../../engine/util/philox.ts';

const f32 = (name: string, length: number, kind: Buffer['kind'] = 'state'): Buffer => ({
  name,
  kind,
  dtype: 'f32',
  length,
});
const load = (buffer: number, at: Scalar, type: ScalarType = 'f32'): Scalar => interning.load(buffer, at, type);
const reduced = (slot: number, type: ScalarType = 'f32'): Scalar => interning.reduced(slot, type);
const entry = (buffers: readonly Buffer[], kernels: readonly Kernel[], name = 'main', arenaBytes = 0): Schedule => ({
  name,
  buffers,
  kernels,
  arenaBytes,
});

/** Evaluates `value` (of one scalar point) through a kernel that stores it. */
async function evaluate(value: Scalar, ...data: number[]): Promise<number> {
  const { type } = value;
  const buffers: Buffer[] = [f32('x', Math.max(1, data.length)), { name: 'y', kind: 'result', dtype: type, length: 1 }];
  const store: Kernel = {
    kind: 'loop',
    name: 'k',
    axes: [],
    inner: [],
    phases: [{ kind: 'store', over: 'outer', stores: [{ buffer: 1, at: int(0), value }] }],
  };
  const executable = await referenceBackend().compile([entry(buffers, [store])]);
  executable.write('x', Float32Array.from(data));
  executable.run('main', 1);
  return (await executable.read('y'))[0]!;
}

describe('scalars', () => {
  it.each<[string, Scalar, number]>([
    ['f32 rounds after every operation', apply('add', float(2 ** 24), float(1)), 2 ** 24],
    ['f32 literals are rounded', apply('sub', float(0.1), float(Math.fround(0.1))), 0],
    ['i32 products wrap', apply('mul', int(0x7fffffff), int(3)), 0x7ffffffd],
    ['i32 division truncates', apply('div', int(-7), int(2)), -3],
    ['i32 remainder has the sign of the dividend', apply('mod', int(-7), int(2)), -1],
    ['division by zero is 0 for integers', apply('div', int(7), int(0)), 0],
    ['u32 differences wrap', apply('sub', uint(0), uint(1)), 0xffffffff],
    ['u32 shifts are logical', apply('shr', uint(0x80000000), uint(31)), 1],
    ['i32 shifts are arithmetic', apply('shr', int(-8), int(1)), -4],
    ['shl', apply('shl', uint(3), uint(31)), 0x80000000],
    ['xor', apply('xor', uint(0xffffffff), uint(1)), 0xfffffffe],
    ['min passes NaN on', applyTo('bool', 'isfinite', apply('min', float(Number.NaN), float(1))), 0],
    ['NaN differs from itself', compare('ne', float(Number.NaN), float(Number.NaN)), 1],
    ['f32 to i32 truncates', cast('i32', float(-1.9)), -1],
    ['f32 to i32 clamps', cast('i32', float(1e20)), 0x7fffffff],
    ['i32 to u32 keeps the bits', cast('u32', int(-1)), 0xffffffff],
    ['u32 to f32 rounds', cast('f32', uint(0xffffffff)), 2 ** 32],
    ['bits of a float', applyTo('u32', 'bitcast', float(1)), 0x3f800000],
    ['float of bits', applyTo('f32', 'bitcast', uint(0x40000000)), 2],
    ['round ties to even', apply('round', float(2.5)), 2],
    ['philox', applyTo('u32', 'philox', uint(1), uint(2), uint(3), uint(6)), philox(1, 2, 3, 6)],
    ['select leaves the other branch alone', select(compare('lt', int(0), int(1)), float(5), load(0, int(99))), 5],
  ])('%s', async (_, scalar, expected) => {
    expect(await evaluate(scalar)).toBe(expected);
  });

  it('load elements', async () => {
    expect(await evaluate(apply('mul', load(0, int(0)), load(0, int(1))), 3, 4)).toBe(12);
  });

  it('refuse to load outside a buffer', async () => {
    await expect(evaluate(load(0, int(1)), 3)).rejects.toThrow('load outside buffer 0 of length 1: 1');
  });
});

describe('kernels', () => {
  /** Softmax over rows of 3: a maximum, a sum, a store over the inner axis. */
  it('run phases in order, slots numbered through', async () => {
    const at = addInt(mulInt(axis(0), int(3)), axis(1));
    const shifted = apply('exp', apply('sub', load(0, at), reduced(0)));
    const softmax: Kernel = {
      kind: 'loop',
      name: 'softmax',
      axes: [2],
      inner: [3],
      phases: [
        { kind: 'reduce', slots: [{ reducer: 'max', value: load(0, at) }] },
        {
          kind: 'reduce',
          slots: [
            { reducer: 'sum', value: shifted },
            { reducer: 'argmax', value: load(0, at) },
          ],
        },
        { kind: 'store', over: 'inner', stores: [{ buffer: 1, at, value: apply('div', shifted, reduced(1)) }] },
        { kind: 'store', over: 'outer', stores: [{ buffer: 2, at: axis(0), value: reduced(2, 'i32') }] },
      ],
    };
    const best: Buffer = { name: 'best', kind: 'result', dtype: 'i32', length: 2 };
    const executable = await referenceBackend().compile([entry([f32('x', 6), f32('y', 6), best], [softmax])]);
    executable.write('x', Float32Array.of(1, 2, 3, 5, 5, 5));
    executable.run('main', 1);
    const y = await executable.read('y');
    const [e1, e2, total] = [Math.exp(-1), Math.exp(-2), 1 + Math.exp(-1) + Math.exp(-2)];
    for (const [i, p] of [e2 / total, e1 / total, 1 / total, 1 / 3, 1 / 3, 1 / 3].entries())
      expect(y[i]).toBeCloseTo(p, 6);
    expect([...(await executable.read('best'))]).toEqual([2, 0]);
  });

  it('evaluate all values of a phase before the first is written', async () => {
    const swap: Kernel = {
      kind: 'loop',
      name: 'swap',
      axes: [2],
      inner: [],
      phases: [
        {
          kind: 'store',
          over: 'outer',
          stores: [
            { buffer: 0, at: axis(0), value: load(1, axis(0)) },
            { buffer: 1, at: axis(0), value: load(0, axis(0)) },
          ],
        },
      ],
    };
    const executable = await referenceBackend().compile([entry([f32('a', 2), f32('b', 2)], [swap])]);
    executable.write('a', Float32Array.of(1, 2));
    executable.write('b', Float32Array.of(3, 4));
    executable.run('main', 3);
    expect([[...(await executable.read('a'))], [...(await executable.read('b'))]]).toEqual([
      [3, 4],
      [1, 2],
    ]);
  });

  it('multiply matrices of any scalar operands and run the epilogue', async () => {
    // a[m, k] = m + k gathers nothing; b[k, n] = x[2 * k + n]; epilogue relu(product - 5).
    const product: Kernel = {
      kind: 'matmul',
      name: 'product',
      batch: 1,
      m: 2,
      n: 2,
      k: 3,
      a: cast('f32', addInt(axis(1), axis(3))),
      b: load(0, addInt(mulInt(axis(3), int(2)), axis(2))),
      stores: [
        {
          buffer: 1,
          at: addInt(mulInt(axis(1), int(2)), axis(2)),
          value: apply('max', apply('sub', reduced(0), float(15)), float(0)),
        },
      ],
    };
    const executable = await referenceBackend().compile([entry([f32('x', 6), f32('y', 4)], [product])]);
    executable.write('x', Float32Array.of(1, 2, 3, 4, 5, 6));
    executable.run('main', 1);
    // Rows [0 1 2], [1 2 3] times [[1 2] [3 4] [5 6]] are [13 16], [22 28].
    expect([...(await executable.read('y'))]).toEqual([0, 1, 7, 13]);
  });

  it('scatter into a cleared buffer and skip what lies outside', async () => {
    const scatter: Kernel = {
      kind: 'scatter',
      name: 'scatter',
      axes: [4],
      buffer: 1,
      at: load(0, axis(0), 'i32'),
      value: cast('f32', axis(0)),
    };
    const at: Buffer = { name: 'at', kind: 'input', dtype: 'i32', length: 4 };
    const executable = await referenceBackend().compile([entry([at, f32('y', 2)], [scatter])]);
    executable.write('at', Int32Array.of(1, -1, 1, 2));
    executable.run('main', 2);
    expect([...(await executable.read('y'))]).toEqual([0, 2]);
  });
});

describe('the backend', () => {
  const increment = (buffer: number): Kernel => ({
    kind: 'loop',
    name: 'increment',
    axes: [2],
    inner: [],
    phases: [
      {
        kind: 'store',
        over: 'outer',
        stores: [{ buffer, at: axis(0), value: apply('add', load(buffer, axis(0)), float(1)) }],
      },
    ],
  });

  it('shares persistent buffers between entries, and places temporaries in an arena', async () => {
    const temporary: Buffer = { name: 't', kind: 'temporary', dtype: 'f32', length: 2, offset: 256 };
    const executable = await referenceBackend().compile([
      entry([f32('x', 2)], [increment(0)], 'a'),
      entry([temporary, f32('x', 2)], [increment(0), increment(1)], 'b', 512),
    ]);
    executable.run('a', 2);
    executable.run('b', 1);
    expect([...(await executable.read('x'))]).toEqual([3, 3]);
    expect(executable.bytes).toBe(2 * 4 + 512);
    await expect(executable.read('t')).rejects.toThrow('no such buffer: "t"');
  });

  it('writes and reads parts, as copies', async () => {
    const executable = await referenceBackend().compile([entry([f32('x', 4)], [])]);
    executable.write('x', Float32Array.of(7, 8), 1);
    const part = await executable.read('x', 1, 2);
    executable.write('x', Float32Array.of(9), 1);
    expect([...part]).toEqual([7, 8]);
    expect(() => executable.write('x', Float32Array.of(1, 2), 3)).toThrow('x holds 4 elements: 5');
  });

  it('refuses entries that disagree about a buffer', async () => {
    const entries = [entry([f32('x', 2)], [], 'a'), entry([f32('x', 3)], [], 'b')];
    await expect(referenceBackend().compile(entries)).rejects.toThrow('entries disagree about a buffer: "x"');
  });
});
