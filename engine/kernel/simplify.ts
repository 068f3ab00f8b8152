/** Algebra on scalar expressions: constant folding, one normal form for index sums, division and remainder removed where the axes' ranges allow. */
import type { Scalar, ScalarOp } from '../ir/scalar.ts';
import { never } from '../util/errors.ts';
import { roundToHalf } from '../util/half.ts';
import { apply, constant, type Linear, linear, mapScalar, onReset, type Range, ranges, scalarId } from './scalar.ts';

export type Simplify = (s: Scalar) => Scalar;

/** What is known of the scalars of a kernel whose axis `n` runs over 0..extents[n]-1. */
export interface Domain {
  readonly extents: readonly number[];
  /** Bounds of an integer scalar. */
  readonly range: (s: Scalar) => Range;
  /**
   * Equal i32 sums come out as one object. Integer arithmetic is taken not to overflow. Floats are folded in single precision, and only by
   * identities that keep every bit.
   */
  readonly simplify: Simplify;
}

/** By extents, with all that has been found out: kernels of equal extents often hold equal scalars. */
const domains = new Map<string, Domain>();
onReset(() => domains.clear());

export function domainOf(extents: readonly number[]): Domain {
  const key = extents.join();
  const known = domains.get(key);
  if (known !== undefined) return known;
  const seen = new Map<Scalar, Scalar>();
  const domain: Domain = { extents, range: ranges(extents), simplify: s => mapScalar(s, step, seen) };
  const step = (s: Scalar): Scalar => {
    if (s.kind === 'axis') return extents[s.axis] === 1 ? constant(0) : s;
    return s.kind === 'apply' ? simplifyApply(s, domain) : s;
  };
  domains.set(key, domain);
  return domain;
}

/** The simplifier of the domain of `extents`. */
export function simplifier(extents: readonly number[]): Simplify {
  return domainOf(extents).simplify;
}

type Apply = Scalar & { readonly kind: 'apply' };

function simplifyApply(s: Apply, domain: Domain): Scalar {
  const folded = foldConstants(s) ?? foldIdentity(s);
  if (folded) return folded;
  if (s.type === 'bool') return foldComparison(s, domain) ?? s;
  if (s.type !== 'i32') return s;
  switch (s.op) {
    case 'add':
    case 'sub':
    case 'neg':
    case 'mul':
      return fromLinear(recombine(linear(s), domain));
    case 'div':
    case 'mod':
      return s.args[1]!.kind === 'constant' ? divide(s, s.args[1]!.value, domain) : s;
    case 'min':
    case 'max':
      return foldExtremum(s, domain);
    default:
      return s;
  }
}

/** Bounds of a sum, its terms taken to vary independently. */
function rangeOfSum({ offset, terms }: Linear, { range }: Domain): Range {
  let [low, high] = [offset, offset];
  for (const [atom, factor] of terms) {
    const [least, most] = range(atom);
    low += Math.min(least * factor, most * factor);
    high += Math.max(least * factor, most * factor);
  }
  return [low, high];
}

/** A sum in canonical order: axes first, by number, then other atoms by age, then the constant. */
export function fromLinear({ offset, terms }: Linear): Scalar {
  const order = (atom: Scalar) => (atom.kind === 'axis' ? atom.axis - 1000 : scalarId(atom));
  let sum: Scalar | undefined;
  for (const [atom, factor] of [...terms].sort((a, b) => order(a[0]) - order(b[0]))) {
    const term = factor === 1 ? atom : apply('mul', [atom, constant(factor)], 'i32');
    sum = sum ? apply('add', [sum, term], 'i32') : term;
  }
  if (!sum) return constant(offset);
  return offset === 0 ? sum : apply('add', [sum, constant(offset)], 'i32');
}

/** `(y / b) * b * f + (y % b) * f` becomes `y * f`, until nothing changes. */
function recombine(sum: Linear, domain: Domain): Linear {
  for (const [atom, factor] of sum.terms) {
    if (atom.kind !== 'apply' || atom.op !== 'mod' || atom.args[1]!.kind !== 'constant') continue;
    const [y, b] = [atom.args[0]!, atom.args[1]!.value];
    if (!hasMultiple(sum, atom, factor * b)) continue;
    const quotient = linear(divide(apply('div', [y, constant(b)], 'i32') as Apply, b, domain));
    const [single, ...more] = quotient.terms;
    if (!single || more.length > 0 || quotient.offset !== 0) continue;
    if (sum.terms.get(single[0]) !== factor * b * single[1]) continue;
    const terms = new Map(sum.terms);
    terms.delete(atom);
    terms.delete(single[0]);
    return recombine(plus({ offset: sum.offset, terms }, linear(y), factor), domain);
  }
  return sum;
}

/** Is some other term's factor a multiple of `factor`? */
function hasMultiple({ terms }: Linear, atom: Scalar, factor: number): boolean {
  for (const [other, multiple] of terms) if (other !== atom && multiple % factor === 0) return true;
  return false;
}

function plus(a: Linear, b: Linear, factor: number): Linear {
  const terms = new Map(a.terms);
  for (const [atom, f] of b.terms) {
    const total = (terms.get(atom) ?? 0) + f * factor;
    if (total === 0) terms.delete(atom);
    else terms.set(atom, total);
  }
  return { offset: a.offset + b.offset * factor, terms };
}

const gcd = (a: number, b: number): number => (b === 0 ? Math.abs(a) : gcd(b, a % b));

/**
 * x / d and x % d for x = d q + r with q, r >= 0: the quotient is q + r / d, the remainder r % d.
 * With g = gcd(factors of r, d), r = g r' + k, 0 <= k < g: r / d = r' / (d / g) and r % d = g (r' % (d / g)) + k.
 */
function divide(s: Apply, d: number, domain: Domain): Scalar {
  if (d < 1) return s;
  if (d === 1) return s.op === 'div' ? s.args[0]! : constant(0);
  const x = linear(s.args[0]!);
  const whole = Math.floor(x.offset / d);
  const q: Linear = {
    offset: whole,
    terms: new Map([...x.terms].filter(t => t[1] % d === 0).map(t => [t[0], t[1] / d])),
  };
  const r: Linear = { offset: x.offset - whole * d, terms: new Map([...x.terms].filter(t => t[1] % d !== 0)) };
  const range = rangeOfSum(r, domain);
  if (range[0] < 0 || rangeOfSum(q, domain)[0] < 0) return s;
  if (range[1] < d) return fromLinear(s.op === 'div' ? q : r);
  const g = [...r.terms.values()].reduce(gcd, d);
  const k = r.offset % g;
  const reducedRest = { offset: (r.offset - k) / g, terms: new Map([...r.terms].map(t => [t[0], t[1] / g])) };
  const rest = nested(s.op, fromLinear(reducedRest), d / g, domain);
  const whole_ = s.op === 'div' ? q : { offset: k, terms: new Map() };
  return fromLinear(recombine(plus(whole_, linear(rest), s.op === 'div' ? 1 : g), domain));
}

/** (y / a) / d = y / (a d); (y % a) % d = y % d where d divides a; (y % a) / d = (y / d) % (a / d) where d divides a. For y >= 0. */
function nested(op: ScalarOp, y: Scalar, d: number, domain: Domain): Scalar {
  if (y.kind === 'apply' && y.args[1]?.kind === 'constant' && domain.range(y.args[0]!)[0] >= 0) {
    const [inner, a] = [y.args[0]!, y.args[1].value];
    const make = (o: 'div' | 'mod', of: Scalar, by: number) =>
      divide(apply(o, [of, constant(by)], 'i32') as Apply, by, domain);
    if (y.op === 'div' && op === 'div') return make('div', inner, a * d);
    if (y.op === 'mod' && a % d === 0)
      return op === 'mod' ? make('mod', inner, d) : make('mod', make('div', inner, d), a / d);
  }
  return apply(op, [y, constant(d)], 'i32');
}

function foldExtremum(s: Apply, domain: Domain): Scalar {
  const [a, b] = [s.args[0]!, s.args[1]!];
  const [ra, rb] = [domain.range(a), domain.range(b)];
  if (ra[1] <= rb[0]) return s.op === 'min' ? a : b;
  if (rb[1] <= ra[0]) return s.op === 'min' ? b : a;
  return s;
}

/** Comparisons of i32 that the ranges decide, logic with a constant side. */
function foldComparison(s: Apply, domain: Domain): Scalar | undefined {
  const [a, b] = s.args;
  if (!a || !b) return undefined;
  if (s.op === 'and' || s.op === 'or') {
    const absorbing = s.op === 'and' ? 0 : 1;
    for (const [side, other] of [[a, b] as const, [b, a] as const]) {
      if (side.kind === 'constant') return side.value === absorbing ? side : other;
    }
    return undefined;
  }
  if (a.type !== 'i32') return undefined;
  const [low, high] = rangeOfSum(plus(linear(a), linear(b), -1), domain);
  const decided = (yes: boolean, no: boolean) => (yes ? constant(1, 'bool') : no ? constant(0, 'bool') : undefined);
  switch (s.op) {
    case 'lt':
      return decided(high < 0, low >= 0);
    case 'le':
      return decided(high <= 0, low > 0);
    case 'eq':
      return decided(low === 0 && high === 0, low > 0 || high < 0);
    case 'ne':
      return decided(low > 0 || high < 0, low === 0 && high === 0);
    default:
      return undefined;
  }
}

/** Identities that hold for every operand, NaN and signed zeros included. */
function foldIdentity(s: Apply): Scalar | undefined {
  const [a, b, c] = s.args;
  if (s.op === 'select') return a!.kind === 'constant' ? (a!.value ? b : c) : b === c ? b : undefined;
  if (s.op === 'cast' || s.op === 'bitcast') return a!.type === s.type ? a : undefined;
  if ((s.op === 'min' || s.op === 'max' || s.op === 'and' || s.op === 'or') && a === b) return a;
  const one = (x: Scalar) => x.kind === 'constant' && x.value === 1 && x.type !== 'bool';
  if (s.op === 'mul') return one(b!) ? a : one(a!) ? b : undefined;
  if (s.op === 'div') return one(b!) ? a : undefined;
  if (s.op === 'not' && a!.kind === 'apply' && a!.op === 'not') return a!.args[0];
  return undefined;
}

function foldConstants(s: Apply): Scalar | undefined {
  const values: number[] = [];
  for (const arg of s.args) {
    if (arg.kind !== 'constant') return undefined;
    values.push(arg.value);
  }
  const value = evaluateOp(s.op, values, s);
  return value === undefined ? undefined : constant(value, s.type);
}

/** Value of an operation on constants; undefined where it is better left to the device (philox, bit casts, transcendental functions). */
function evaluateOp(op: ScalarOp, [a = 0, b = 0]: readonly number[], s: Apply): number | undefined {
  const typed = (value: number) =>
    s.type === 'f32'
      ? Math.fround(value)
      : s.type === 'u32'
        ? value >>> 0
        : s.type === 'i32'
          ? value | 0
          : Number(value !== 0);
  const integer = s.type !== 'f32';
  switch (op) {
    case 'neg':
      return typed(integer ? 0 - a : -a);
    case 'abs':
      return typed(Math.abs(a));
    case 'floor':
      return Math.floor(a);
    case 'ceil':
      return Math.ceil(a);
    case 'sqrt':
      return typed(Math.sqrt(a));
    case 'not':
      return s.type === 'bool' ? Number(a === 0) : typed(~a);
    case 'add':
      return typed(a + b);
    case 'sub':
      return typed(a - b);
    case 'mul':
      return typed(integer ? Math.imul(a, b) : a * b);
    case 'div':
      return integer ? (b === 0 ? undefined : typed(Math.trunc(a / b))) : typed(a / b);
    case 'mod':
      return integer ? (b === 0 ? undefined : typed(a % b)) : undefined;
    case 'min':
      return typed(Math.min(a, b));
    case 'max':
      return typed(Math.max(a, b));
    case 'and':
      return typed(a & b);
    case 'or':
      return typed(a | b);
    case 'xor':
      return typed(a ^ b);
    case 'shl':
      return typed(a << b);
    case 'shr':
      return typed(s.type === 'u32' ? a >>> b : a >> b);
    case 'lt':
      return Number(a < b);
    case 'le':
      return Number(a <= b);
    case 'eq':
      return Number(a === b);
    case 'ne':
      return Number(a !== b);
    case 'cast':
      return castConstant(a, s);
    case 'round_f16':
      return roundToHalf(a);
    case 'isfinite':
      return Number(Number.isFinite(a));
    default:
      return undefined;
  }
}

function castConstant(a: number, s: Apply): number | undefined {
  switch (s.type) {
    case 'f32':
      return Math.fround(a);
    case 'bool':
      return Number(a !== 0);
    case 'i32':
    case 'u32':
      if (s.args[0]!.type === 'f32' && (!Number.isFinite(a) || Math.abs(a) > 2147483000)) return undefined;
      return s.type === 'i32' ? Math.trunc(a) | 0 : Math.trunc(a) >>> 0;
    default:
      throw never('cast to an unknown type', s.type);
  }
}
