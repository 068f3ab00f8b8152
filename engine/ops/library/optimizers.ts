/** Optimisers over one flat buffer, elementwise: each fuses into one kernel. The rules, and the places of eps, are those of torch.optim. */
import type { GraphBuilder, Value } from '../builder.ts';
import type { OptimizerFunction } from './function.ts';

type Args = Readonly<Record<string, number | boolean>>;

function num(args: Args, name: string): number {
  return Number(args[name]);
}

/** PyTorch's L2 form of weight decay: g + decay * p. */
function decayed(b: GraphBuilder, g: Value, p: Value, args: Args): Value {
  const decay = num(args, 'weight_decay');
  return decay === 0 ? g : b.add(g, b.mul(p, decay));
}

/** The moving average beta * old + (1 - beta) * x. */
function average(b: GraphBuilder, old: Value, x: Value, beta: number): Value {
  return b.add(b.mul(old, beta), b.mul(x, 1 - beta));
}

/**
 * 1 - beta^t for t = 1, 2, … (f32 scalar). With y = -t ln beta this is 1 - exp(-y); below y = 1/4, where the difference
 * would lose digits (1 - 0.999 in f32 is wrong from the fifth on), it is the series y (1 - y/2 (1 - y/3 (1 - …))).
 */
export function biasCorrection(b: GraphBuilder, beta: number, t: Value): Value {
  if (beta === 0) return b.constant(1);
  const y = b.mul(t, -Math.log(beta));
  let series: Value = b.constant(1);
  for (let n = 8; n >= 2; n--) series = b.sub(1, b.mul(b.mul(y, 1 / n), series));
  return b.select(b.less(y, 0.25), b.mul(y, series), b.sub(1, b.exp(b.neg(y))));
}

const adamParameters = 'lr: schedule = 0.001, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8';

/** p - lr / (1 - beta1^t) * m / (sqrt(v) / sqrt(1 - beta2^t) + eps) (Kingma and Ba, 2014). */
function adamUpdate(decoupled: boolean): OptimizerFunction['update'] {
  return (b, { p, g, lr, step, state }, args) => {
    const [beta1, beta2] = [num(args, 'beta1'), num(args, 'beta2')];
    const gradient = decoupled ? g : decayed(b, g, p, args);
    const start = decoupled ? b.mul(p, b.sub(1, b.mul(lr, num(args, 'weight_decay')))) : p;
    // m + (g - m)(1 - beta1): PyTorch's lerp.
    const m = b.add(state.m!, b.mul(b.sub(gradient, state.m!), 1 - beta1));
    const v = average(b, state.v!, b.square(gradient), beta2);
    const root = b.div(b.sqrt(v), b.sqrt(biasCorrection(b, beta2, step)));
    const size = b.div(lr, biasCorrection(b, beta1, step));
    return { p: b.sub(start, b.mul(size, b.div(m, b.add(root, num(args, 'eps'))))), state: { m, v } };
  };
}

const adam: OptimizerFunction = {
  kind: 'optimizer',
  name: 'adam',
  signature: `adam(${adamParameters}, weight_decay: float = 0) -> optimizer`,
  doc: 'Steps by the moving mean of the gradient over the root of its moving square, both corrected for their start at 0 (Kingma and Ba, 2014); weight decay is added to the gradient.',
  example: 'using adam(lr: 1e-3)',
  state: () => ['m', 'v'],
  update: adamUpdate(false),
};

const adamw: OptimizerFunction = {
  kind: 'optimizer',
  name: 'adamw',
  signature: `adamw(${adamParameters}, weight_decay: float = 0.01) -> optimizer`,
  doc: 'Adam whose weight decay shrinks the weights directly, by lr * weight_decay a step (Loshchilov and Hutter, 2017).',
  state: () => ['m', 'v'],
  update: adamUpdate(true),
};

const sgd: OptimizerFunction = {
  kind: 'optimizer',
  name: 'sgd',
  signature:
    'sgd(lr: schedule = 0.001, momentum: float = 0, dampening: float = 0, nesterov: bool = false, weight_decay: float = 0) -> optimizer',
  doc: 'p - lr * g; with momentum g is first averaged into m = momentum * m + (1 - dampening) * g, and nesterov looks ahead by g + momentum * m (Sutskever et al., 2013).',
  state: args => (num(args, 'momentum') === 0 ? [] : ['m']),
  update: (b, { p, g, lr, step, state }, args) => {
    const momentum = num(args, 'momentum');
    const gradient = decayed(b, g, p, args);
    if (state.m === undefined) return { p: b.sub(p, b.mul(lr, gradient)), state: {} };
    const moved = b.add(b.mul(state.m, momentum), b.mul(gradient, 1 - num(args, 'dampening')));
    // The buffer starts as the first gradient, undampened.
    const m = num(args, 'dampening') === 0 ? moved : b.select(b.equal(step, 1), gradient, moved);
    const direction = args.nesterov === true ? b.add(gradient, b.mul(m, momentum)) : m;
    return { p: b.sub(p, b.mul(lr, direction)), state: { m } };
  },
};

const rmsprop: OptimizerFunction = {
  kind: 'optimizer',
  name: 'rmsprop',
  signature:
    'rmsprop(lr: schedule = 0.01, alpha: float = 0.99, eps: float = 1e-8, weight_decay: float = 0, momentum: float = 0, centered: bool = false) -> optimizer',
  doc: 'p - lr * g / (sqrt(v) + eps) with v the moving square of g (Tieleman and Hinton, 2012); centered subtracts the square of the moving mean.',
  state: args => ['v', ...(args.centered === true ? ['mean'] : []), ...(num(args, 'momentum') > 0 ? ['m'] : [])],
  update: (b, { p, g, lr, state }, args) => {
    const alpha = num(args, 'alpha');
    const gradient = decayed(b, g, p, args);
    const v = average(b, state.v!, b.square(gradient), alpha);
    const center = state.mean && b.add(state.mean, b.mul(b.sub(gradient, state.mean), 1 - alpha));
    const spread = center ? b.sub(v, b.square(center)) : v;
    const scaled = b.div(gradient, b.add(b.sqrt(spread), num(args, 'eps')));
    const m = state.m && b.add(b.mul(state.m, num(args, 'momentum')), scaled);
    return { p: b.sub(p, b.mul(lr, m ?? scaled)), state: { v, ...(center && { mean: center }), ...(m && { m }) } };
  },
};

const adagrad: OptimizerFunction = {
  kind: 'optimizer',
  name: 'adagrad',
  signature:
    'adagrad(lr: schedule = 0.01, lr_decay: float = 0, weight_decay: float = 0, eps: float = 1e-10) -> optimizer',
  doc: 'p - lr / (1 + (t - 1) lr_decay) * g / (sqrt(sum of g^2) + eps) (Duchi et al., 2011).',
  state: () => ['v'],
  update: (b, { p, g, lr, step, state }, args) => {
    const gradient = decayed(b, g, p, args);
    const v = b.add(state.v!, b.square(gradient));
    const rate = b.div(lr, b.add(b.mul(b.sub(step, 1), num(args, 'lr_decay')), 1));
    return { p: b.sub(p, b.mul(rate, b.div(gradient, b.add(b.sqrt(v), num(args, 'eps'))))), state: { v } };
  },
};

const lion: OptimizerFunction = {
  kind: 'optimizer',
  name: 'lion',
  signature: 'lion(lr: schedule = 1e-4, beta1: float = 0.9, beta2: float = 0.99, weight_decay: float = 0) -> optimizer',
  doc: 'Steps by the sign of beta1 * m + (1 - beta1) * g, with weights shrunk by lr * weight_decay (Chen et al., 2023).',
  state: () => ['m'],
  update: (b, { p, g, lr, state }, args) => {
    const direction = b.sign(average(b, state.m!, g, num(args, 'beta1')));
    const start = b.mul(p, b.sub(1, b.mul(lr, num(args, 'weight_decay'))));
    return { p: b.sub(start, b.mul(lr, direction)), state: { m: average(b, state.m!, g, num(args, 'beta2')) } };
  },
};

export const optimizers: readonly OptimizerFunction[] = [sgd, adam, adamw, rmsprop, adagrad, lion];
