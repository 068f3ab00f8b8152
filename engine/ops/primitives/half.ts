/** Between f32, in which all is computed, and f16, in which a step may store what it keeps. */
import type { TensorType } from '../../ir/graph.ts';
import { apply } from '../../ir/scalars.ts';
import { roundToHalf } from '../../util/half.ts';
import type { Primitive } from '../primitive.ts';
import { define, expectDType, expectInputs } from './rules.ts';

type None = Record<never, never>;

const f32 = (...shape: number[]): TensorType => ({ dtype: 'f32', shape });
const f16 = (...shape: number[]): TensorType => ({ dtype: 'f16', shape });
/** Ties, the edges of the denormal numbers and of all, and what has no number. */
const EDGES = [2049, 2051, 2 ** -25, 3 * 2 ** -25, 6.1e-5, 65519, 65520, -70000, -0, Infinity, Number.NaN];

export const toF16: Primitive<None> = define<None>({
  name: 'to_f16',
  doc: 'The nearest value of f16, ties to even; infinity from 65520 on. Its adjoint crosses the other way.',
  type: inputs => {
    expectInputs('to_f16', inputs, 1);
    expectDType('to_f16', inputs, 0, ['f32']);
    return { dtype: 'f16', shape: inputs[0]!.shape };
  },
  vjp: (b, _, g) => [b.op('to_f32', [g])],
  lowering: { kind: 'elementwise', scalar: ([x]) => apply('round_f16', x!) },
  evaluate: ([x]) => x!.data.map(roundToHalf),
  samples: [{ inputs: [f32(3, 5)], attributes: {}, special: EDGES, noGradient: 'a rounding is a staircase' }],
});

export const toF32: Primitive<None> = define<None>({
  name: 'to_f32',
  doc: 'The same values in f32. Its adjoint is rounded to f16, as the value it belongs to was.',
  type: inputs => {
    expectInputs('to_f32', inputs, 1);
    expectDType('to_f32', inputs, 0, ['f16']);
    return { dtype: 'f32', shape: inputs[0]!.shape };
  },
  vjp: (b, _, g) => [b.op('to_f16', [g])],
  lowering: { kind: 'elementwise', scalar: ([x]) => x! },
  evaluate: ([x]) => x!.data.slice(),
  samples: [
    { inputs: [f16(3, 5)], attributes: {}, special: EDGES.map(roundToHalf), noGradient: 'a rounding is a staircase' },
  ],
});
