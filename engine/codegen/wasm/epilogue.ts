/** What a product stores while a tile's sums are still in registers: row after row in whole vectors, where that takes little more than the sums. */
import type { Scalar } from '../../ir/scalar.ts';
import type { MatmulKernel, Store } from '../../kernel/kernel.ts';
import { add, constant, cost, substituteAxes, walkScalar } from '../../kernel/scalar.ts';
import { bytesOf, dependsOn, PARAMETER_AXIS, type Place, strideOf } from './access.ts';
import type { Local } from './encoder.ts';
import { mayLeave } from './guard.ts';
import { M, N } from './operands.ts';
import { emitStores } from './store.ts';
import type { Nest, Values } from './values.ts';

/** Arithmetic, in additions, and results of each sum up to which code for every vector of a tile is worth its size. */
const MOST_WORK = 8;
const MOST_STORES = 2;
/** Behind all loops that a product has: the sums are known there. */
const INSIDE = PARAMETER_AXIS + 8;

/** Values in a tile's registers: lanes lie along `column`, the axis of the first column. */
export function registerNest(places: readonly Place[], column: number): Nest {
  return { places, extents: [], lane: column, outerDepth: INSIDE, written: new Set(), depthOf: () => 0 };
}

/**
 * True if every vector of a row is stored, and what is loaded for it is the same for all rows, such as a bias. Results of other kernels
 * come from farther away than the next tile's product can wait.
 */
export function fitsRegisters({ batch, m, n, k, stores }: MatmulKernel, places: readonly Place[]): boolean {
  const isWhole = (at: Scalar, buffer: number) => strideOf(at, N) === 1 && bytesOf(places[buffer]!.dtype) === 4;
  const isNear = (s: Scalar) => {
    if (s.kind === 'load') {
      const place = places[s.buffer]!;
      const isShared = strideOf(s.at, N) === 0 || (isWhole(s.at, s.buffer) && !dependsOn(s.at, M));
      return isShared && !mayLeave(s.at, place, [batch, m, n, k]);
    }
    const isIndex = s.type === 'i32' || s.type === 'u32';
    return !isIndex || strideOf(s, N) !== undefined;
  };
  const work = stores.reduce((sum, s) => sum + cost(s.value, 0), 0);
  const all = (s: Scalar) => {
    let holds = true;
    walkScalar(s, x => {
      holds &&= isNear(x);
    });
    return holds;
  };
  return (
    stores.length <= MOST_STORES &&
    work <= MOST_WORK &&
    stores.every(s => isWhole(s.at, s.buffer) && all(s.at) && all(s.value))
  );
}

/** Stores of a tile, whose sums are given by row; `first` is the index of its first element on the product's axes. */
export function emitRegisterStores(
  values: Values,
  stores: readonly Store[],
  first: readonly [batch: Scalar, row: Scalar, column: Scalar],
  sums: readonly (readonly Local[])[],
): void {
  const unroll = sums[0]!.length;
  const [batch, row, column] = first;
  const rows = sums.map((_, r) => {
    const place = (s: Scalar) => substituteAxes(s, [batch, add(row, constant(r)), column, constant(0)]);
    return stores.map((s): Store => ({ buffer: s.buffer, at: place(s.at), value: place(s.value) }));
  });
  const planOf = (all: readonly Store[]) =>
    values.plan(
      all.flatMap(({ buffer, at, value }) => [
        { scalar: value, form: 'vector' as const },
        { scalar: values.access(buffer, at).address, form: 'scalar' as const },
      ]),
      0,
    );
  values.scope(() => {
    values.materialize([planOf(rows.flat())], 0, unroll);
    rows.forEach((own, r) => {
      values.bindSlot(0, sums[r]!);
      values.scope(() => {
        values.materialize([planOf(own)], INSIDE, unroll);
        emitStores(values, own, { form: 'vector', unroll });
      });
    });
  });
}
