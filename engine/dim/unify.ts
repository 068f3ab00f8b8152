/** Unification of a declared shape with an actual one: binds the declaration's variables, solves what is linear, demands the rest. */
import {
  addDim,
  type Dim,
  floorDivDim,
  freeVariables,
  fromTerms,
  isConstant,
  negDim,
  subDim,
  substituteDim,
} from './dim.ts';
import { decide, type Requirement } from './facts.ts';

export type DimMatch =
  | { readonly kind: 'ok' }
  /** Never equal. `expected` is the pattern with the bindings so far. */
  | { readonly kind: 'mismatch'; readonly expected: Dim; readonly found: Dim }
  /** Equal if these hold; they depend on rigid variables. */
  | { readonly kind: 'requires'; readonly requirements: readonly Requirement[] };

/**
 * Matches `pattern` against `found`, extending `bindings`. Variables in `flexible` may be bound; all others are rigid.
 * With one unbound variable in a linear position (`4 * D`, `T + 1`) it is solved for, demanding divisibility where needed.
 */
export function unifyDim(
  pattern: Dim,
  found: Dim,
  flexible: ReadonlySet<string>,
  bindings: Map<string, Dim>,
  facts: readonly Requirement[] = [],
): DimMatch {
  const expected = substituteDim(pattern, bindings);
  const unbound = [...freeVariables(expected)].filter(name => flexible.has(name) && !bindings.has(name));
  const solved = unbound.length === 1 ? solve(expected, found, unbound[0]!) : undefined;
  if (solved !== undefined) return bindSolution(unbound[0]!, solved, expected, found, bindings, facts);
  const verdict = decide({ kind: 'equal', left: expected, right: found }, facts);
  if (verdict === 'holds') return { kind: 'ok' };
  if (verdict === 'fails') return { kind: 'mismatch', expected, found };
  return { kind: 'requires', requirements: [{ kind: 'equal', left: expected, right: found }] };
}

interface Solution {
  readonly value: Dim;
  /** Divisibility that the solution rests on. */
  readonly demand?: Requirement;
}

function bindSolution(
  name: string,
  solution: Solution,
  expected: Dim,
  found: Dim,
  bindings: Map<string, Dim>,
  facts: readonly Requirement[],
): DimMatch {
  const verdict = solution.demand === undefined ? 'holds' : decide(solution.demand, facts);
  if (verdict === 'fails' || (isConstant(solution.value) && solution.value < 1))
    return { kind: 'mismatch', expected, found };
  bindings.set(name, solution.value);
  return verdict === 'holds' ? { kind: 'ok' } : { kind: 'requires', requirements: [solution.demand!] };
}

/** expected = a * name + rest with constant a, so name = (found - rest) / a. Undefined where `name` stands in any other way. */
function solve(expected: Dim, found: Dim, name: string): Solution | undefined {
  if (isConstant(expected)) return undefined;
  const own = expected.terms.filter(t => t.factors.some(f => f.kind === 'variable' && f.name === name));
  const linear = own[0];
  if (own.length !== 1 || linear === undefined || linear.factors.length !== 1) return undefined;
  const rest = subDim(expected, fromTerms([linear], 0));
  if (freeVariables(rest).has(name)) return undefined;
  const numerator = linear.coefficient < 0 ? subDim(rest, found) : addDim(found, negDim(rest));
  const divisor = Math.abs(linear.coefficient);
  const value = floorDivDim(numerator, divisor);
  if (divisor === 1) return { value };
  return { value, demand: { kind: 'divides', left: numerator, right: divisor } };
}
