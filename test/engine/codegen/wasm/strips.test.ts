/** What several phases of a row need is computed once: kept beside the first reduction that does, loaded by later ones. */
import { describe, expect, test } from 'vitest';
import { type Place, THREAD_AXIS } from '../../../../engine/codegen/wasm/access.ts';
import { scalarsOf } from '../../../../engine/codegen/wasm/merge.ts';
import { keepRows, stripBytes } from '../../../../engine/codegen/wasm/strips.ts';
import type { LoopKernel, Phase } from '../../../../engine/kernel/kernel.ts';
import { add, apply, axis, constant, load, mul, reduced, walkScalar } from '../../../../engine/kernel/scalar.ts';
import { buffer, difference, random, runPlainly, runWasm, schedule } from './support.ts';

const ROWS = 7;

/** Softmax over rows of `size`, and beside it something of a second expensive value. */
function softmax(size: number): LoopKernel {
  const at = add(mul(axis(0), constant(size)), axis(1));
  const x = load(0, at, 'f32');
  const e = apply('exp', [apply('sub', [x, reduced(0, 'f32')], 'f32')], 'f32');
  const share = apply('div', [e, reduced(1, 'f32')], 'f32');
  // Of an expensive value, another one, so that what is kept is made of what is kept.
  const log = apply('log', [apply('add', [e, constant(1, 'f32')], 'f32')], 'f32');
  return {
    kind: 'loop',
    name: 'softmax',
    axes: [ROWS],
    inner: [size],
    phases: [
      { kind: 'reduce', slots: [{ reducer: 'max', value: x }] },
      { kind: 'reduce', slots: [{ reducer: 'sum', value: e }] },
      { kind: 'reduce', slots: [{ reducer: 'max', value: log }] },
      {
        kind: 'store',
        over: 'inner',
        stores: [{ buffer: 1, at, value: apply('add', [share, mul(log, reduced(2, 'f32'))], 'f32') }],
      },
    ],
  };
}

function exponentials(phase: Phase): number {
  const found = new Set<unknown>();
  for (const s of scalarsOf(phase)) walkScalar(s, x => x.kind === 'apply' && x.op === 'exp' && found.add(x));
  return found.size;
}

const place = (length: number): Place => ({ base: 65536, dtype: 'f32', length });

test('later phases load what the first one has computed', () => {
  const kernel = softmax(64);
  expect(kernel.phases.map(exponentials)).toEqual([0, 1, 1, 1]);
  expect(stripBytes([kernel])).toBe(2 * 64 * 4);
  const strips = { base: 1 << 20, bytes: 512, threads: 3 };
  const kept = keepRows(kernel, [place(448), place(448)], strips);
  expect(kept.kernel.phases.map(exponentials)).toEqual([0, 1, 0, 0]);
  expect(kept.keeps.map(stores => stores.length)).toEqual([0, 1, 1, 0]);
  expect(kept.places.at(-1)).toEqual({ base: 1 << 20, dtype: 'f32', length: (3 * 512) / 4 });
  let threads = 0;
  walkScalar(kept.keeps[1]![0]!.at, x => {
    if (x.kind === 'axis' && x.axis === THREAD_AXIS) threads++;
  });
  expect(threads).toBe(1);
});

test('short rows are computed again, long ones would leave the cache', () => {
  expect(stripBytes([softmax(10)])).toBe(0);
  expect(stripBytes([softmax(8192)])).toBe(0);
});

describe('the results are those of the plain interpreter', () => {
  test.each([16, 19, 64, 65, 100, 1000, 4096])('rows of %i', async size => {
    const s = schedule([buffer('x', ROWS * size), buffer('y', ROWS * size)], [softmax(size)]);
    const inputs = { x: random(ROWS * size, size, 5) };
    const expected = runPlainly(s, inputs).y!;
    for (const threads of [1, 2, 3])
      expect(difference((await runWasm(s, inputs, { threads })).y!, expected), `${threads} threads`).toBeLessThan(1e-5);
  });
});
