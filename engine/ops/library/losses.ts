/** Losses: means over all leading axes, as PyTorch's `reduction='mean'`; with `where`, over the elements that it holds true. */
import type { GraphBuilder, Operand, Value } from '../builder.ts';
import { demand, flag, number, operand, optionalTensor, tensor } from './arguments.ts';
import { ctcLoss } from './ctc.ts';
import type { Arguments, TensorFunction } from './function.ts';
import { hits, logSoftmax, mean, meanWhere, softplus } from './numerics.ts';

type Rule = (b: GraphBuilder, args: Arguments) => Value;
type LossDetails = Pick<TensorFunction, 'example' | 'reads'>;

export function loss(
  name: string,
  parameters: string,
  doc: string,
  rule: Rule,
  more: LossDetails = {},
): TensorFunction {
  return {
    kind: 'loss',
    name,
    signature: `${name}(${parameters}) -> []`,
    doc,
    ...more,
    build: ({ b }, args) => rule(b, args),
  };
}

/** An elementwise loss of a prediction and a target of its shape. */
export function elementwise(
  name: string,
  hyperparameters: string,
  doc: string,
  rule: Rule,
  more: LossDetails = {},
): TensorFunction {
  const parameters = `prediction: [...], target: [...]${hyperparameters && `, ${hyperparameters}`}, where?: bool[...]`;
  return loss(name, parameters, doc, (b, args) => meanWhere(b, rule(b, args), optionalTensor(args, 'where')), more);
}

function difference(b: GraphBuilder, args: Arguments): Value {
  return b.sub(tensor(args, 'prediction'), operand(args, 'target'));
}

export interface CrossEntropyOptions {
  readonly smoothing?: number;
  /** f32 [C]: what a sample of each class counts. */
  readonly weights?: Value | undefined;
  /** bool [...]: the samples that count. */
  readonly where?: Value | undefined;
}

/**
 * With class weights w and smoothing s: the sum of (1 - s) w[y] * -log p[y] + s / C * sum over c of w[c] * -log p[c], over the sum of
 * w[y], as torch.nn.CrossEntropyLoss. logp f32 [..., C], target i32 [...].
 */
export function negativeLogLikelihood(
  b: GraphBuilder,
  logp: Value,
  target: Value,
  options: CrossEntropyOptions,
): Value {
  const { smoothing = 0, weights, where } = options;
  const classes = logp.type.shape.at(-1)!;
  const hit = hits(b, target, classes);
  const weighted = weights === undefined ? logp : b.mul(logp, weights);
  const picked = b.neg(b.sum(b.select(hit, weighted, 0), { axes: [-1] }));
  const smooth = smoothing === 0 ? picked : smoothed(b, picked, weighted, smoothing);
  if (weights === undefined) return meanWhere(b, smooth, where);
  const own = b.sum(b.select(hit, b.broadcast(weights, logp.type.shape), 0), { axes: [-1] });
  const counted = (x: Value): Value => b.sum(where === undefined ? x : b.select(where, x, 0));
  return b.div(counted(smooth), b.maximum(counted(own), 1e-12));
}

function smoothed(b: GraphBuilder, picked: Value, logp: Value, smoothing: number): Value {
  return b.sub(b.mul(picked, 1 - smoothing), b.mul(mean(b, logp, { axes: [-1] }), smoothing));
}

/** The cross entropy of logits f32 [..., C] and classes i32 [...]. */
export function crossEntropy(b: GraphBuilder, logits: Value, target: Value, options: CrossEntropyOptions = {}): Value {
  return negativeLogLikelihood(b, logSoftmax(b, logits), target, options);
}

const softCrossEntropy: Rule = (b, args) => {
  const terms = b.mul(tensor(args, 'target'), logSoftmax(b, tensor(args, 'logits')));
  return meanWhere(b, b.neg(b.sum(terms, { axes: [-1] })), optionalTensor(args, 'where'));
};

/** With p = sigmoid(x) and a positive weight w: -w t log p - (1 - t) log(1 - p) = (1 + (w - 1) t) softplus(-x) + (1 - t) x. */
export function binaryFromLogits(b: GraphBuilder, x: Value, t: Operand, weight: number): Value {
  if (weight === 1) return b.sub(softplus(b, x), b.mul(x, t));
  const scale = b.add(b.mul(b.add(b.fill(0, x), t), weight - 1), 1);
  return b.add(b.mul(scale, softplus(b, b.neg(x))), b.mul(b.sub(b.fill(1, x), t), x));
}

/**
 * Logarithms are held at -100 or above, as PyTorch's, so that a certain mistake costs 100 and not infinity; and so is p (1 - p) at 1e-12
 * in the gradient ((1 - t) p - w t (1 - p)) / (p (1 - p)), which would be NaN where a sigmoid has saturated.
 */
function binaryFromProbabilities(b: GraphBuilder, p: Value, t: Operand, weight: number): Value {
  const log = (v: Value) => b.maximum(b.log(v), -100);
  const q = b.detach(p);
  const [positive, negative] = [b.mul(b.add(b.fill(0, p), t), weight), b.sub(b.fill(1, p), t)];
  const value = b.neg(b.add(b.mul(log(q), positive), b.mul(log(b.sub(1, q)), negative)));
  const spread = b.maximum(b.mul(q, b.sub(1, q)), 1e-12);
  const slope = b.detach(b.div(b.sub(b.mul(negative, q), b.mul(positive, b.sub(1, q))), spread));
  return b.add(value, b.mul(slope, b.sub(p, q)));
}

const binary: Rule = (b, args) => {
  const weight = number(args, 'positive_weight');
  demand(weight > 0, 'bce', 'a positive_weight above 0', weight);
  const rule = flag(args, 'logits') ? binaryFromLogits : binaryFromProbabilities;
  return rule(b, tensor(args, 'prediction'), operand(args, 'target'), weight);
};

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

/** x · y / (|x| |y|) over the last axis; each norm is held at 1e-8 or above, as PyTorch's, so that vectors of zeros have a gradient. */
export function cosineSimilarity(b: GraphBuilder, x: Value, y: Value): Value {
  const along = (v: Value): Value => b.sum(v, { axes: [-1] });
  const norm = (v: Value): Value => b.sqrt(b.maximum(along(b.square(v)), 1e-16));
  return b.div(along(b.mul(x, y)), b.mul(norm(x), norm(y)));
}

/** |x - y| over the last axis; 1e-6 is added to each difference, as PyTorch's pairwise_distance, so that equal vectors have a gradient. */
function distance(b: GraphBuilder, x: Value, y: Value): Value {
  return b.sqrt(b.sum(b.square(b.add(b.sub(x, y), 1e-6)), { axes: [-1] }));
}

const triplet: Rule = (b, args) => {
  const [anchor, positive, negative] = ['anchor', 'positive', 'negative'].map(name => tensor(args, name));
  const gap = b.sub(distance(b, anchor!, positive!), distance(b, anchor!, negative!));
  return mean(b, b.maximum(b.add(gap, number(args, 'margin')), 0));
};

function crossEntropyRule(b: GraphBuilder, args: Arguments): Value {
  const smoothing = number(args, 'smoothing');
  demand(smoothing >= 0 && smoothing <= 1, 'cross_entropy', 'a smoothing from 0 to 1', smoothing);
  const [weights, where] = [optionalTensor(args, 'weights'), optionalTensor(args, 'where')];
  return crossEntropy(b, tensor(args, 'logits'), tensor(args, 'target'), { smoothing, weights, where });
}

const classification = [
  loss(
    'cross_entropy',
    'logits: [..., C], target: index(C)[...], smoothing: float = 0, weights?: [C], where?: bool[...]',
    '-log softmax(logits)[target]; `smoothing` spreads that share of the target over all classes, `weights` says what each class counts, `where` which samples do. Takes logits: no softmax before it.',
    crossEntropyRule,
    { example: 'minimize cross_entropy(logits, label)', reads: () => 'scores' },
  ),
  loss(
    'soft_cross_entropy',
    'logits: [..., C], target: [..., C], where?: bool[...]',
    '-sum of target log softmax(logits): cross entropy with probabilities as the target, as in distillation.',
    softCrossEntropy,
    { example: 'minimize soft_cross_entropy(logits, teacher |> softmax)', reads: () => 'scores' },
  ),
  loss(
    'nll',
    'log_prediction: [..., C], target: index(C)[...], weights?: [C], where?: bool[...]',
    '-log_prediction[target]: cross entropy of what log_softmax gave.',
    (b, args) =>
      negativeLogLikelihood(b, tensor(args, 'log_prediction'), tensor(args, 'target'), {
        weights: optionalTensor(args, 'weights'),
        where: optionalTensor(args, 'where'),
      }),
    { reads: () => 'logs' },
  ),
  loss(
    'ctc',
    'logits: [B, T, C], target: index(C)[B, S], blank: int = 0, input_length?: int[B], target_length?: int[B], zero_infinity: bool = false',
    '-log of the probability of all alignments of `target` with the steps of `logits`, over the length of the target (Graves et al., 2006). Takes logits; lengths say how much of padded rows counts. A target that no alignment fits has an infinite loss; with `zero_infinity` it counts as 0, without a gradient.',
    ctcLoss,
    { reads: () => 'scores' },
  ),
];

const regression = [
  elementwise('mse', '', '(prediction - target)^2.', (b, args) => b.square(difference(b, args))),
  elementwise('mae', '', '|prediction - target|.', (b, args) => b.abs(difference(b, args))),
  elementwise(
    'huber',
    'delta: float = 1',
    'd^2 / 2 for |d| <= delta, delta (|d| - delta / 2) beyond (Huber, 1964).',
    (b, args) => {
      demand(number(args, 'delta') > 0, 'huber', 'a delta above 0', number(args, 'delta'));
      return huber(b, difference(b, args), number(args, 'delta'));
    },
  ),
  elementwise(
    'smooth_l1',
    'beta: float = 1',
    'd^2 / (2 beta) for |d| <= beta, |d| - beta / 2 beyond: huber over its delta.',
    (b, args) => {
      const beta = number(args, 'beta');
      demand(beta > 0, 'smooth_l1', 'a beta above 0', beta);
      return b.div(huber(b, difference(b, args), beta), beta);
    },
  ),
  elementwise(
    'poisson',
    '',
    'exp(prediction) - target * prediction: counts, predicted by their logarithm.',
    (b, args) => b.sub(b.exp(tensor(args, 'prediction')), b.mul(tensor(args, 'prediction'), operand(args, 'target'))),
    { reads: () => 'count' },
  ),
];

export const losses: readonly TensorFunction[] = [
  ...classification,
  elementwise(
    'bce',
    'logits: bool = true, positive_weight: float = 1',
    '-t log p - (1 - t) log(1 - p) with p = sigmoid(prediction); with `logits: false` the prediction is the probability p itself. `positive_weight` is what a target of 1 counts.',
    binary,
    { reads: args => (flag(args, 'logits') ? 'odds' : 'probability') },
  ),
  ...regression,
  loss(
    'kl',
    'log_prediction: [..., C], target: [..., C]',
    "The divergence sum of q (log q - log p) a distribution, from log-probabilities p and probabilities q; PyTorch's kl_div with 'batchmean'.",
    (b, args) => mean(b, b.sum(divergence(b, tensor(args, 'log_prediction'), tensor(args, 'target')), { axes: [-1] })),
    { reads: () => 'logs' },
  ),
  elementwise('hinge', '', 'max(0, 1 - prediction * target) for targets -1 and 1.', (b, args) =>
    b.maximum(b.sub(1, b.mul(tensor(args, 'prediction'), operand(args, 'target'))), 0),
  ),
  loss(
    'cosine',
    'prediction: [..., D], target: [..., D]',
    '1 - the cosine of the angle between the two vectors.',
    (b, args) => mean(b, b.sub(1, cosineSimilarity(b, tensor(args, 'prediction'), tensor(args, 'target')))),
  ),
  loss(
    'triplet',
    'anchor: [..., D], positive: [..., D], negative: [..., D], margin: float = 1',
    'max(0, |anchor - positive| - |anchor - negative| + margin) (Schroff et al., 2015).',
    triplet,
  ),
];
