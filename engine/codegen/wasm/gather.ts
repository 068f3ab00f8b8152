/** Operands whose index is a part known per row plus a part known per k (im2col, merged axes): read through a table of offsets, never copied. */
import type { Scalar } from '../../ir/scalar.ts';
import type { LoopKernel } from '../../kernel/kernel.ts';
import { axis, constant, linear, mul, substituteAxes, walkScalar } from '../../kernel/scalar.ts';
import { fromLinear } from '../../kernel/simplify.ts';
import { dependsOn, type Place } from './access.ts';

/** An index as a sum: `fixed` does not depend on the axis at hand, `moving` on nothing else. */
export interface Separated {
  readonly fixed: Scalar;
  readonly moving: Scalar;
}

/** `at` taken apart along axis `n`, or undefined where a term mixes it with others or is gathered itself. */
export function separate(at: Scalar, n: number): Separated | undefined {
  const { offset, terms } = linear(at);
  const fixed = new Map<Scalar, number>();
  const moving = new Map<Scalar, number>();
  for (const [atom, factor] of terms) {
    if (!isPlain(atom)) return undefined;
    if (!dependsOn(atom, n)) fixed.set(atom, factor);
    else if (dependsOnlyOn(atom, n)) moving.set(atom, factor);
    else return undefined;
  }
  return { fixed: fromLinear({ offset, terms: fixed }), moving: fromLinear({ offset: 0, terms: moving }) };
}

function isPlain(s: Scalar): boolean {
  let plain = true;
  walkScalar(s, x => {
    if (x.kind === 'load' || x.kind === 'reduced') plain = false;
  });
  return plain;
}

function dependsOnlyOn(s: Scalar, n: number): boolean {
  let only = true;
  walkScalar(s, x => {
    if (x.kind === 'axis' && x.axis !== n) only = false;
  });
  return only;
}

/** Fills buffer `table` with the bytes that `moving` adds at each k; it runs before the product. */
export function tableKernel(name: string, moving: Scalar, n: number, k: number, table: number): LoopKernel {
  const index = Array.from({ length: n + 1 }, () => axis(0));
  const value = mul(substituteAxes(moving, index), constant(4));
  return {
    kind: 'loop',
    name: `${name}.offsets`,
    axes: [k],
    inner: [],
    phases: [{ kind: 'store', over: 'outer', stores: [{ buffer: table, at: axis(0), value }] }],
  };
}

/** Where a gathered operand is read: the table, and the index of the part that is fixed for a row. */
export interface Gathered {
  readonly table: Place;
  readonly fixed: Scalar;
}
