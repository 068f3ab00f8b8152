/** Which axes of a loop are walked as one. */
import { expect, test } from 'vitest';
import { mergeAxes } from '../../../../engine/codegen/wasm/merge.ts';
import type { LoopKernel } from '../../../../engine/kernel/kernel.ts';
import { add, apply, axis, constant, load, mul } from '../../../../engine/kernel/scalar.ts';

const at = (...strides: number[]) => strides.reduce((sum, s, n) => add(sum, mul(axis(n), constant(s))), constant(0));

function axesAfter(axes: number[], a: ReturnType<typeof at>, b: ReturnType<typeof at>, out: ReturnType<typeof at>) {
  const value = apply('add', [load(0, a, 'f32'), load(1, b, 'f32')], 'f32');
  const kernel: LoopKernel = {
    kind: 'loop',
    name: 'k',
    axes,
    inner: [],
    phases: [{ kind: 'store', over: 'outer', stores: [{ buffer: 2, at: out, value }] }],
  };
  return mergeAxes(kernel).axes;
}

test('contiguous axes become one', () => {
  expect(axesAfter([4, 5, 6], at(30, 6, 1), at(30, 6, 1), at(30, 6, 1))).toEqual([120]);
});

test('a repeated row keeps the rows apart', () => {
  expect(axesAfter([4, 5, 6], at(30, 6, 1), at(0, 0, 1), at(30, 6, 1))).toEqual([20, 6]);
});

test('a repeated matrix merges what it has', () => {
  expect(axesAfter([4, 5, 6], at(30, 6, 1), at(0, 6, 1), at(30, 6, 1))).toEqual([4, 30]);
});

test('a transposed operand keeps both', () => {
  expect(axesAfter([5, 6], at(6, 1), at(1, 5), at(6, 1))).toEqual([5, 6]);
});

test('axes of size 1 vanish, wherever they are', () => {
  expect(axesAfter([1, 5, 1, 6], at(99, 6, 99, 1), at(0, 1, 0, 5), at(30, 6, 6, 1))).toEqual([5, 6]);
});
