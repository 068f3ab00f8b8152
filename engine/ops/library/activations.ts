/** Activation functions: elementwise, and softmax along one axis. Values and gradients at kinks are PyTorch's. */
import type { GraphBuilder, Value } from '../builder.ts';
import { flag, number, tensor } from './arguments.ts';
import type { Arguments, TensorFunction } from './function.ts';
import { logSoftmax, sigmoid, softmax, softplus } from './numerics.ts';

type Rule = (b: GraphBuilder, x: Value, args: Arguments) => Value;

/** An elementwise function of `x` with `hyperparameters` in header syntax. */
function activation(name: string, hyperparameters: string, doc: string, rule: Rule): TensorFunction {
  const signature = `${name}(x: [...]${hyperparameters && `, ${hyperparameters}`}) -> [...]`;
  return { kind: 'function', name, signature, doc, build: ({ b }, args) => rule(b, tensor(args, 'x'), args) };
}

/** `yes` where x > 0, else `no`. */
function positive(b: GraphBuilder, x: Value, yes: Value, no: Value): Value {
  return b.select(b.greater(x, 0), yes, no);
}

/** exp(x) - 1 for x <= 0, and 0 above, so that the unused branch can't overflow; at 0 itself the gradient is 1. */
function expMinusOne(b: GraphBuilder, x: Value): Value {
  return b.sub(b.exp(positive(b, x, b.fill(0, x), x)), 1);
}

function clamp(b: GraphBuilder, x: Value, low: number, high: number): Value {
  return b.minimum(b.maximum(x, low), high);
}

const [SELU_ALPHA, SELU_SCALE] = [1.6732632423543772, 1.0507009873554805];

export const activations: readonly TensorFunction[] = [
  activation('relu', '', 'max(x, 0); the gradient at 0 is 0.', (b, x) => b.maximum(x, 0)),
  activation('leaky_relu', 'slope: float = 0.01', 'x where x > 0, slope * x elsewhere.', (b, x, args) =>
    positive(b, x, x, b.mul(x, number(args, 'slope'))),
  ),
  activation(
    'elu',
    'alpha: float = 1',
    'x where x > 0, alpha * (exp(x) - 1) elsewhere (Clevert et al., 2015).',
    (b, x, args) => positive(b, x, x, b.mul(expMinusOne(b, x), number(args, 'alpha'))),
  ),
  activation('selu', '', 'The self-normalising elu: scale 1.0507, alpha 1.6733 (Klambauer et al., 2017).', (b, x) =>
    b.mul(positive(b, x, x, b.mul(expMinusOne(b, x), SELU_ALPHA)), SELU_SCALE),
  ),
  activation(
    'gelu',
    'tanh: bool = false',
    'x * (1 + erf(x / sqrt 2)) / 2 (Hendrycks and Gimpel, 2016); with tanh: true its approximation.',
    (b, x, args) => {
      const cubic = () => b.mul(b.add(x, b.mul(b.pow(x, 3), 0.044715)), Math.sqrt(2 / Math.PI));
      const bell = flag(args, 'tanh') ? b.tanh(cubic()) : b.erf(b.mul(x, Math.SQRT1_2));
      return b.mul(b.mul(x, 0.5), b.add(bell, 1));
    },
  ),
  activation('silu', '', 'x * sigmoid(x), also called swish.', (b, x) => b.mul(x, sigmoid(b, x))),
  activation('sigmoid', '', '1 / (1 + exp(-x)).', sigmoid),
  activation('tanh', '', 'The hyperbolic tangent.', (b, x) => b.tanh(x)),
  activation('softplus', '', 'log(1 + exp(x)), a smooth relu.', softplus),
  activation('softsign', '', 'x / (1 + |x|).', (b, x) => b.div(x, b.add(b.abs(x), 1))),
  activation('mish', '', 'x * tanh(softplus(x)) (Misra, 2019).', (b, x) => b.mul(x, b.tanh(softplus(b, x)))),
  activation('hardtanh', 'min: float = -1, max: float = 1', 'x clipped to [min, max].', (b, x, args) =>
    clamp(b, x, number(args, 'min'), number(args, 'max')),
  ),
  activation('hard_sigmoid', '', 'clip(x / 6 + 1 / 2, 0, 1).', (b, x) => b.div(clamp(b, b.add(x, 3), 0, 6), 6)),
  activation('hard_swish', '', 'x * clip(x / 6 + 1 / 2, 0, 1) (Howard et al., 2019).', (b, x) =>
    b.mul(x, b.div(clamp(b, b.add(x, 3), 0, 6), 6)),
  ),
  activation('softmax', 'axis: int = -1', 'exp(x) normalised to sum 1 along `axis`.', (b, x, args) =>
    softmax(b, x, number(args, 'axis')),
  ),
  activation('log_softmax', 'axis: int = -1', 'log(softmax(x)), without ever leaving the logarithm.', (b, x, args) =>
    logSoftmax(b, x, number(args, 'axis')),
  ),
];
