/** How the operands of a product lie in memory: whether tiles can read them as they are, and the loops that copy A to where they can. */
import type { Scalar } from '../../ir/scalar.ts';
import { flatten } from '../../ir/scalars.ts';
import type { LoopKernel, MatmulKernel } from '../../kernel/kernel.ts';
import { add, apply, axis, constant, load, mul, substituteAxes } from '../../kernel/scalar.ts';
import { type Place, strideOf } from './access.ts';
import type { ModuleContext } from './context.ts';
import { type Separated, separate } from './gather.ts';

/** Axes of a product. */
export const [B, M, N, K] = [0, 1, 2, 3] as const;
/** Elements of a cache line, and how many lines apart from each other a tile may walk along k. */
const LINE = 16;
const MOST_LINES = 256;

/**
 * Copies A, contiguous along m, so that the rows of a tile lie side by side for every k: [batch, m / rows, k, rows]. What is read behind
 * the last row is never used.
 */
export function packTiles({ name, batch, m, k, a }: MatmulKernel, context: ModuleContext, target: number) {
  const { rows } = context.tile;
  const tiles = Math.ceil(m / rows);
  const axes = [batch, tiles, k, rows];
  const row = add(mul(axis(1), constant(rows)), axis(3));
  const at = flatten([axis(0), axis(1), axis(2), axis(3)], axes);
  const value = substituteAxes(a, [axis(0), row, constant(0), axis(2)]);
  const packing: LoopKernel = {
    kind: 'loop',
    name: `${name}.a`,
    axes,
    inner: [],
    phases: [{ kind: 'store', over: 'outer', stores: [{ buffer: target, at, value }] }],
  };
  const length = batch * tiles * rows * k;
  const packed: Place = { base: context.scratch.take(4 * length), dtype: 'f32', length };
  return { packing, packed };
}

/** Writes out an A that is computed, row by row; `copied` is the product that reads the copy. */
export function copyRows(product: MatmulKernel, context: ModuleContext, target: number) {
  const { name, batch, m, k, a } = product;
  const copy: Place = { base: context.scratch.take(batch * m * k * 4), dtype: 'f32', length: batch * m * k };
  const at = add(mul(add(mul(axis(B), constant(m)), axis(M)), constant(k)), axis(K));
  const flat = (s: Scalar) => substituteAxes(s, [axis(0), axis(1), constant(0), axis(2)]);
  const copying: LoopKernel = {
    kind: 'loop',
    name: `${name}.a`,
    axes: [batch, m, k],
    inner: [],
    phases: [{ kind: 'store', over: 'outer', stores: [{ buffer: target, at: flat(at), value: flat(a) }] }],
  };
  return { copying, copy, copied: { ...product, a: load(target, at, 'f32') } };
}

/** A product with a vector is a reduction: tiles would be mostly padding. */
export function asLoop({ name, batch, m, n, k, a, b, stores }: MatmulKernel): LoopKernel {
  const reduce = { kind: 'reduce', slots: [{ reducer: 'sum', value: apply('mul', [a, b], 'f32') }] } as const;
  return {
    kind: 'loop',
    name,
    axes: [batch, m, n],
    inner: [k],
    phases: [reduce, { kind: 'store', over: 'outer', stores }],
  };
}

/** True if neighbours along k lie on different cache lines, and too many of them for the first-level cache, used by several panels. */
export function isFarApart(a: Scalar & { kind: 'load' }, { n, k }: MatmulKernel): boolean {
  return strideOf(a.at, K)! >= LINE && k > MOST_LINES && n >= 4 * LINE;
}

/** The index of a plain load in two parts, one of them moving along k. */
export function separateLoad(s: Scalar, places: readonly Place[]): Separated | undefined {
  return s.kind === 'load' && isFloat(s, places) ? separate(s.at, K) : undefined;
}

function isFloat(s: Scalar & { kind: 'load' }, places: readonly Place[], orHalf = false): boolean {
  const { dtype } = places[s.buffer]!;
  return s.type === 'f32' && (dtype === 'f32' || (orHalf && dtype === 'f16'));
}

/** A plain load of f32, or of f16 where that will do, with a constant, non-negative stride along each of the axes. */
export function isStrided(
  s: Scalar,
  places: readonly Place[],
  axes: readonly number[],
  orHalf = false,
): s is Scalar & { kind: 'load' } {
  return s.kind === 'load' && isFloat(s, places, orHalf) && axes.every(n => (strideOf(s.at, n) ?? -1) >= 0);
}
