/**
 * Symbolic dimensions in normal form: integer polynomials over variables and the atoms floor-division, minimum and maximum.
 * A constant is always a plain number, so a concrete shape is a `number[]`. Variables stand for integers of at least 1.
 * `p % q` has no atom of its own: it is `p - q * floor(p / q)`, so that equal expressions get equal normal forms.
 */

export type Dim = number | DimExpr;

export interface DimExpr {
  /** Sorted by key; no two alike; no zero coefficient. */
  readonly terms: readonly Term[];
  readonly constant: number;
  /** Equal keys mean equal expressions. */
  readonly key: string;
}

/** coefficient * product of `factors` (sorted by key; a power is a repetition). */
export interface Term {
  readonly coefficient: number;
  readonly factors: readonly Atom[];
  readonly key: string;
}

export type Atom =
  | { readonly kind: 'variable'; readonly name: string; readonly key: string }
  | { readonly kind: 'floorDiv' | 'min' | 'max'; readonly left: Dim; readonly right: Dim; readonly key: string };

/** Has no value (a division by zero) or no affordable form (polynomials explode); thrown by the arithmetic, caught where an expression is checked. */
export class DimError extends Error {
  override readonly name = 'DimError';
  constructor(readonly reason: 'too-large' | 'division-by-zero') {
    super(`dimension expression: ${reason}`);
  }
}
const maxTerms = 256;
const maxKeyLength = 4096;

export function dimVar(name: string): DimExpr {
  return fromAtom({ kind: 'variable', name, key: name });
}

export function isConstant(d: Dim): d is number {
  return typeof d === 'number';
}

export function addDim(a: Dim, b: Dim): Dim {
  if (isConstant(a) && isConstant(b)) return a + b;
  return fromTerms([...termsOf(a), ...termsOf(b)], constantOf(a) + constantOf(b));
}

export function negDim(a: Dim): Dim {
  return mulDim(a, -1);
}

export function subDim(a: Dim, b: Dim): Dim {
  return addDim(a, negDim(b));
}

export function mulDim(a: Dim, b: Dim): Dim {
  if (isConstant(a) && isConstant(b)) return a * b + 0; // + 0 turns -0 into 0
  const products: Term[] = [];
  for (const x of withConstant(a)) {
    for (const y of withConstant(b)) {
      products.push(term(x.coefficient * y.coefficient, [...x.factors, ...y.factors]));
    }
  }
  return fromTerms(products, 0);
}

/** The whole product of a shape: its number of elements. */
export function sizeOf(shape: readonly Dim[]): Dim {
  return shape.reduce<Dim>((size, d) => mulDim(size, d), 1);
}

/**
 * floor(a / b) for b of at least 1. Whatever b divides term by term is taken out of the floor, by
 * floor((b*q + r) / b) = q + floor(r / b), and nested divisions by constants are merged, by floor(floor(x/m)/n) = floor(x/(m*n)).
 */
export function floorDivDim(a: Dim, b: Dim): Dim {
  if (b === 0) throw new DimError('division-by-zero');
  if (isConstant(a) && isConstant(b)) return Math.floor(a / b) + 0;
  if (b === 1) return a;
  const { quotient, remainder } = splitByDivisor(a, b);
  if (isConstant(remainder) && isConstant(b)) return addDim(quotient, Math.floor(remainder / b));
  if (remainder === 0) return quotient;
  return addDim(quotient, divisionAtom(remainder, b));
}

/** a % b, of the sign of b. */
export function modDim(a: Dim, b: Dim): Dim {
  return subDim(a, mulDim(b, floorDivDim(a, b)));
}

export function minDim(a: Dim, b: Dim): Dim {
  return extremum('min', a, b);
}

export function maxDim(a: Dim, b: Dim): Dim {
  return extremum('max', a, b);
}

/** True if the two are equal for every value of their variables, as far as the normal form shows. */
export function sameDim(a: Dim, b: Dim): boolean {
  return isConstant(a) || isConstant(b) ? a === b : a.key === b.key;
}

export function sameShape(a: readonly Dim[], b: readonly Dim[]): boolean {
  return a.length === b.length && a.every((d, axis) => sameDim(d, b[axis]!));
}

/** Compares for every value of the variables (all at least 1); `unknown` if it depends on them. */
export function compareDim(a: Dim, b: Dim): 'equal' | 'less' | 'greater' | 'unknown' {
  const difference = subDim(a, b);
  if (difference === 0) return 'equal';
  if (lowerBound(difference) > 0) return 'greater';
  return lowerBound(negDim(difference)) > 0 ? 'less' : 'unknown';
}

/** True if a >= b for every value of the variables (all at least 1), as far as is easily seen. */
export function atLeastDim(a: Dim, b: Dim): boolean {
  return lowerBound(subDim(a, b)) >= 0;
}

/** Replaces variables; those absent from `bindings` stay. */
export function substituteDim(d: Dim, bindings: ReadonlyMap<string, Dim>): Dim {
  if (isConstant(d)) return d;
  let sum: Dim = d.constant;
  for (const t of d.terms) {
    let product: Dim = t.coefficient;
    for (const f of t.factors) product = mulDim(product, substituteAtom(f, bindings));
    sum = addDim(sum, product);
  }
  return sum;
}

export function freeVariables(d: Dim, into: Set<string> = new Set()): Set<string> {
  if (isConstant(d)) return into;
  for (const t of d.terms) {
    for (const f of t.factors) {
      if (f.kind === 'variable') into.add(f.name);
      else freeVariables(f.right, freeVariables(f.left, into));
    }
  }
  return into;
}

/** Text as a user would write it: `4 * D`, `(H - 3) / 2 + 1`. */
export function showDim(d: Dim): string {
  if (isConstant(d)) return String(d);
  const positiveFirst = [...d.terms].sort((x, y) => Number(x.coefficient < 0) - Number(y.coefficient < 0));
  let text = '';
  for (const t of positiveFirst) text += joiner(text, t.coefficient) + showTerm(t.coefficient, t.factors);
  return d.constant === 0 ? text : text + joiner(text, d.constant) + Math.abs(d.constant);
}

export function showShape(shape: readonly Dim[]): string {
  return `[${shape.map(showDim).join(', ')}]`;
}

function joiner(before: string, coefficient: number): string {
  if (before === '') return coefficient < 0 ? '-' : '';
  return coefficient < 0 ? ' - ' : ' + ';
}

/** Without its sign. */
function showTerm(coefficient: number, factors: readonly Atom[]): string {
  const alone = factors.length === 1 && coefficient === 1;
  const parts = factors.map(f => showAtom(f, alone));
  return (Math.abs(coefficient) === 1 ? parts : [String(Math.abs(coefficient)), ...parts]).join(' * ');
}

function showAtom(f: Atom, alone: boolean): string {
  if (f.kind === 'variable') return f.name;
  if (f.kind !== 'floorDiv') return `${f.kind}(${showDim(f.left)}, ${showDim(f.right)})`;
  const text = `${showOperand(f.left)} / ${showOperand(f.right)}`;
  return alone ? text : `(${text})`;
}

function showOperand(d: Dim): string {
  const text = showDim(d);
  return /^[\w]+$/.test(text) || /^(min|max)\([^()]*\)$/.test(text) ? text : `(${text})`;
}

/** Least value when every variable is at least 1; -Infinity where it has none that is easily seen. */
export function lowerBound(d: Dim): number {
  if (isConstant(d)) return d;
  let bound = d.constant;
  for (const t of d.terms) {
    if (t.coefficient < 0) return Number.NEGATIVE_INFINITY;
    bound += t.coefficient * t.factors.reduce((product, f) => product * Math.max(0, atomLowerBound(f)), 1);
    if (t.factors.some(f => atomLowerBound(f) < 0)) return Number.NEGATIVE_INFINITY;
  }
  return bound;
}

function atomLowerBound(f: Atom): number {
  if (f.kind === 'variable') return 1;
  const left = lowerBound(f.left);
  if (f.kind === 'floorDiv')
    return left >= 0 ? (isConstant(f.right) ? Math.floor(left / f.right) : 0) : Number.NEGATIVE_INFINITY;
  return f.kind === 'min' ? Math.min(left, lowerBound(f.right)) : Math.max(left, lowerBound(f.right));
}

function extremum(kind: 'min' | 'max', a: Dim, b: Dim): Dim {
  if (atLeastDim(a, b)) return kind === 'max' ? a : b;
  if (atLeastDim(b, a)) return kind === 'max' ? b : a;
  const [left, right] = dimKey(a) <= dimKey(b) ? [a, b] : [b, a];
  return fromAtom({ kind, left, right, key: `${kind}(${dimKey(left)},${dimKey(right)})` });
}

function divisionAtom(a: Dim, b: Dim): Dim {
  const nested = mergeNestedDivision(a, b);
  if (nested !== undefined) return nested;
  return fromAtom({ kind: 'floorDiv', left: a, right: b, key: `(${dimKey(a)}/${dimKey(b)})` });
}

/** floor((floor(x/m) + c) / n) = floor((x + m*c) / (m*n)) for constants m, n >= 1. */
function mergeNestedDivision(a: Dim, b: Dim): Dim | undefined {
  if (isConstant(a) || !isConstant(b) || a.terms.length !== 1) return undefined;
  const { coefficient, factors } = a.terms[0]!;
  const inner = factors[0]!;
  if (coefficient !== 1 || factors.length !== 1 || inner.kind !== 'floorDiv' || !isConstant(inner.right))
    return undefined;
  return floorDivDim(addDim(inner.left, inner.right * a.constant), inner.right * b);
}

/** a = quotient * b + remainder, term by term: only what divides exactly (or, for a constant b, by Euclid) goes to the quotient. */
function splitByDivisor(a: Dim, b: Dim): { quotient: Dim; remainder: Dim } {
  const divisor = withConstant(b);
  if (divisor.length !== 1) {
    const multiple = exactMultiple(a, b);
    return multiple === undefined ? { quotient: 0, remainder: a } : { quotient: multiple, remainder: 0 };
  }
  const by = divisor[0]!;
  const quotient: Term[] = [];
  const remainder: Term[] = [];
  for (const t of withConstant(a)) {
    const rest = removeFactors(t.factors, by.factors);
    const whole = rest === undefined ? 0 : Math.floor(t.coefficient / by.coefficient);
    if (rest !== undefined && whole !== 0) quotient.push(term(whole, rest));
    const left = t.coefficient - whole * by.coefficient;
    if (left !== 0) remainder.push(term(left, t.factors));
  }
  return { quotient: fromTerms(quotient, 0), remainder: fromTerms(remainder, 0) };
}

/** k with a = k * b for a sum b and a whole number or monomial k, if there is one: `(2*D + 2) / (D + 1)` is 2. */
function exactMultiple(a: Dim, b: Dim): Dim | undefined {
  const [first, divisor] = [withConstant(a)[0], withConstant(b)[0]!];
  if (first === undefined) return 0;
  const rest = removeFactors(first.factors, divisor.factors);
  if (rest === undefined || first.coefficient % divisor.coefficient !== 0) return undefined;
  const candidate = fromTerms([term(first.coefficient / divisor.coefficient, rest)], 0);
  return sameDim(mulDim(candidate, b), a) ? candidate : undefined;
}

/** `factors` without those of `remove`, or undefined if one is missing. */
export function removeFactors(factors: readonly Atom[], remove: readonly Atom[]): readonly Atom[] | undefined {
  const rest = [...factors];
  for (const r of remove) {
    const at = rest.findIndex(f => f.key === r.key);
    if (at < 0) return undefined;
    rest.splice(at, 1);
  }
  return rest;
}

function substituteAtom(f: Atom, bindings: ReadonlyMap<string, Dim>): Dim {
  if (f.kind === 'variable') return bindings.get(f.name) ?? fromAtom(f);
  const left = substituteDim(f.left, bindings);
  const right = substituteDim(f.right, bindings);
  return f.kind === 'floorDiv' ? floorDivDim(left, right) : extremum(f.kind, left, right);
}

export function fromAtom(atom: Atom): DimExpr {
  return { terms: [term(1, [atom])], constant: 0, key: `${atom.key}` };
}

/** The terms of `d`, its constant as a term without factors among them. */
export function withConstant(d: Dim): readonly Term[] {
  const constant = constantOf(d);
  return constant === 0 ? termsOf(d) : [...termsOf(d), term(constant, [])];
}

/** Sums terms (those without factors count as constants) into the normal form. */
export function fromTerms(terms: readonly Term[], constant: number): Dim {
  const sums = new Map<string, Term>();
  let total = constant;
  for (const t of terms) {
    if (t.factors.length === 0) {
      total += t.coefficient;
      continue;
    }
    const before = sums.get(t.key);
    sums.set(t.key, before ? { ...before, coefficient: before.coefficient + t.coefficient } : t);
  }
  const kept = [...sums.values()].filter(t => t.coefficient !== 0).sort((x, y) => (x.key < y.key ? -1 : 1));
  if (kept.length === 0) return total;
  if (kept.length > maxTerms) throw new DimError('too-large');
  const key = kept.map(t => (t.coefficient === 1 ? t.key : `${t.coefficient}*${t.key}`)).join('+');
  if (key.length > maxKeyLength) throw new DimError('too-large');
  return { terms: kept, constant: total, key: total === 0 ? key : `${key}+${total}` };
}

export function term(coefficient: number, factors: readonly Atom[]): Term {
  const sorted = factors.length > 1 ? [...factors].sort((x, y) => (x.key < y.key ? -1 : 1)) : factors;
  return { coefficient, factors: sorted, key: sorted.map(f => f.key).join('*') };
}

function termsOf(d: Dim): readonly Term[] {
  return isConstant(d) ? [] : d.terms;
}

function constantOf(d: Dim): number {
  return isConstant(d) ? d : d.constant;
}

function dimKey(d: Dim): string {
  return isConstant(d) ? String(d) : d.key;
}
