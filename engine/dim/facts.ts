/** What is known and what is demanded of dimensions: facts from `where` rewrite expressions, requirements float to callers. */
import {
  type Atom,
  addDim,
  atLeastDim,
  compareDim,
  type Dim,
  DimError,
  floorDivDim,
  freeVariables,
  fromTerms,
  isConstant,
  modDim,
  mulDim,
  removeFactors,
  sameDim,
  showDim,
  subDim,
  substituteDim,
  term,
  withConstant,
} from './dim.ts';

/** A condition on dimensions. `divides`: right divides left, `left % right == 0`. */
export interface Requirement {
  readonly kind: 'equal' | 'divides' | 'atLeast';
  readonly left: Dim;
  readonly right: Dim;
}

export type Verdict = 'holds' | 'fails' | 'unknown';

/** Decides a requirement by the normal form and `facts`; `unknown` if it depends on the variables. */
export function decide(requirement: Requirement, facts: readonly Requirement[] = []): Verdict {
  try {
    return decideRewritten(requirement, facts);
  } catch (error) {
    // Facts that feed each other can blow an expression up; what can't be written down can't be decided.
    if (error instanceof DimError) return 'unknown';
    throw error;
  }
}

function decideRewritten(requirement: Requirement, facts: readonly Requirement[]): Verdict {
  const left = rewrite(requirement.left, facts);
  const right = rewrite(requirement.right, facts);
  if (requirement.kind === 'divides') return decideDivides(left, right, facts);
  if (requirement.kind === 'atLeast') return decideAtLeast(left, right, facts);
  const order = compareDim(left, right);
  if (order !== 'unknown') return order === 'equal' ? 'holds' : 'fails';
  const known = facts.some(f => f.kind === 'equal' && sameDim(subDim(f.left, f.right), subDim(left, right)));
  return known ? 'holds' : 'unknown';
}

/** The requirement with variables replaced, as a call site sees it. */
export function substituteRequirement(r: Requirement, bindings: ReadonlyMap<string, Dim>): Requirement {
  return { ...r, left: substituteDim(r.left, bindings), right: substituteDim(r.right, bindings) };
}

/** As written after `where`: `D % heads == 0`. */
export function showRequirement(r: Requirement): string {
  if (r.kind === 'divides') return `${paren(showDim(r.left))} % ${paren(showDim(r.right))} == 0`;
  return `${showDim(r.left)} ${r.kind === 'equal' ? '==' : '>='} ${showDim(r.right)}`;
}

/**
 * Applies facts: equalities `x == e` replace the variable x; `q | p` turns `q * floor(p / q)` into `p`
 * and takes multiples of p out of a floor by q, `floor((k*p + r) / q) = k * (p / q) + floor(r / q)`.
 */
export function rewrite(d: Dim, facts: readonly Requirement[]): Dim {
  let current = d;
  for (let round = 0; round < maxRounds; round++) {
    let next = current;
    for (const fact of facts) next = applyFact(next, fact);
    if (sameDim(next, current)) return current;
    current = next;
  }
  return current;
}

/** Facts may feed each other (`a == b`, `b == a`), so rewriting is bounded instead of trusted to end. */
const maxRounds = 8;

function applyFact(d: Dim, fact: Requirement): Dim {
  if (isConstant(d)) return d;
  if (fact.kind === 'equal') return applyEquality(d, fact);
  return fact.kind === 'divides' ? applyDivisibility(d, fact) : d;
}

function applyEquality(d: Dim, { left, right }: Requirement): Dim {
  for (const [from, to] of [
    [left, right],
    [right, left],
  ] as const) {
    const name = variableName(from);
    if (name === undefined || freeVariables(to).has(name)) continue;
    if (isConstant(to) || variableName(to) === undefined || variableName(to)! < name) {
      return substituteDim(d, new Map([[name, to]]));
    }
  }
  return d;
}

function applyDivisibility(d: Dim, { left: p, right: q }: Requirement): Dim {
  const divisor = withConstant(q);
  const quotient = floorDivDim(p, q);
  const atom = onlyAtom(quotient);
  if (divisor.length !== 1 || atom?.kind !== 'floorDiv') return d;
  const by = divisor[0]!;
  let sum: Dim = 0;
  for (const t of withConstant(d)) {
    const rest = removeFactors(t.factors, [atom, ...by.factors]);
    const replaced = rest !== undefined && t.coefficient % by.coefficient === 0;
    const floors = replaced ? mulDim(fromTerms([term(t.coefficient / by.coefficient, rest)], 0), p) : undefined;
    sum = addDim(sum, floors ?? pullMultiples(t, p, q));
  }
  return sum;
}

/** Within one term, floor((k*p + r) / q) becomes k * floor(p / q) + floor(r / q), given q | p. */
function pullMultiples(t: { coefficient: number; factors: readonly Atom[] }, p: Dim, q: Dim): Dim {
  let product: Dim = t.coefficient;
  for (const f of t.factors) {
    const multiple = f.kind === 'floorDiv' && sameDim(f.right, q) ? takeMultiple(f.left, p) : undefined;
    product = mulDim(
      product,
      multiple === undefined
        ? fromTerms([term(1, [f])], 0)
        : addDim(mulDim(multiple.times, floorDivDim(p, q)), floorDivDim(multiple.rest, q)),
    );
  }
  return product;
}

function takeMultiple(d: Dim, p: Dim): { times: Dim; rest: Dim } | undefined {
  const pattern = withConstant(p);
  if (pattern.length !== 1 || sameDim(d, p)) return undefined;
  const by = pattern[0]!;
  let times: Dim = 0;
  let rest: Dim = 0;
  for (const t of withConstant(d)) {
    const others = removeFactors(t.factors, by.factors);
    const one = fromTerms([term(t.coefficient, t.factors)], 0);
    if (others === undefined || t.coefficient % by.coefficient !== 0) rest = addDim(rest, one);
    else times = addDim(times, fromTerms([term(t.coefficient / by.coefficient, others)], 0));
  }
  return times === 0 ? undefined : { times, rest };
}

function decideDivides(left: Dim, right: Dim, facts: readonly Requirement[]): Verdict {
  if (right === 0) return 'fails';
  const remainder = rewrite(modDim(left, right), facts);
  if (remainder === 0) return 'holds';
  if (isConstant(remainder)) return 'fails';
  const multiple = facts.some(
    f => f.kind === 'divides' && sameDim(modDim(f.right, right), 0) && sameDim(modDim(left, f.left), 0),
  );
  return multiple ? 'holds' : 'unknown';
}

function decideAtLeast(left: Dim, right: Dim, facts: readonly Requirement[]): Verdict {
  if (atLeastDim(left, right)) return 'holds';
  if (compareDim(left, right) === 'less') return 'fails';
  if (right === 1 && facts.some(f => f.kind === 'divides' && isWholePart(left, f))) return 'holds';
  const difference = subDim(left, right);
  const known = facts.some(f => f.kind === 'atLeast' && atLeastDim(difference, subDim(f.left, f.right)));
  return known ? 'holds' : 'unknown';
}

/** `left` is p / q where q divides p, both at least 1: a share of p is not empty. */
function isWholePart(left: Dim, { left: p, right: q }: Requirement): boolean {
  return atLeastDim(p, 1) && atLeastDim(q, 1) && sameDim(left, floorDivDim(p, q));
}

function variableName(d: Dim): string | undefined {
  const atom = onlyAtom(d);
  return atom?.kind === 'variable' ? atom.name : undefined;
}

/** The atom that `d` consists of, if it is nothing else. */
function onlyAtom(d: Dim): Atom | undefined {
  if (isConstant(d) || d.constant !== 0 || d.terms.length !== 1) return undefined;
  const { coefficient, factors } = d.terms[0]!;
  return coefficient === 1 && factors.length === 1 ? factors[0] : undefined;
}

function paren(text: string): string {
  return /^\w+$/.test(text) ? text : `(${text})`;
}
