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

export const pointwiseFunctions: readonly TensorFunction[] = [
  pointwise('exp', '', 'e to the power x.', (b, x) => b.exp(x)),
  pointwise('log', '', 'The natural logarithm.', (b, x) => b.log(x)),
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
