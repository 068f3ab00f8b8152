/** Analysing scalar expressions: traversal, affine form, integer ranges, cost. */
import { apply, children, intern, mapScalar, onReset } from '../ir/interning.ts';
import type { Scalar, ScalarOp } from '../ir/scalar.ts';

export {
  apply,
  axis,
  children,
  constant,
  intern,
  load,
  mapScalar,
  onReset,
  reduced,
  resetScalars,
  scalarId,
  withChildren,
} from '../ir/interning.ts';

export const add = (a: Scalar, b: Scalar): Scalar => apply('add', [a, b], a.type);
export const mul = (a: Scalar, b: Scalar): Scalar => apply('mul', [a, b], a.type);

/** Visits each distinct scalar once, parts first. */
export function walkScalar(s: Scalar, visit: (s: Scalar) => void, seen = new Set<Scalar>()): void {
  if (seen.has(s)) return;
  seen.add(s);
  for (const part of children(s)) walkScalar(part, visit, seen);
  visit(s);
}

/** `s` with axis `n` replaced by `index[n]`. */
export function substituteAxes(s: Scalar, index: readonly Scalar[]): Scalar {
  return mapScalar(s, x => (x.kind === 'axis' ? (index[x.axis] ?? x) : x));
}

/** A sum of multiples of atoms and a constant; an atom is a scalar that is no sum, or no product with a constant. */
export interface Linear {
  readonly offset: number;
  readonly terms: ReadonlyMap<Scalar, number>;
}

const sums = new Map<Scalar, Linear>();
onReset(() => sums.clear());

/** The i32 scalar `s` as a sum. Equal atoms are joined, so equal sums have equal forms. */
export function linear(s: Scalar): Linear {
  const known = sums.get(s);
  if (known !== undefined) return known;
  const terms = new Map<Scalar, number>();
  const offset = collect(s, 1, terms);
  for (const [atom, factor] of terms) if (factor === 0) terms.delete(atom);
  const sum = { offset, terms };
  sums.set(s, sum);
  return sum;
}

function collect(s: Scalar, factor: number, terms: Map<Scalar, number>): number {
  if (s.kind === 'constant') return s.value * factor;
  if (s.kind === 'apply' && s.type === 'i32') {
    const [a, b] = s.args;
    if (s.op === 'add') return collect(a!, factor, terms) + collect(b!, factor, terms);
    if (s.op === 'sub') return collect(a!, factor, terms) + collect(b!, -factor, terms);
    if (s.op === 'neg') return collect(a!, -factor, terms);
    if (s.op === 'mul' && b!.kind === 'constant') return collect(a!, factor * b!.value, terms);
    if (s.op === 'mul' && a!.kind === 'constant') return collect(b!, factor * a!.value, terms);
  }
  const atom = intern(s);
  terms.set(atom, (terms.get(atom) ?? 0) + factor);
  return 0;
}

/** `offset + sum of strides[n] * axis n`; axes that don't occur have no entry. */
export interface Affine {
  readonly offset: number;
  readonly strides: ReadonlyMap<number, number>;
}

/** The index `s` as an affine function of the kernel's axes, or undefined if it is none (a gather, a division that stays). */
export function affine(s: Scalar): Affine | undefined {
  const { offset, terms } = linear(s);
  const strides = new Map<number, number>();
  for (const [atom, factor] of terms) {
    if (atom.kind !== 'axis') return undefined;
    strides.set(atom.axis, factor);
  }
  return { offset, strides };
}

/** Bounds of an integer scalar, both included. */
export type Range = readonly [low: number, high: number];
const ANY: Range = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];

const FROM_ZERO: readonly number[] = [];

/** Bounds of the i32 (or bool, as 0 and 1) scalar `s` when axis `n` runs over starts[n]..extents[n]-1; it starts at 0 by default. */
export function rangeOf(s: Scalar, extents: readonly number[], starts: readonly number[] = FROM_ZERO): Range {
  return ranges(extents, starts)(s);
}

/** The same for many scalars, each part of which is looked at once. */
export function ranges(extents: readonly number[], starts: readonly number[] = FROM_ZERO): (s: Scalar) => Range {
  const known = new Map<Scalar, Range>();
  const range = (s: Scalar): Range => {
    switch (s.kind) {
      case 'constant':
        return [s.value, s.value];
      case 'axis':
        return axisRange(starts[s.axis] ?? 0, extents[s.axis]);
      case 'apply': {
        if (s.type !== 'i32') return s.type === 'bool' ? [0, 1] : ANY;
        const found = known.get(s) ?? applyRange(s, range);
        known.set(s, found);
        return found;
      }
      default:
        return s.type === 'bool' ? [0, 1] : ANY;
    }
  };
  return range;
}

function axisRange(start: number, extent = Number.POSITIVE_INFINITY): Range {
  return [start, Math.max(start, extent - 1)];
}

function applyRange(s: Scalar & { kind: 'apply' }, range: (s: Scalar) => Range): Range {
  const of = (n: number) => range(s.args[n]!);
  const corners = (f: (a: number, b: number) => number): Range => {
    const [a, b] = [of(0), of(1)];
    const values = [f(a[0], b[0]), f(a[0], b[1]), f(a[1], b[0]), f(a[1], b[1])].map(v => (Number.isNaN(v) ? 0 : v));
    return [Math.min(...values), Math.max(...values)];
  };
  switch (s.op) {
    case 'add':
      return [of(0)[0] + of(1)[0], of(0)[1] + of(1)[1]];
    case 'sub':
      return [of(0)[0] - of(1)[1], of(0)[1] - of(1)[0]];
    case 'neg':
      return [-of(0)[1], -of(0)[0]];
    case 'mul':
      return corners((a, b) => a * b);
    case 'min':
      return [Math.min(of(0)[0], of(1)[0]), Math.min(of(0)[1], of(1)[1])];
    case 'max':
      return [Math.max(of(0)[0], of(1)[0]), Math.max(of(0)[1], of(1)[1])];
    case 'div':
      return of(1)[0] >= 1 ? corners((a, b) => Math.trunc(a / b)) : ANY;
    case 'mod':
      return modRange(of(0), of(1));
    case 'select': {
      const yes = guarded(s.args[0]!, s.args[1]!, of(1));
      return [Math.min(yes[0], of(2)[0]), Math.max(yes[1], of(2)[1])];
    }
    case 'cast':
      return s.args[0]!.type === 'bool' || s.args[0]!.type === 'i32' ? of(0) : ANY;
    default:
      return ANY;
  }
}

/** Bounds of `value` where `condition`, a conjunction, holds: `0 <= value && value < n` bounds a gathered row. */
function guarded(condition: Scalar, value: Scalar, [low, high]: Range): Range {
  if (condition.kind !== 'apply') return [low, high];
  const [a, b] = condition.args;
  if (condition.op === 'and') return guarded(b!, value, guarded(a!, value, [low, high]));
  const strict = condition.op === 'lt' ? 1 : 0;
  if (condition.op !== 'lt' && condition.op !== 'le') return [low, high];
  if (a!.kind === 'constant' && b === value) return [Math.max(low, a!.value + strict), high];
  if (b!.kind === 'constant' && a === value) return [low, Math.min(high, b!.value - strict)];
  return [low, high];
}

/** The remainder takes the sign of the dividend. */
function modRange(value: Range, divisor: Range): Range {
  if (divisor[0] < 1) return ANY;
  const most = divisor[1] - 1;
  return [value[0] >= 0 ? 0 : Math.max(value[0], -most), value[1] <= 0 ? 0 : Math.min(value[1], most)];
}

/** Rough time of one evaluation, in additions, of the parts that are `counted`; loads are counted by `loadCost`. */
export function cost(s: Scalar, loadCost = 2, counted: (part: Scalar) => boolean = () => true): number {
  let total = 0;
  walkScalar(s, x => {
    if (!counted(x)) return;
    if (x.kind === 'load') total += loadCost;
    else if (x.kind === 'apply') total += x.type === 'i32' && affine(x) ? 0 : (COSTS[x.op] ?? 1);
  });
  return total;
}

const COSTS: Partial<Record<ScalarOp, number>> = {
  div: 4,
  mod: 4,
  sqrt: 4,
  exp: 10,
  log: 10,
  tanh: 14,
  erf: 16,
  sin: 10,
  cos: 10,
  pow: 20,
  philox: 60,
};
