/** Activation functions: elementwise, and softmax along one axis. Values and gradients at kinks are PyTorch's. */

import { floorDivDim } from '../../dim/dim.ts';
import type { GraphBuilder, Value } from '../builder.ts';
import { demand, flag, known, number, tensor } from './arguments.ts';
import type { Arguments, TensorFunction } from './function.ts';
import { logSoftmax, softplus } from './numerics.ts';

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

/** 0 where |x| <= bound, else `beyond`, where NaN goes too. */
function within(b: GraphBuilder, x: Value, bound: number, beyond: Value): Value {
  return b.select(b.lessEqual(b.abs(x), bound), 0, beyond);
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
  activation('relu6', '', 'x limited to [0, 6].', (b, x) => clamp(b, x, 0, 6)),
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
  activation('silu', '', 'x * sigmoid(x), also called swish.', (b, x) => b.mul(x, b.sigmoid(x))),
  activation('sigmoid', '', '1 / (1 + exp(-x)).', (b, x) => b.sigmoid(x)),
  activation('tanh', '', 'The hyperbolic tangent.', (b, x) => b.tanh(x)),
  activation('log_sigmoid', '', 'log(sigmoid(x)) = -softplus(-x), without overflow.', (b, x) =>
    b.neg(softplus(b, b.neg(x))),
  ),
  activation(
    'softplus',
    'beta: float = 1',
    'log(1 + exp(beta x)) / beta, a smooth relu; the greater beta, the sharper.',
    (b, x, args) => {
      const beta = number(args, 'beta');
      demand(beta > 0, 'softplus', 'a beta above 0', beta);
      return beta === 1 ? softplus(b, x) : b.div(softplus(b, b.mul(x, beta)), beta);
    },
  ),
  activation('threshold', 'at: float = 0, value: float = 0', 'x where x > at, `value` elsewhere.', (b, x, args) =>
    b.select(b.lessEqual(x, number(args, 'at')), number(args, 'value'), x),
  ),
  activation('softsign', '', 'x / (1 + |x|).', (b, x) => b.div(x, b.add(b.abs(x), 1))),
  activation('mish', '', 'x * tanh(softplus(x)) (Misra, 2019).', (b, x) => b.mul(x, b.tanh(softplus(b, x)))),
  activation('hardtanh', 'min: float = -1, max: float = 1', 'x clipped to [min, max].', (b, x, args) =>
    clamp(b, x, number(args, 'min'), number(args, 'max')),
  ),
  activation('tanhshrink', '', 'x - tanh(x).', (b, x) => b.sub(x, b.tanh(x))),
  activation('softshrink', 'lambda: float = 0.5', 'x moved towards 0 by lambda, 0 within it.', (b, x, args) =>
    within(b, x, number(args, 'lambda'), b.sub(x, b.mul(b.sign(x), number(args, 'lambda')))),
  ),
  activation('hardshrink', 'lambda: float = 0.5', 'x where |x| > lambda, 0 elsewhere.', (b, x, args) =>
    within(b, x, number(args, 'lambda'), x),
  ),
  activation(
    'celu',
    'alpha: float = 1',
    'x where x > 0, alpha * (exp(x / alpha) - 1) elsewhere (Barron, 2017).',
    (b, x, args) => {
      const alpha = number(args, 'alpha');
      demand(alpha > 0, 'celu', 'an alpha above 0', alpha);
      return positive(b, x, x, b.mul(expMinusOne(b, b.div(x, alpha)), alpha));
    },
  ),
  activation('hard_sigmoid', '', 'clip(x / 6 + 1 / 2, 0, 1).', (b, x) => b.div(clamp(b, b.add(x, 3), 0, 6), 6)),
  activation('hard_swish', '', 'x * clip(x / 6 + 1 / 2, 0, 1) (Howard et al., 2019).', (b, x) =>
    b.mul(x, b.div(clamp(b, b.add(x, 3), 0, 6), 6)),
  ),
  activation('softmax', 'axis: int = -1', 'exp(x) normalised to sum 1 along `axis`.', (b, x, args) =>
    b.softmax(x, number(args, 'axis')),
  ),
  activation('softmin', 'axis: int = -1', 'softmax(-x): the least gets the greatest share.', (b, x, args) =>
    b.softmax(b.neg(x), number(args, 'axis')),
  ),
  activation('log_softmax', 'axis: int = -1', 'log(softmax(x)), without ever leaving the logarithm.', (b, x, args) =>
    logSoftmax(b, x, number(args, 'axis')),
  ),
  {
    kind: 'function',
    name: 'glu',
    signature: 'glu(x: [..., N]) -> [..., N / 2] where N % 2 == 0',
    doc: 'a * sigmoid(b) for the two halves a, b of the last axis (Dauphin et al., 2017).',
    example: 'x |> linear(2 * 64) |> glu',
    build: ({ b }, args) => {
      const x = tensor(args, 'x');
      const half = floorDivDim(x.type.shape.at(-1)!, 2);
      const [a, gate] = [0, half].map(start => b.sliceAxis(x, -1, start, half));
      return b.mul(a!, b.sigmoid(gate!));
    },
  },
  {
    kind: 'layer',
    name: 'prelu',
    signature: 'prelu(x: [B, C, ...], channels: bool = false) -> [B, C, ...]',
    doc: 'x where x > 0, weight * x elsewhere; one weight, or one a channel, which starts at 0.25 (He et al., 2015).',
    build: (context, args) => {
      const { b } = context;
      const x = tensor(args, 'x');
      const size = flag(args, 'channels') ? known('prelu', x.type.shape[1]!) : 1;
      const weight = context.parameter('weight', [size], { kind: 'constant', value: 0.25 });
      const shape = x.type.shape.map((_, axis) => (axis === 1 ? size : 1));
      return positive(b, x, x, b.mul(x, b.reshape(weight, shape)));
    },
  },
];
