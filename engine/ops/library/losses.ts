/** Losses: means over all leading axes, as PyTorch's `reduction='mean'`. */
import type { GraphBuilder, Value } from '../builder.ts';
import { demand, flag, number, operand, tensor } from './arguments.ts';
import type { Arguments, TensorFunction } from './function.ts';
import { hits, logSoftmax, mean, softplus } from './numerics.ts';

type Rule = (b: GraphBuilder, args: Arguments) => Value;

function loss(name: string, parameters: string, doc: string, rule: Rule): TensorFunction {
  return { kind: 'loss', name, signature: `${name}(${parameters}) -> []`, doc, build: ({ b }, args) => rule(b, args) };
}

const pair = 'prediction: [...], target: [...]';

function difference(b: GraphBuilder, args: Arguments): Value {
  return b.sub(tensor(args, 'prediction'), operand(args, 'target'));
}

/**
 * -log p[target], and with smoothing s: (1 - s) * that - s * mean over classes of log p. logits f32 [..., C], target i32 [...].
 */
export function crossEntropy(b: GraphBuilder, logits: Value, target: Value, smoothing = 0): Value {
  const logp = logSoftmax(b, logits);
  const picked = b.sum(b.select(hits(b, target, logits.type.shape.at(-1)!), logp, 0), { axes: [-1] });
  const nll = b.neg(mean(b, picked));
  return smoothing === 0 ? nll : b.sub(b.mul(nll, 1 - smoothing), b.mul(mean(b, logp), smoothing));
}

/** With p = sigmoid(x): -t log p - (1 - t) log(1 - p) = softplus(x) - x t. */
function binaryFromLogits(b: GraphBuilder, args: Arguments): Value {
  const x = tensor(args, 'prediction');
  return mean(b, b.sub(softplus(b, x), b.mul(x, operand(args, 'target'))));
}

/** Logarithms are held at -100 or above, as PyTorch's, so that a certain mistake costs 100 and not infinity. */
function binaryFromProbabilities(b: GraphBuilder, args: Arguments): Value {
  const [p, t] = [tensor(args, 'prediction'), operand(args, 'target')];
  const log = (v: Value) => b.maximum(b.log(v), -100);
  return b.neg(mean(b, b.add(b.mul(log(p), t), b.mul(log(b.sub(1, p)), b.sub(b.fill(1, p), t)))));
}

/** d^2 / 2 where |d| <= delta, else delta (|d| - delta / 2) (Huber, 1964). */
function huber(b: GraphBuilder, d: Value, delta: number): Value {
  const size = b.abs(d);
  return b.select(b.lessEqual(size, delta), b.mul(b.square(d), 0.5), b.mul(b.sub(size, delta / 2), delta));
}

/** q (log q - log p), where 0 log 0 is 0. */
function divergence(b: GraphBuilder, logp: Value, q: Value): Value {
  const certain = b.greater(q, 0);
  return b.select(certain, b.mul(q, b.sub(b.log(b.select(certain, q, 1)), logp)), 0);
}

export const losses: readonly TensorFunction[] = [
  {
    ...loss(
      'cross_entropy',
      'logits: [..., C], target: index(C)[...], smoothing: float = 0',
      '-log softmax(logits)[target]; `smoothing` spreads that share of the target over all classes. Takes logits: no softmax before it.',
      (b, args) => {
        const smoothing = number(args, 'smoothing');
        demand(smoothing >= 0 && smoothing <= 1, 'cross_entropy', 'a smoothing from 0 to 1', smoothing);
        return crossEntropy(b, tensor(args, 'logits'), tensor(args, 'target'), smoothing);
      },
    ),
    example: 'minimize cross_entropy(logits, label)',
  },
  loss(
    'bce',
    `${pair}, logits: bool = true`,
    '-t log p - (1 - t) log(1 - p) with p = sigmoid(prediction); with `logits: false` the prediction is the probability p itself.',
    (b, args) => (flag(args, 'logits') ? binaryFromLogits(b, args) : binaryFromProbabilities(b, args)),
  ),
  loss('mse', pair, '(prediction - target)^2.', (b, args) => mean(b, b.square(difference(b, args)))),
  loss('mae', pair, '|prediction - target|.', (b, args) => mean(b, b.abs(difference(b, args)))),
  loss(
    'huber',
    `${pair}, delta: float = 1`,
    'd^2 / 2 for |d| <= delta, delta (|d| - delta / 2) beyond (Huber, 1964).',
    (b, args) => {
      demand(number(args, 'delta') > 0, 'huber', 'a delta above 0', number(args, 'delta'));
      return mean(b, huber(b, difference(b, args), number(args, 'delta')));
    },
  ),
  loss(
    'kl',
    'log_prediction: [..., C], target: [..., C]',
    "The divergence sum of q (log q - log p) a distribution, from log-probabilities p and probabilities q; PyTorch's kl_div with 'batchmean'.",
    (b, args) => mean(b, b.sum(divergence(b, tensor(args, 'log_prediction'), tensor(args, 'target')), { axes: [-1] })),
  ),
  loss('hinge', pair, 'max(0, 1 - prediction * target) for targets -1 and 1.', (b, args) =>
    mean(b, b.maximum(b.sub(1, b.mul(tensor(args, 'prediction'), operand(args, 'target'))), 0)),
  ),
];
