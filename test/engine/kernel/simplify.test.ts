/** Index algebra: divisions vanish where ranges allow, and simplification never changes a value. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Scalar } from '../../../engine/ir/scalar.ts';
import { flatten, unflatten } from '../../../engine/ir/scalars.ts';
import { add, affine, apply, axis, constant, load, mul, rangeOf } from '../../../engine/kernel/scalar.ts';
import { simplifier } from '../../../engine/kernel/simplify.ts';
import { rounds } from '../../support/fuzz.ts';

const i = (op: 'div' | 'mod' | 'sub' | 'min' | 'max', a: Scalar, b: number | Scalar) =>
  apply(op, [a, typeof b === 'number' ? constant(b) : b], 'i32');
const [x0, x1, x2] = [axis(0), axis(1), axis(2)];

/** Value of an integer scalar at a point. */
function at(s: Scalar, point: readonly number[]): number {
  if (s.kind === 'constant') return s.value;
  if (s.kind === 'axis') return point[s.axis]!;
  if (s.kind !== 'apply') throw new Error(`no value for ${s.kind}`);
  const [a = 0, b = 0, c = 0] = s.args.map(arg => at(arg, point));
  const table: Record<string, () => number> = {
    add: () => a + b,
    sub: () => a - b,
    mul: () => a * b,
    div: () => Math.trunc(a / b),
    mod: () => a % b,
    min: () => Math.min(a, b),
    max: () => Math.max(a, b),
    lt: () => Number(a < b),
    le: () => Number(a <= b),
    eq: () => Number(a === b),
    ne: () => Number(a !== b),
    select: () => (a ? b : c),
  };
  return table[s.op]!();
}

describe('simplify', () => {
  it('makes a reshape of a contiguous tensor the same flat index', () => {
    const simplify = simplifier([64, 784]);
    const flat = flatten([x0, x1], [64, 784]);
    for (const shape of [[64, 28, 28], [64, 784], [50176], [2, 32, 7, 4, 28], [16, 4, 784]]) {
      const again = simplify(flatten(unflatten(flat, shape), shape));
      expect(again).toBe(simplify(flat));
      expect(affine(again)).toEqual({
        offset: 0,
        strides: new Map([
          [0, 784],
          [1, 1],
        ]),
      });
    }
  });

  it('keeps strides through reshape, transpose and slice', () => {
    // [6, 20] sliced to rows 2.., seen as [4, 4, 5], transposed to [5, 4, 4]: element (c, a, b) is 20 (a + 2) + 5 b + c.
    const simplify = simplifier([5, 4, 4]);
    const [c, a, b] = [x0, x1, x2];
    const row = unflatten(flatten([a, b, c], [4, 4, 5]), [4, 20]);
    const flat = simplify(flatten([add(row[0]!, constant(2)), row[1]!], [6, 20]));
    expect(affine(flat)).toEqual({
      offset: 40,
      strides: new Map([
        [0, 1],
        [1, 20],
        [2, 5],
      ]),
    });
  });

  it('gives up politely: a flipped or gathered index stays what it is', () => {
    expect(affine(load(0, x0, 'i32'))).toBeUndefined();
    expect(affine(simplifier([10])(i('div', x0, 3)))).toBeUndefined();
    expect(affine(i('sub', constant(9), x0))).toEqual({ offset: 9, strides: new Map([[0, -1]]) });
  });

  it('decides comparisons and extrema by range', () => {
    const simplify = simplifier([4]);
    const lt = (a: Scalar, b: Scalar) => apply('lt', [a, b], 'bool');
    expect(simplify(lt(x0, constant(4)))).toBe(constant(1, 'bool'));
    expect(simplify(lt(add(x0, constant(4)), x0))).toBe(constant(0, 'bool'));
    expect(simplify(lt(x0, constant(3))).kind).toBe('apply');
    expect(simplify(i('max', i('min', x0, 3), 0))).toBe(x0);
  });

  it('folds floats only where every bit is kept', () => {
    const simplify = simplifier([]);
    const f = load(0, constant(0), 'f32');
    const c = (v: number) => constant(v, 'f32');
    expect(simplify(mul(f, c(1)))).toBe(f);
    expect(simplify(mul(f, c(0))).kind).toBe('apply');
    expect(simplify(add(f, c(0))).kind).toBe('apply');
    expect(simplify(add(c(0.1), c(0.2)))).toBe(c(Math.fround(Math.fround(0.1 + 0.2))));
    expect(simplify(apply('neg', [c(0)], 'f32'))).toBe(c(-0));
  });

  it('never changes a value, and ranges hold (property)', () => {
    const extents = [5, 4, 6];
    const leaf = fc.oneof(
      fc.constantFrom(x0, x1, x2),
      fc.integer({ min: -3, max: 30 }).map(v => constant(v)),
    );
    const positive = fc.integer({ min: 1, max: 12 });
    const { expr } = fc.letrec<{ expr: Scalar }>(tie => ({
      expr: fc.oneof(
        { depthSize: 'medium', withCrossShrink: true },
        leaf,
        fc.tuple(tie('expr'), tie('expr')).map(([a, b]) => add(a, b)),
        fc.tuple(tie('expr'), tie('expr')).map(([a, b]) => i('sub', a, b)),
        fc.tuple(tie('expr'), positive).map(([a, b]) => mul(a, constant(b))),
        fc.tuple(tie('expr'), positive).map(([a, b]) => i('div', a, b)),
        fc.tuple(tie('expr'), positive).map(([a, b]) => i('mod', a, b)),
        fc.tuple(tie('expr'), tie('expr')).map(([a, b]) => i('min', a, b)),
        fc.tuple(tie('expr'), tie('expr')).map(([a, b]) => i('max', a, b)),
        fc
          .tuple(fc.constantFrom('lt', 'le', 'eq', 'ne'), tie('expr'), tie('expr'), tie('expr'))
          .map(([op, a, b, c]) => apply('select', [apply(op as 'lt', [a, b], 'bool'), b, c], 'i32')),
      ),
    }));
    const points: number[][] = [];
    for (let n = 0; n < 120; n++) points.push([n % 5, Math.floor(n / 5) % 4, Math.floor(n / 20)]);
    fc.assert(
      fc.property(expr, s => {
        const simple = simplifier(extents)(s);
        const [low, high] = rangeOf(simple, extents);
        for (const p of points) {
          const value = at(simple, p);
          expect(value === at(s, p) && value >= low && value <= high).toBe(true);
        }
      }),
      rounds(400),
    );
  });
});
