/** Elementwise mathematics with names; the operators `+ - * / %` and comparisons are primitives of the language itself. */
import type { GraphBuilder, Value } from '../builder.ts';
import { demand, number, optionalNumber, tensor } from './arguments.ts';
import type { Arguments, TensorFunction } from './function.ts';

function pointwise(
  name: string,
  hyperparameters: string,
  doc: string,
  rule: (b: GraphBuilder, x: Value, args: Arguments) => Value,
  example?: string,
): TensorFunction {
  const signature = `${name}(x: [...]${hyperparameters && `, ${hyperparameters}`}) -> [...]`;
  const build: TensorFunction['build'] = ({ b }, args) => rule(b, tensor(args, 'x'), args);
  return { kind: 'function', name, signature, doc, ...(example && { example }), build };
}

/** At the bounds themselves the gradient is 0, as PyTorch's. */
function clamp(b: GraphBuilder, x: Value, low: number | undefined, high: number | undefined): Value {
  const raised = low === undefined ? x : b.maximum(x, low);
  return high === undefined ? raised : b.minimum(raised, high);
}

/** What `near` makes of x within `bound` of 0 and `far` elsewhere; `near` sees 0 there, so that its gradient stays finite. */
function around(b: GraphBuilder, x: Value, bound: number, near: (x: Value) => Value, far: (x: Value) => Value): Value {
  const within = b.less(b.abs(x), bound);
  return b.select(within, near(b.select(within, x, 0)), far(x));
}

/** Below 1/4 it is 2 artanh(s) with s = x / (2 + x) by its series up to s^13: 1 + x would lose the digits of x. */
function log1p(b: GraphBuilder, x: Value): Value {
  const artanh = (s: Value): Value => {
    const square = b.square(s);
    const odd = [11, 9, 7, 5, 3, 1].reduce<Value>((sum, n) => b.add(b.mul(sum, square), 1 / n), b.fill(1 / 13, s));
    return b.mul(s, odd);
  };
  const near = (z: Value): Value => b.mul(artanh(b.div(z, b.add(z, 2))), 2);
  return around(b, x, 0.25, near, far => b.log(b.add(far, 1)));
}

/** Below 1/2 it is the series x + x^2 / 2! + … up to x^11: exp(x) - 1 would lose the digits of x. */
function expm1(b: GraphBuilder, x: Value): Value {
  const near = (z: Value): Value => {
    const inner = [10, 9, 8, 7, 6, 5, 4, 3, 2].reduce<Value>(
      (sum, n) => b.add(b.mul(b.mul(z, 1 / n), sum), 1),
      b.add(b.mul(z, 1 / 11), 1),
    );
    return b.mul(z, inner);
  };
  return around(b, x, 0.5, near, far => b.sub(b.exp(far), 1));
}

export const pointwiseFunctions: readonly TensorFunction[] = [
  pointwise('exp', '', 'e to the power x.', (b, x) => b.exp(x)),
  pointwise('log', '', 'The natural logarithm.', (b, x) => b.log(x)),
  pointwise('log1p', '', 'log(1 + x), accurate near 0 too.', log1p, 'counts |> log1p'),
  pointwise('expm1', '', 'exp(x) - 1, accurate near 0 too.', expm1, 'x |> expm1'),
  pointwise('sqrt', '', 'The square root.', (b, x) => b.sqrt(x)),
  pointwise('abs', '', '|x|; the gradient at 0 is 0.', (b, x) => b.abs(x)),
  pointwise('sign', '', '-1, 0 or 1.', (b, x) => b.sign(x)),
  pointwise('sin', '', 'The sine of x in radians.', (b, x) => b.sin(x)),
  pointwise('cos', '', 'The cosine of x in radians.', (b, x) => b.cos(x)),
  pointwise('erf', '', 'The error function.', (b, x) => b.erf(x)),
  pointwise('tan', '', 'The tangent of x in radians.', (b, x) => b.div(b.sin(x), b.cos(x))),
  pointwise('rsqrt', '', '1 / sqrt(x).', (b, x) => b.div(1, b.sqrt(x))),
  pointwise('ceil', '', 'The least whole number not below x.', (b, x) => b.neg(b.floor(b.neg(x)))),
  pointwise('floor', '', 'The greatest whole number not above x.', (b, x) => b.floor(x)),
  pointwise('round', '', 'The nearest whole number, ties to even.', (b, x) => b.round(x)),
  pointwise('square', '', 'x * x.', (b, x) => b.square(x)),
  pointwise(
    'pow',
    'exponent: float',
    'x to the power `exponent`.',
    (b, x, args) => (number(args, 'exponent') === 0 ? b.fill(1, x) : b.pow(x, number(args, 'exponent'))),
    'x |> pow(1.5)',
  ),
  pointwise(
    'clamp',
    'min?: float, max?: float',
    'x limited to [min, max]; either bound may be left out.',
    (b, x, args) => {
      const [low, high] = [optionalNumber(args, 'min'), optionalNumber(args, 'max')];
      demand(low === undefined || high === undefined || low <= high, 'clamp', 'min <= max', `${low} and ${high}`);
      return clamp(b, x, low, high);
    },
  ),
  pointwise('detach', '', 'x itself, through which no gradient flows.', (b, x) => b.detach(x)),
];
