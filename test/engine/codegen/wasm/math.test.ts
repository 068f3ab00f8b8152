/** Accuracy of the transcendental functions over their whole ranges, in units in the last place of the f32 result. */
import { expect, test } from 'vitest';
import type { ScalarOp } from '../../../../engine/ir/scalar.ts';
import { apply, axis, load } from '../../../../engine/kernel/scalar.ts';
import { erf } from '../../../../engine/util/numbers.ts';
import { buffer, runWasm, schedule } from './support.ts';

const COUNT = 20001;

/** Error in ulp; results below the smallest normal number are measured in its ulp. */
function ulps(actual: number, exact: number): number {
  const expected = Math.fround(exact);
  if (Object.is(actual, expected) || actual === expected) return 0;
  if (!Number.isFinite(expected)) return Number.isNaN(actual) && Number.isNaN(expected) ? 0 : Number.POSITIVE_INFINITY;
  const exponent = Math.max(-126, Math.floor(Math.log2(Math.abs(exact))));
  return Math.abs(actual - exact) / 2 ** (exponent - 23);
}

const special = [
  0,
  -0,
  1,
  -1,
  88.7,
  89,
  -87.4,
  -103,
  -104,
  1e-30,
  -1e-30,
  1e-40,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  Number.NaN,
];

interface Sweep {
  readonly op: ScalarOp;
  readonly exact: (x: number) => number;
  readonly from: number;
  readonly to: number;
  readonly bound: number;
  readonly special?: readonly number[];
}

const sweeps: Sweep[] = [
  // What would be a denormal, and a little more, is 0.
  { op: 'exp', exact: x => (x < -125.5 * Math.LN2 ? 0 : Math.exp(x)), from: -104, to: 89, bound: 2 },
  { op: 'log', exact: Math.log, from: 1e-6, to: 4, bound: 2 },
  { op: 'log', exact: Math.log, from: 4, to: 3e38, bound: 2 },
  { op: 'tanh', exact: Math.tanh, from: -10, to: 10, bound: 3 },
  { op: 'erf', exact: erf, from: -4.5, to: 4.5, bound: 3 },
  { op: 'sin', exact: Math.sin, from: -30, to: 30, bound: 2, special: [0, 1, 1e6, -1e6, 1e8] },
  { op: 'cos', exact: Math.cos, from: -30, to: 30, bound: 2, special: [0, 1, 1e6, -1e6, 1e8] },
];

const ways = [{ relaxed: false, revectorize: false }, {}];

test.each(ways.flatMap(options => sweeps.map(sweep => ({ ...sweep, options }))))(
  '$op from $from to $to within $bound ulp, $options',
  async ({ op, exact, from, to, bound, special: points = special, options }) => {
    const inputs = Array.from({ length: COUNT }, (_, i) => Math.fround(from + ((to - from) * i) / (COUNT - 1)));
    inputs.splice(0, points.length, ...points.map(Math.fround));
    const kernel = {
      kind: 'loop' as const,
      name: op,
      axes: [COUNT],
      inner: [],
      phases: [
        {
          kind: 'store' as const,
          over: 'outer' as const,
          stores: [{ buffer: 1, at: axis(0), value: apply(op, [load(0, axis(0), 'f32')], 'f32') }],
        },
      ],
    };
    const { y } = await runWasm(schedule([buffer('x', COUNT), buffer('y', COUNT)], [kernel]), { x: inputs }, options);
    let worst = 0;
    let where = 0;
    inputs.forEach((x, i) => {
      const error = ulps(y![i]!, exact(x));
      if (error > worst) [worst, where] = [error, x];
    });
    expect(worst, `at ${where}`).toBeLessThanOrEqual(bound);
  },
);
