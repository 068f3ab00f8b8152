/** Elementwise functions of one operand. */
import type { DType, TensorType } from '../../ir/graph.ts';
import type { Scalar, ScalarOp } from '../../ir/scalar.ts';
import { apply, applyTo, cast as castScalar, float } from '../../ir/scalars.ts';
import { never } from '../../util/errors.ts';
import { erf as erfOf, roundEven, truncateToI32, truncateToU32 } from '../../util/numbers.ts';
import type { HalfRole, Primitive, Sample } from '../primitive.ts';
import { define, expectDType, expectInputs } from './rules.ts';

type None = Record<never, never>;

interface Unary {
  readonly name: string;
  readonly doc: string;
  readonly scalar: ScalarOp | ((x: Scalar) => Scalar);
  readonly of: (x: number) => number;
  readonly dtypes?: readonly DType[];
  readonly vjp?: Primitive<None>['vjp'];
  readonly domain?: readonly [number, number];
  readonly special?: readonly number[];
  readonly noGradient?: string;
  readonly half?: HalfRole;
}

const f32 = (...shape: number[]): TensorType => ({ dtype: 'f32', shape });

function unary({
  name,
  doc,
  scalar,
  of,
  dtypes = ['f32'],
  vjp,
  domain,
  special,
  noGradient,
  half,
}: Unary): Primitive<None> {
  const options = {
    ...(domain && { domain: [domain] }),
    ...(special && { special }),
    ...(noGradient && { noGradient }),
  };
  const samples: Sample<None>[] = dtypes.map(dtype => ({
    inputs: [{ dtype, shape: [3, 5] }],
    attributes: {},
    ...options,
  }));
  return define<None>({
    name,
    doc,
    type: inputs => {
      expectInputs(name, inputs, 1);
      expectDType(name, inputs, 0, dtypes);
      return inputs[0]!;
    },
    vjp: vjp ?? (() => [undefined]),
    lowering: { kind: 'elementwise', scalar: ([x]) => (typeof scalar === 'string' ? apply(scalar, x!) : scalar(x!)) },
    evaluate: ([x]) => x!.data.map(of),
    ...(half && { half }),
    samples,
  });
}

const flat = 'its derivative is 0 wherever there is one';

export const neg = unary({
  name: 'neg',
  doc: '-x.',
  half: 'pointwise',
  scalar: 'neg',
  dtypes: ['f32', 'i32'],
  of: x => -x,
  vjp: (b, _, g) => [b.neg(g)],
});
export const abs = unary({
  name: 'abs',
  doc: '|x|; gradient 0 at 0.',
  half: 'pointwise',
  scalar: 'abs',
  dtypes: ['f32', 'i32'],
  of: Math.abs,
  vjp: (b, { inputs: [x] }, g) => [b.mul(g, b.sign(x!))],
});
export const sign = unary({
  name: 'sign',
  doc: '-1, 0 or 1.',
  half: 'pointwise',
  scalar: 'sign',
  dtypes: ['f32', 'i32'],
  special: [0],
  noGradient: flat,
  of: Math.sign,
});
export const floor = unary({
  name: 'floor',
  doc: 'Greatest whole number not above x.',
  half: 'pointwise',
  scalar: 'floor',
  noGradient: flat,
  of: Math.floor,
});
export const ceil = unary({
  name: 'ceil',
  doc: 'Least whole number not below x.',
  half: 'pointwise',
  scalar: 'ceil',
  noGradient: flat,
  of: Math.ceil,
});
export const round = unary({
  name: 'round',
  doc: 'Nearest whole number, ties to even.',
  half: 'pointwise',
  scalar: 'round',
  special: [0.5, 1.5, -0.5, -2.5],
  noGradient: flat,
  of: roundEven,
});
export const sqrt = unary({
  name: 'sqrt',
  doc: 'Square root.',
  scalar: 'sqrt',
  domain: [0.25, 4],
  of: Math.sqrt,
  vjp: (b, { output: y }, g) => [b.div(b.mul(g, 0.5), y)],
});
export const exp = unary({
  name: 'exp',
  doc: 'e to the power x.',
  scalar: 'exp',
  of: Math.exp,
  vjp: (b, { output: y }, g) => [b.mul(g, y)],
});
export const log = unary({
  name: 'log',
  doc: 'Natural logarithm.',
  scalar: 'log',
  domain: [0.25, 4],
  of: Math.log,
  vjp: (b, { inputs: [x] }, g) => [b.div(g, x!)],
});
export const tanh = unary({
  name: 'tanh',
  doc: 'Hyperbolic tangent; derivative 1 - tanh².',
  half: 'pointwise',
  scalar: 'tanh',
  of: Math.tanh,
  vjp: (b, { output: y }, g) => [b.mul(g, b.sub(1, b.square(y)))],
});
export const sigmoid = unary({
  name: 'sigmoid',
  doc: '1 / (1 + exp(-x)), bounded where exp(-x) would overflow; derivative y (1 - y) of its value y.',
  half: 'pointwise',
  scalar: x => apply('div', float(1), apply('add', float(1), apply('exp', apply('neg', apply('max', x, float(-80)))))),
  special: [-100, 100],
  of: x => 1 / (1 + Math.exp(-x)),
  vjp: (b, { output: y }, g) => [b.mul(g, b.mul(y, b.sub(1, y)))],
});
export const erf = unary({
  name: 'erf',
  doc: 'Error function 2/sqrt(pi) ∫ exp(-t²) dt from 0 to x.',
  half: 'pointwise',
  scalar: 'erf',
  of: erfOf,
  vjp: (b, { inputs: [x] }, g) => [b.mul(g, b.mul(b.exp(b.neg(b.square(x!))), 2 / Math.sqrt(Math.PI)))],
});
export const sin = unary({
  name: 'sin',
  doc: 'Sine of radians.',
  half: 'pointwise',
  scalar: 'sin',
  of: Math.sin,
  vjp: (b, { inputs: [x] }, g) => [b.mul(g, b.cos(x!))],
});
export const cos = unary({
  name: 'cos',
  doc: 'Cosine of radians.',
  half: 'pointwise',
  scalar: 'cos',
  of: Math.cos,
  vjp: (b, { inputs: [x] }, g) => [b.neg(b.mul(g, b.sin(x!)))],
});
export const logicalNot = unary({
  name: 'logical_not',
  doc: 'True where x is false.',
  scalar: 'not',
  dtypes: ['bool'],
  of: x => (x === 0 ? 1 : 0),
});

/** The identity, lowered to nothing. */
export const detach = define<None>({
  name: 'detach',
  doc: 'The same value, through which no gradient flows.',
  type: inputs => {
    expectInputs('detach', inputs, 1);
    return inputs[0]!;
  },
  vjp: () => [undefined],
  lowering: { kind: 'elementwise', scalar: ([x]) => x! },
  half: 'carries',
  evaluate: ([x]) => x!.data.slice(),
  samples: [{ inputs: [f32(3, 5)], attributes: {}, noGradient: 'it stops the gradient' }],
});

export const isfinite = define<None>({
  name: 'isfinite',
  doc: 'True where x is neither NaN nor infinite, by its bits.',
  type: inputs => {
    expectInputs('isfinite', inputs, 1);
    expectDType('isfinite', inputs, 0, ['f32']);
    return { dtype: 'bool', shape: inputs[0]!.shape };
  },
  vjp: () => [undefined],
  lowering: { kind: 'elementwise', scalar: ([x]) => applyTo('bool', 'isfinite', x!) },
  evaluate: ([x]) => x!.data.map(v => (Number.isFinite(v) ? 1 : 0)),
  samples: [{ inputs: [f32(3, 5)], attributes: {}, special: [Number.NaN, Infinity, -Infinity, 0] }],
});

/** What an integer or bool buffer holds of a result: i32 and u32 wrap. */
export function wrap(value: number, dtype: DType): number {
  if (dtype === 'i32') return value | 0;
  return dtype === 'u32' ? value >>> 0 : value;
}

/** Value conversion: a number is true where it is not 0, f32 to integers truncates and clamps, integers wrap into each other. */
function convert(value: number, from: DType, to: DType): number {
  if (to === 'bool') return value === 0 ? 0 : 1;
  if (from !== 'f32' || to === 'f32') return wrap(value, to);
  if (to === 'u8') return truncateToU32(value) & 0xff;
  return to === 'i32' ? truncateToI32(value) : truncateToU32(value);
}

export const cast = define<{ dtype: DType }>({
  name: 'cast',
  doc: 'Conversion to another dtype; f32 to integers truncates and clamps, a number is true where it is not 0.',
  type: (inputs, { dtype }) => {
    expectInputs('cast', inputs, 1);
    return { dtype, shape: inputs[0]!.shape };
  },
  vjp: () => [undefined],
  lowering: {
    kind: 'elementwise',
    scalar: ([x], { dtype }) => {
      if (dtype === 'f16') throw never('f16 is reached by to_f16');
      return castScalar(dtype === 'u8' ? 'i32' : dtype, x!);
    },
  },
  evaluate: ([x], { dtype }) => x!.data.map(v => convert(v, x!.dtype, dtype)),
  samples: [
    { inputs: [f32(3, 5)], attributes: { dtype: 'i32' }, special: [-1.5, 1.9] },
    { inputs: [f32(3, 5)], attributes: { dtype: 'bool' }, special: [0] },
    { inputs: [{ dtype: 'i32', shape: [7] }], attributes: { dtype: 'f32' } },
    { inputs: [{ dtype: 'i32', shape: [7] }], attributes: { dtype: 'u32' }, domain: [[0, 9]] },
    { inputs: [{ dtype: 'u32', shape: [7] }], attributes: { dtype: 'f32' }, domain: [[0, 9]] },
    { inputs: [{ dtype: 'bool', shape: [7] }], attributes: { dtype: 'f32' }, domain: [[0, 1]] },
    { inputs: [{ dtype: 'u8', shape: [7] }], attributes: { dtype: 'f32' }, domain: [[0, 255]] },
    { inputs: [{ dtype: 'u8', shape: [7] }], attributes: { dtype: 'i32' }, domain: [[0, 255]] },
  ],
});
