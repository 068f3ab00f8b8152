/** Elementwise functions of two operands of one shape and dtype, and selection by a condition. */
import type { DType, TensorType } from '../../ir/graph.ts';
import type { ScalarOp } from '../../ir/scalar.ts';
import { applyTo, select as selectScalar } from '../../ir/scalars.ts';
import type { HalfRole, Primitive, Sample } from '../primitive.ts';
import { define, expectDType, expectInputs, expectSameDTypes, expectSameShapes } from './rules.ts';
import { wrap } from './unary.ts';

type None = Record<never, never>;

interface Binary {
  readonly name: string;
  readonly doc: string;
  readonly scalar: ScalarOp;
  readonly of: (x: number, y: number) => number;
  /** For i32 and u32, before wrapping, where it differs. */
  readonly ofIntegers?: (x: number, y: number) => number;
  readonly dtypes?: readonly DType[];
  /** True for comparisons. */
  readonly test?: boolean;
  readonly vjp?: Primitive<None>['vjp'];
  readonly samples?: readonly Omit<Sample<None>, 'inputs' | 'attributes'>[];
  readonly half?: HalfRole;
}

const arithmetic: readonly DType[] = ['f32', 'i32', 'u32'];

function binary(spec: Binary): Primitive<None> {
  const { name, doc, scalar, of, ofIntegers = of, dtypes = arithmetic, test = false, vjp, half, samples = [{}] } = spec;
  return define<None>({
    name,
    doc,
    type: inputs => {
      expectInputs(name, inputs, 2);
      expectDType(name, inputs, 0, dtypes);
      const dtype = expectSameDTypes(name, inputs);
      return { dtype: test ? 'bool' : dtype, shape: expectSameShapes(name, inputs) };
    },
    vjp: vjp ?? (() => [undefined, undefined]),
    lowering: { kind: 'elementwise', scalar: ([x, y]) => applyTo(test ? 'bool' : x!.type, scalar, x!, y!) },
    evaluate: ([x, y], _, { dtype }) => {
      const apply = x!.dtype === 'f32' ? of : ofIntegers;
      return x!.data.map((v, i) => wrap(apply(v, y!.data[i]!), dtype));
    },
    ...(half && { half }),
    samples: dtypes.flatMap(dtype =>
      samples.map(s => ({ inputs: pair(dtype), attributes: {}, ...s, ...domainFor(dtype) })),
    ),
  });
}

function pair(dtype: DType): readonly TensorType[] {
  return [
    { dtype, shape: [3, 5] },
    { dtype, shape: [3, 5] },
  ];
}

function domainFor(dtype: DType): Pick<Sample<None>, 'domain'> {
  if (dtype === 'u32')
    return {
      domain: [
        [4, 9],
        [1, 4],
      ],
    };
  return dtype === 'bool'
    ? {
        domain: [
          [0, 1],
          [0, 1],
        ],
      }
    : {};
}

const tied = [{ special: [1, 1, 0] }];
const withKink = [{}, { special: [0, 1, -1], noGradient: 'a kink where both are equal' }];
const awayFromZero = [
  {
    domain: [
      [-2, 2],
      [1, 3],
    ] as const,
  },
];

export const add = binary({
  name: 'add',
  doc: 'x + y.',
  half: 'pointwise',
  scalar: 'add',
  of: (x, y) => x + y,
  vjp: (_b, _n, g) => [g, g],
});
export const sub = binary({
  name: 'sub',
  doc: 'x - y.',
  half: 'pointwise',
  scalar: 'sub',
  of: (x, y) => x - y,
  vjp: (b, _, g) => [g, b.neg(g)],
});
export const mul = binary({
  name: 'mul',
  doc: 'x * y.',
  half: 'pointwise',
  scalar: 'mul',
  of: (x, y) => x * y,
  ofIntegers: Math.imul,
  vjp: (b, { inputs: [x, y] }, g) => [b.mul(g, y!), b.mul(g, x!)],
});
export const div = binary({
  name: 'div',
  doc: 'x / y; truncated for integers.',
  half: 'pointwise',
  scalar: 'div',
  samples: awayFromZero,
  of: (x, y) => x / y,
  ofIntegers: (x, y) => (y === 0 ? 0 : x / y),
  vjp: (b, { inputs: [, y], output }, g) => {
    const scaled = b.div(g, y!);
    return [scaled, b.neg(b.mul(scaled, output))];
  },
});
export const mod = binary({
  name: 'mod',
  doc: 'Remainder of truncated division, x - y trunc(x / y), of the sign of x.',
  scalar: 'mod',
  samples: awayFromZero,
  of: (x, y) => x % y,
  ofIntegers: (x, y) => (y === 0 ? 0 : x % y),
  vjp: (b, { inputs: [x, y] }, g) => {
    const quotient = b.div(x!, y!);
    const truncated = b.select(b.less(quotient, 0), b.ceil(quotient), b.floor(quotient));
    return [g, b.neg(b.mul(g, truncated))];
  },
});
export const pow = binary({
  name: 'pow',
  doc: 'x to the power y for x of at least 0; d/dy is x^y log x, 0 at x = 0.',
  scalar: 'pow',
  dtypes: ['f32'],
  samples: [
    {
      domain: [
        [0.25, 3],
        [-2, 2],
      ],
    },
  ],
  of: (x, y) => x ** y,
  vjp: (b, { inputs: [x, y], output }, g) => {
    const safe = b.select(b.greater(x!, 0), x!, 1);
    return [b.mul(g, b.mul(y!, b.pow(x!, b.sub(y!, 1)))), b.mul(g, b.mul(output, b.log(safe)))];
  },
});
export const minimum = binary({
  name: 'minimum',
  doc: 'The lesser; NaN if either is. At a tie the gradient goes to y.',
  samples: withKink,
  half: 'pointwise',
  scalar: 'min',
  of: Math.min,
  vjp: (b, { inputs: [x, y] }, g) => {
    const first = b.less(x!, y!);
    return [b.select(first, g, 0), b.select(first, 0, g)];
  },
});
export const maximum = binary({
  name: 'maximum',
  doc: 'The greater; NaN if either is. At a tie the gradient goes to y, so that relu = maximum(x, 0) has 0 at 0.',
  samples: withKink,
  half: 'pointwise',
  scalar: 'max',
  of: Math.max,
  vjp: (b, { inputs: [x, y] }, g) => {
    const first = b.less(y!, x!);
    return [b.select(first, g, 0), b.select(first, 0, g)];
  },
});

const truth = (t: boolean) => (t ? 1 : 0);

export const less = binary({
  name: 'less',
  doc: 'x < y.',
  scalar: 'lt',
  test: true,
  samples: tied,
  of: (x, y) => truth(x < y),
});
export const lessEqual = binary({
  name: 'less_equal',
  doc: 'x <= y.',
  scalar: 'le',
  test: true,
  samples: tied,
  of: (x, y) => truth(x <= y),
});
export const equal = binary({
  name: 'equal',
  doc: 'x = y; NaN equals nothing.',
  scalar: 'eq',
  test: true,
  dtypes: [...arithmetic, 'bool'],
  samples: tied,
  of: (x, y) => truth(x === y),
});
export const notEqual = binary({
  name: 'not_equal',
  doc: 'x differs from y; NaN differs from everything.',
  scalar: 'ne',
  test: true,
  dtypes: [...arithmetic, 'bool'],
  samples: tied,
  of: (x, y) => truth(x !== y),
});
export const logicalAnd = binary({
  name: 'logical_and',
  doc: 'Both.',
  scalar: 'and',
  dtypes: ['bool'],
  of: (x, y) => x * y,
});
export const logicalOr = binary({
  name: 'logical_or',
  doc: 'Either.',
  scalar: 'or',
  dtypes: ['bool'],
  of: Math.max,
});

export const select = define<None>({
  name: 'select',
  doc: 'x where the condition holds, else y; the one not chosen never reaches the result, NaN or not.',
  type: inputs => {
    expectInputs('select', inputs, 3);
    expectDType('select', inputs, 0, ['bool']);
    return { dtype: expectSameDTypes('select', inputs, 1), shape: expectSameShapes('select', inputs) };
  },
  vjp: (b, { inputs: [condition] }, g) => [undefined, b.select(condition!, g, 0), b.select(condition!, 0, g)],
  lowering: { kind: 'elementwise', scalar: ([condition, x, y]) => selectScalar(condition!, x!, y!) },
  half: 'pointwise',
  evaluate: ([condition, x, y]) => condition!.data.map((c, i) => (c === 0 ? y! : x!).data[i]!),
  samples: (['f32', 'i32'] as const).map(dtype => ({
    inputs: [{ dtype: 'bool', shape: [3, 5] }, ...pair(dtype)],
    attributes: {},
    domain: [
      [0, 1],
      [-2, 2],
      [-2, 2],
    ],
  })),
});
