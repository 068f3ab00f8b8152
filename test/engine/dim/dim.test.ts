import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  addDim,
  compareDim,
  type Dim,
  DimError,
  dimVar,
  floorDivDim,
  maxDim,
  minDim,
  modDim,
  mulDim,
  sameDim,
  showDim,
  subDim,
  substituteDim,
} from '../../../engine/dim/dim.ts';
import { decide, type Requirement, showRequirement } from '../../../engine/dim/facts.ts';
import { parseDim } from '../../../engine/dim/parse.ts';
import { unifyDim } from '../../../engine/dim/unify.ts';
import { rounds } from '../../support/fuzz.ts';

const dim = (text: string): Dim => {
  const parsed = parseDim(text);
  if (parsed === undefined) throw new Error(`not a dimension: ${text}`);
  return parsed;
};

describe('normal form', () => {
  it.each([
    ['B', 'B'],
    ['B + B', '2 * B'],
    ['4 * D - D', '3 * D'],
    ['(H + 2 * 1 - 3) / 1 + 1', 'H'],
    ['(H - 3) / 2 + 1', '(H + 1) / 2 - 1 + 0 + 0'],
    ['(T * D) / D', 'T'],
    ['(2 * D + 2) / (D + 1)', '2'],
    ['H / 2 / 2', 'H / 4'],
    ['(2 * H + 3) / 2', 'H + 1'],
    ['D % 1', '0'],
    ['max(B, 1)', 'B'],
    ['min(T, T + 3)', 'T'],
    ['(a + b) * (a - b)', 'a * a - b * b'],
  ])('%s is %s', (left, right) => {
    expect(sameDim(dim(left), dim(right)), `${showDim(dim(left))} vs ${showDim(dim(right))}`).toBe(true);
  });

  it.each([
    ['4 * D', '4 * D'],
    ['28 * 28', '784'],
    ['B * T', 'B * T'],
    ['(H - 1) / 2', '(H + 1) / 2 - 1'],
    ['T - 1', 'T - 1'],
    ['-T + S', 'S - T'],
    ['3 * (D / heads)', '3 * (D / heads)'],
    ['min(T, 64)', 'min(64, T)'],
  ])('shows %s as %s', (text, shown) => {
    expect(showDim(dim(text))).toBe(shown);
  });

  it.each(['', '+', '4 *', '(B', 'B)', 'min(B', 'B C', '$'])('does not parse %j', text => {
    expect(parseDim(text)).toBeUndefined();
  });

  it.each([
    ['B', 'B', 'equal'],
    ['B + 1', 'B', 'greater'],
    ['B', 'B + T', 'less'],
    ['B', 'T', 'unknown'],
    ['2 * B', 'B', 'greater'],
    ['784', '800', 'less'],
  ] as const)('compares %s with %s: %s', (a, b, order) => {
    expect(compareDim(dim(a), dim(b))).toBe(order);
  });
});

describe('facts', () => {
  const divides: Requirement = { kind: 'divides', left: dim('D'), right: dim('heads') };
  it.each<[Requirement, readonly Requirement[], string]>([
    [{ kind: 'equal', left: dim('heads * (D / heads)'), right: dim('D') }, [divides], 'holds'],
    [{ kind: 'equal', left: dim('heads * (D / heads)'), right: dim('D') }, [], 'unknown'],
    [{ kind: 'equal', left: dim('3 * D / heads'), right: dim('3 * (D / heads)') }, [divides], 'holds'],
    [{ kind: 'divides', left: dim('130'), right: 4 }, [], 'fails'],
    [{ kind: 'divides', left: dim('4 * D'), right: dim('heads') }, [divides], 'holds'],
    [{ kind: 'divides', left: dim('4 * D'), right: 2 }, [], 'holds'],
    [{ kind: 'equal', left: dim('X'), right: 10 }, [{ kind: 'equal', left: dim('X'), right: 10 }], 'holds'],
    [{ kind: 'atLeast', left: dim('H'), right: 2 }, [{ kind: 'atLeast', left: dim('H'), right: 3 }], 'holds'],
    [{ kind: 'atLeast', left: dim('H'), right: 1 }, [], 'holds'],
    [{ kind: 'atLeast', left: dim('D / heads'), right: 1 }, [divides], 'holds'],
    [{ kind: 'atLeast', left: dim('D / heads'), right: 1 }, [], 'unknown'],
  ])('%j given %j %s', (requirement, facts, verdict) => {
    expect(decide(requirement, facts)).toBe(verdict);
  });

  it('reads as it is written', () => {
    expect(showRequirement(divides)).toBe('D % heads == 0');
  });
});

describe('unification', () => {
  const flexible = new Set(['B', 'D', 'X']);
  it.each([
    ['B', '64', 'ok', { B: '64' }],
    ['4 * D', '512', 'ok', { D: '128' }],
    ['4 * D', '510', 'mismatch', {}],
    ['X + 1', 'T', 'ok', { X: 'T - 1' }],
    ['2 * X', 'T', 'requires', { X: 'T / 2' }],
    ['784', '800', 'mismatch', {}],
    ['784', 'T', 'requires', {}],
    ['X - 5', '3', 'ok', { X: '8' }],
    ['X + 5', '3', 'mismatch', {}],
  ] as const)('%s with %s: %s', (pattern, found, kind, expected) => {
    const bindings = new Map<string, Dim>();
    expect(unifyDim(dim(pattern), dim(found), flexible, bindings).kind).toBe(kind);
    expect(Object.fromEntries([...bindings].map(([name, d]) => [name, showDim(d)]))).toEqual(expected);
  });
});

/** A random expression as text, its Dim, and its value by plain integer arithmetic. */
interface Sampled {
  readonly d: Dim;
  readonly value: (env: ReadonlyMap<string, number>) => number;
}
const names = ['A', 'B', 'C'];
const leaf: fc.Arbitrary<Sampled> = fc.oneof(
  fc.integer({ min: 0, max: 6 }).map(n => ({ d: n, value: () => n })),
  fc
    .constantFrom(...names)
    .map(name => ({ d: dimVar(name), value: (env: ReadonlyMap<string, number>) => env.get(name)! })),
);
const positive: fc.Arbitrary<Sampled> = fc.oneof(
  fc.integer({ min: 1, max: 5 }).map(n => ({ d: n, value: () => n })),
  fc
    .constantFrom(...names)
    .map(name => ({ d: dimVar(name), value: (env: ReadonlyMap<string, number>) => env.get(name)! })),
);
type Binary = readonly [(a: Dim, b: Dim) => Dim, (a: number, b: number) => number];
const binary: readonly Binary[] = [
  [addDim, (a, b) => a + b],
  [subDim, (a, b) => a - b],
  [mulDim, (a, b) => a * b],
  [minDim, Math.min],
  [maxDim, Math.max],
];
const division: readonly Binary[] = [
  [floorDivDim, (a, b) => Math.floor(a / b)],
  [modDim, (a, b) => a - b * Math.floor(a / b)],
];
/** An expression over the budget stands for its first operand, so that the generator never fails. */
const combine = ([build, compute]: Binary, a: Sampled, b: Sampled): Sampled => {
  try {
    return { d: build(a.d, b.d), value: env => compute(a.value(env), b.value(env)) };
  } catch (error) {
    if (error instanceof DimError) return a;
    throw error;
  }
};
const expression: fc.Arbitrary<Sampled> = fc.letrec<{ e: Sampled }>(tie => ({
  e: fc.oneof(
    { maxDepth: 3 },
    leaf,
    fc.tuple(fc.constantFrom(...binary), tie('e'), tie('e')).map(([op, a, b]) => combine(op, a, b)),
    fc.tuple(fc.constantFrom(...division), tie('e'), positive).map(([op, a, b]) => combine(op, a, b)),
  ),
})).e;
const environment = fc
  .tuple(...names.map(() => fc.integer({ min: 1, max: 7 })))
  .map(values => new Map(names.map((name, i) => [name, values[i]!])));

const at = (d: Dim, env: ReadonlyMap<string, number>): Dim => substituteDim(d, env);
const environments = (): Map<string, number>[] => {
  const all: Map<string, number>[] = [];
  for (let a = 1; a <= 5; a++)
    for (let b = 1; b <= 5; b++)
      for (let c = 1; c <= 5; c++)
        all.push(
          new Map([
            ['A', a],
            ['B', b],
            ['C', c],
          ]),
        );
  return all;
};
const everywhere = environments();

describe('against brute force over small integers', () => {
  const runs = rounds(30_000);

  it('a normal form has the value of its expression', () => {
    fc.assert(
      fc.property(expression, environment, (e, env) => {
        expect(at(e.d, env)).toBe(e.value(env) + 0);
      }),
      runs,
    );
  });

  it('printing and parsing come back to the same form', () => {
    fc.assert(
      fc.property(expression, ({ d }) => {
        expect(sameDim(dim(showDim(d)), d), `${showDim(d)} came back as ${showDim(dim(showDim(d)))}`).toBe(true);
      }),
      rounds(7_500),
    );
  });

  it('a comparison holds for all values', () => {
    fc.assert(
      fc.property(expression, expression, environment, (a, b, env) => {
        const order = compareDim(a.d, b.d);
        const difference = a.value(env) - b.value(env);
        if (order === 'equal') expect(difference + 0).toBe(0);
        if (order === 'less') expect(difference).toBeLessThan(0);
        if (order === 'greater') expect(difference).toBeGreaterThan(0);
      }),
      runs,
    );
  });

  const requirement = fc
    .tuple(fc.constantFrom('equal' as const, 'divides' as const, 'atLeast' as const), expression, positive)
    .map(([kind, left, right]): Requirement => ({ kind, left: left.d, right: right.d }));
  const holdsAt = (r: Requirement, env: ReadonlyMap<string, number>): boolean => {
    const [left, right] = [at(r.left, env), at(r.right, env)] as [number, number];
    return r.kind === 'equal' ? left === right : r.kind === 'atLeast' ? left >= right : left % right === 0;
  };

  it('no requirement is accepted or refused wrongly, whatever the facts', () => {
    fc.assert(
      fc.property(requirement, fc.array(requirement, { maxLength: 2 }), (r, facts) => {
        const verdict = decide(r, facts);
        if (verdict === 'unknown') return;
        const worlds = everywhere.filter(env => facts.every(f => holdsAt(f, env)));
        for (const env of worlds) expect(holdsAt(r, env), JSON.stringify([...env])).toBe(verdict === 'holds');
      }),
      rounds(7_500),
    );
  });

  it('a unifier makes both sides equal wherever its requirements hold', () => {
    fc.assert(
      fc.property(expression, expression, environment, (pattern, found, env) => {
        const bindings = new Map<string, Dim>();
        const flexible = new Set(['X']);
        const shaped = addDim(pattern.d, mulDim(2, dimVar('X')));
        const match = unifyDim(shaped, found.d, flexible, bindings);
        if (match.kind === 'mismatch') {
          const x = (found.value(env) - pattern.value(env)) / 2;
          expect(Number.isInteger(x) && x >= 1).toBe(false);
          return;
        }
        const needed = match.kind === 'requires' ? match.requirements : [];
        if (!needed.every(r => holdsAt(r, env))) return;
        expect(at(substituteDim(shaped, bindings), env)).toBe(found.value(env) + 0);
      }),
      runs,
    );
  });
});
