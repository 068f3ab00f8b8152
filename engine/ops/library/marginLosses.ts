/** Losses of margins, of pairs and of hard samples, as torch.nn and torchvision have them. */
import type { GraphBuilder, Value } from '../builder.ts';
import { demand, number, operand, tensor } from './arguments.ts';
import type { Arguments, TensorFunction } from './function.ts';
import { binaryFromLogits, elementwise, loss } from './losses.ts';
import { hits, mean, softplus } from './numerics.ts';

/** Per sample the mean over all classes of max(0, margin - x[target] + x[c])^power, the target itself left out. */
function multiMargin(b: GraphBuilder, args: Arguments): Value {
  const [margin, power] = [number(args, 'margin'), number(args, 'power')];
  demand(power === 1 || power === 2, 'multi_margin', 'a power of 1 or 2', power);
  const logits = tensor(args, 'logits');
  const hit = hits(b, tensor(args, 'target'), logits.type.shape.at(-1)!);
  const own = b.sum(b.select(hit, logits, 0), { axes: [-1], keep: true });
  const over = b.maximum(b.add(b.sub(logits, own), margin), 0);
  return mean(b, b.select(hit, 0, power === 1 ? over : b.square(over)));
}

/** The cosine with 1e-12 added to each squared norm, as torch.nn.CosineEmbeddingLoss has it. */
function cosine(b: GraphBuilder, x: Value, y: Value): Value {
  const along = (v: Value): Value => b.sum(v, { axes: [-1] });
  const square = (v: Value): Value => b.add(along(b.square(v)), 1e-12);
  return b.div(along(b.mul(x, y)), b.sqrt(b.mul(square(x), square(y))));
}

/** alpha_t (1 - p_t)^gamma times the binary cross entropy, where p_t is the probability of the target and alpha_t its share. */
function focal(b: GraphBuilder, args: Arguments): Value {
  const [alpha, gamma] = [number(args, 'alpha'), number(args, 'gamma')];
  demand(gamma >= 0, 'focal', 'a gamma of at least 0', gamma);
  const x = tensor(args, 'prediction');
  const t = b.add(b.fill(0, x), operand(args, 'target'));
  const p = b.sigmoid(x);
  // 1 - p_t = p + t - 2 p t.
  const miss = b.maximum(b.sub(b.add(p, t), b.mul(b.mul(p, t), 2)), 0);
  const hard = gamma === 0 ? b.fill(1, x) : gamma === 1 ? miss : gamma === 2 ? b.square(miss) : b.pow(miss, gamma);
  const share = alpha < 0 ? hard : b.mul(hard, b.add(b.mul(t, 2 * alpha - 1), 1 - alpha));
  return b.mul(share, binaryFromLogits(b, x, t, 1));
}

/** Half of log v + (mean - target)^2 / v; v is held at eps or above, and has its gradient there all the same. */
function gaussian(b: GraphBuilder, args: Arguments): Value {
  const given = tensor(args, 'variance');
  const v = b.add(given, b.detach(b.sub(b.maximum(given, number(args, 'eps')), given)));
  const error = b.square(b.sub(tensor(args, 'prediction'), tensor(args, 'target')));
  return mean(b, b.mul(b.add(b.log(v), b.div(error, v)), 0.5));
}

export const marginLosses: readonly TensorFunction[] = [
  elementwise(
    'focal',
    'alpha: float = 0.25, gamma: float = 2',
    'Binary cross entropy of logits times alpha_t (1 - p_t)^gamma, which makes little of samples that are right already (Lin et al., 2017); `alpha` is the share of the ones, below 0 there are no shares.',
    focal,
    { reads: () => 'odds' },
  ),
  elementwise('soft_margin', '', 'log(1 + exp(-target * prediction)) for targets -1 and 1.', (b, args) =>
    softplus(b, b.neg(b.mul(tensor(args, 'prediction'), operand(args, 'target')))),
  ),
  elementwise(
    'hinge_embedding',
    'margin: float = 1',
    'A distance where the target is 1, max(0, margin - distance) where it is -1.',
    (b, args) => {
      const x = tensor(args, 'prediction');
      const alike = b.greater(b.add(b.fill(0, x), operand(args, 'target')), 0);
      return b.select(alike, x, b.maximum(b.sub(number(args, 'margin'), x), 0));
    },
  ),
  loss(
    'gaussian_nll',
    'prediction: [...], variance: [...], target: [...], eps: float = 1e-6',
    '(log variance + (prediction - target)^2 / variance) / 2, with the variance held at `eps` or above: a normal distribution of the target whose spread is predicted too (Nix and Weigend, 1994).',
    gaussian,
    { example: 'minimize gaussian_nll(y, spread |> softplus, target)' },
  ),
  loss(
    'multi_margin',
    'logits: [..., C], target: index(C)[...], margin: float = 1, power: int = 1',
    'The mean over classes other than the target of max(0, margin - x[target] + x[c])^power, divided by all classes; `power` is 1 or 2.',
    multiMargin,
    { reads: () => 'scores' },
  ),
  loss(
    'margin_ranking',
    'x: [...], y: [...], target: [...], margin: float = 0',
    'max(0, -target * (x - y) + margin): with target 1 x has to be the greater, with -1 y.',
    (b, args) => {
      const gap = b.mul(b.sub(tensor(args, 'x'), tensor(args, 'y')), tensor(args, 'target'));
      return mean(b, b.maximum(b.sub(number(args, 'margin'), gap), 0));
    },
  ),
  loss(
    'cosine_embedding',
    'x: [..., D], y: [..., D], target: [...], margin: float = 0',
    '1 - cos(x, y) where the target is 1, max(0, cos(x, y) - margin) where it is -1.',
    (b, args) => {
      const near = cosine(b, tensor(args, 'x'), tensor(args, 'y'));
      const apart = b.maximum(b.sub(near, number(args, 'margin')), 0);
      return mean(b, b.select(b.greater(tensor(args, 'target'), 0), b.sub(1, near), apart));
    },
  ),
];
