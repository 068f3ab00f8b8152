/** Optimisers over one flat buffer, elementwise: each fuses into one kernel. The rules, and the places of eps, are those of torch.optim. */
import type { GraphBuilder, Value } from '../builder.ts';
import type { Settings as Args, Extent, OptimizerFunction } from './function.ts';

function num(args: Args, name: string): number {
  return Number(args[name]);
}

const decayVectors = 'decay_vectors: bool = true';
const decayVectorsDoc = 'With `decay_vectors: false` biases and the weights of norms are spared the decay.';

/** Weights of fewer than two axes don't decay where `decay_vectors` is false. */
function sparing(shape: readonly number[], args: Args): Args {
  return args.decay_vectors === false && shape.length < 2 ? { ...args, weight_decay: 0 } : args;
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
    const most = state.most && b.maximum(state.most, v);
    const root = b.div(b.sqrt(most ?? v), b.sqrt(biasCorrection(b, beta2, step)));
    const size = b.div(lr, biasCorrection(b, beta1, step));
    const next = b.sub(start, b.mul(size, b.div(m, b.add(root, num(args, 'eps')))));
    return { p: next, state: { m, v, ...(most && { most }) } };
  };
}

const adamState: OptimizerFunction['state'] = args => ['m', 'v', ...(args.amsgrad === true ? ['most'] : [])];
const amsgrad = 'amsgrad: bool = false';
const amsgradDoc = 'With `amsgrad` the root is of the greatest moving square so far (Reddi et al., 2018).';

const adam: OptimizerFunction = {
  kind: 'optimizer',
  name: 'adam',
  signature: `adam(${adamParameters}, weight_decay: float = 0, ${amsgrad}, ${decayVectors}) -> optimizer`,
  doc: `Steps by the moving mean of the gradient over the root of its moving square, both corrected for their start at 0 (Kingma and Ba, 2014); weight decay is added to the gradient. ${amsgradDoc} ${decayVectorsDoc}`,
  example: 'minimize cross_entropy(logits, label) using adam(lr: 1e-3)',
  apart: sparing,
  state: adamState,
  update: adamUpdate(false),
};

const adamw: OptimizerFunction = {
  kind: 'optimizer',
  name: 'adamw',
  signature: `adamw(${adamParameters}, weight_decay: float = 0.01, ${amsgrad}, ${decayVectors}) -> optimizer`,
  doc: `Adam whose weight decay shrinks the weights directly, by lr * weight_decay a step (Loshchilov and Hutter, 2017). ${amsgradDoc} ${decayVectorsDoc}`,
  apart: sparing,
  state: adamState,
  update: adamUpdate(true),
};

const sgd: OptimizerFunction = {
  kind: 'optimizer',
  name: 'sgd',
  signature: `sgd(lr: schedule = 0.001, momentum: float = 0, dampening: float = 0, nesterov: bool = false, weight_decay: float = 0, ${decayVectors}) -> optimizer`,
  doc: `p - lr * g; with momentum g is first averaged into m = momentum * m + (1 - dampening) * g, and nesterov looks ahead by g + momentum * m (Sutskever et al., 2013). ${decayVectorsDoc}`,
  apart: sparing,
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
  signature: `rmsprop(lr: schedule = 0.01, alpha: float = 0.99, eps: float = 1e-8, weight_decay: float = 0, momentum: float = 0, centered: bool = false, ${decayVectors}) -> optimizer`,
  doc: `p - lr * g / (sqrt(v) + eps) with v the moving square of g (Tieleman and Hinton, 2012); centered subtracts the square of the moving mean. ${decayVectorsDoc}`,
  apart: sparing,
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
  signature: `adagrad(lr: schedule = 0.01, lr_decay: float = 0, weight_decay: float = 0, eps: float = 1e-10, ${decayVectors}) -> optimizer`,
  doc: `p - lr / (1 + (t - 1) lr_decay) * g / (sqrt(sum of g^2) + eps) (Duchi et al., 2011). ${decayVectorsDoc}`,
  apart: sparing,
  state: () => ['v'],
  update: (b, { p, g, lr, step, state }, args) => {
    const gradient = decayed(b, g, p, args);
    const v = b.add(state.v!, b.square(gradient));
    const rate = b.div(lr, b.add(b.mul(b.sub(step, 1), num(args, 'lr_decay')), 1));
    return { p: b.sub(p, b.mul(rate, b.div(gradient, b.add(b.sqrt(v), num(args, 'eps'))))), state: { v } };
  },
};

/** p - lr / (1 - beta1^t) * m / u with u = max(beta2 u, |g| + eps). */
const adamax: OptimizerFunction = {
  kind: 'optimizer',
  name: 'adamax',
  signature: `adamax(lr: schedule = 0.002, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8, weight_decay: float = 0, ${decayVectors}) -> optimizer`,
  doc: `Adam by the greatest gradient of late in place of the moving square (Kingma and Ba, 2014). ${decayVectorsDoc}`,
  apart: sparing,
  state: () => ['m', 'u'],
  update: (b, { p, g, lr, step, state }, args) => {
    const beta1 = num(args, 'beta1');
    const gradient = decayed(b, g, p, args);
    const m = b.add(state.m!, b.mul(b.sub(gradient, state.m!), 1 - beta1));
    const u = b.maximum(b.mul(state.u!, num(args, 'beta2')), b.add(b.abs(gradient), num(args, 'eps')));
    const size = b.div(lr, biasCorrection(b, beta1, step));
    return { p: b.sub(p, b.mul(size, b.div(m, u))), state: { m, u } };
  },
};

/**
 * With rho = 2 / (1 - beta2) - 1 and rho_t = rho - 2 t beta2^t / (1 - beta2^t), the length of the moving average: above 5 Adam's step times
 * sqrt((rho_t - 4) (rho_t - 2) rho / ((rho - 4) (rho - 2) rho_t)), before that the corrected mean alone.
 */
const radam: OptimizerFunction = {
  kind: 'optimizer',
  name: 'radam',
  signature: `radam(${adamParameters}, weight_decay: float = 0, ${decayVectors}) -> optimizer`,
  doc: `Adam that needs no warmup: its first steps go by the mean alone, later ones by Adam's rule, rectified (Liu et al., 2019). ${decayVectorsDoc}`,
  apart: sparing,
  state: () => ['m', 'v'],
  update: (b, { p, g, lr, step, state }, args) => {
    const [beta1, beta2] = [num(args, 'beta1'), num(args, 'beta2')];
    const gradient = decayed(b, g, p, args);
    const m = b.add(state.m!, b.mul(b.sub(gradient, state.m!), 1 - beta1));
    const v = average(b, state.v!, b.square(gradient), beta2);
    const corrected = b.div(m, biasCorrection(b, beta1, step));
    const unseen = biasCorrection(b, beta2, step);
    const rho = 2 / (1 - beta2) - 1;
    const length = b.sub(rho, b.div(b.mul(b.mul(step, 2), b.sub(1, unseen)), unseen));
    const long = b.greater(length, 5);
    const safe = b.select(long, length, 6);
    const shape = b.div(b.mul(b.sub(safe, 4), b.sub(safe, 2)), b.mul(safe, ((rho - 4) * (rho - 2)) / rho));
    const scale = b.sqrt(b.mul(shape, unseen));
    const rectified = b.div(b.mul(corrected, scale), b.add(b.sqrt(v), num(args, 'eps')));
    return { p: b.sub(p, b.mul(lr, b.select(long, rectified, corrected))), state: { m, v } };
  },
};

/** p - lr d with d = g sqrt(s + eps) / sqrt(v + eps), v the moving square of g and s that of d. */
const adadelta: OptimizerFunction = {
  kind: 'optimizer',
  name: 'adadelta',
  signature: `adadelta(lr: schedule = 1, rho: float = 0.9, eps: float = 1e-6, weight_decay: float = 0, ${decayVectors}) -> optimizer`,
  doc: `Steps in the units of the weights: the gradient times the root of past steps' moving square over that of its own (Zeiler, 2012). ${decayVectorsDoc}`,
  apart: sparing,
  state: () => ['v', 's'],
  update: (b, { p, g, lr, state }, args) => {
    const [rho, eps] = [num(args, 'rho'), num(args, 'eps')];
    const gradient = decayed(b, g, p, args);
    const v = average(b, state.v!, b.square(gradient), rho);
    const root = (x: Value): Value => b.sqrt(b.add(x, eps));
    const delta = b.mul(b.div(root(state.s!), root(v)), gradient);
    return { p: b.sub(p, b.mul(lr, delta)), state: { v, s: average(b, state.s!, b.square(delta), rho) } };
  },
};

const lion: OptimizerFunction = {
  kind: 'optimizer',
  name: 'lion',
  signature: `lion(lr: schedule = 1e-4, beta1: float = 0.9, beta2: float = 0.99, weight_decay: float = 0, ${decayVectors}) -> optimizer`,
  doc: `Steps by the sign of beta1 * m + (1 - beta1) * g, with weights shrunk by lr * weight_decay (Chen et al., 2023). ${decayVectorsDoc}`,
  apart: sparing,
  state: () => ['m'],
  update: (b, { p, g, lr, state }, args) => {
    const direction = b.sign(average(b, state.m!, g, num(args, 'beta1')));
    const start = b.mul(p, b.sub(1, b.mul(lr, num(args, 'weight_decay'))));
    return { p: b.sub(start, b.mul(lr, direction)), state: { m: average(b, state.m!, g, num(args, 'beta2')) } };
  },
};

/** Coefficients of the quintic iteration (Jordan et al., 2024): they trade exactness for speed, singular values end near 1. */
const quintic = [3.4445, -4.775, 2.0315] as const;

/** The nearest orthogonal matrix to `g` [R, C], about: `steps` rounds of X = aX + (bA + cA²)X with A = XXᵀ, from g over its norm. */
function orthogonalized(b: GraphBuilder, g: Value, steps: number, eps: number): Value {
  const [rows = 1, columns = 1] = g.type.shape;
  const tall = rows > columns;
  const [first, second, third] = quintic;
  let x = b.div(g, b.maximum(b.sqrt(b.sum(b.square(g))), eps));
  for (let i = 0; i < steps; i++) {
    // The smaller of the two products of X with itself.
    const a = tall ? b.matmul(x, x, { transposeA: true }) : b.matmul(x, x, { transposeB: true });
    const inner = b.add(b.mul(a, second), b.mul(b.matmul(a, a), third));
    x = b.add(b.mul(x, first), tall ? b.matmul(x, inner) : b.matmul(inner, x));
  }
  return x;
}

/** Each weight of the buffer as a matrix [first axis, rest], orthogonalised and scaled, back in a flat buffer. */
function orthogonalSteps(b: GraphBuilder, flat: Value, places: readonly Extent[], args: Args): Value {
  const steps = places.map(({ shape, offset, length }) => {
    const rows = shape[0] ?? 1;
    const columns = length / rows;
    const matrix = b.reshape(b.slice(flat, [offset], [length]), [rows, columns]);
    const direction = orthogonalized(b, matrix, num(args, 'ns_steps'), num(args, 'eps'));
    const scale =
      args.match_adam === true ? 0.2 * Math.sqrt(Math.max(rows, columns)) : Math.sqrt(Math.max(1, rows / columns));
    return b.reshape(b.mul(direction, scale), [length]);
  });
  return b.concat(steps);
}

const muon: OptimizerFunction = {
  kind: 'optimizer',
  name: 'muon',
  signature:
    'muon(lr: schedule = 0.001, momentum: float = 0.95, nesterov: bool = true, weight_decay: float = 0.1, ns_steps: int = 5, eps: float = 1e-7, match_adam: bool = true) -> optimizer',
  doc: 'Steps by the momentum of each matrix made orthogonal by Newton-Schulz iteration (Jordan et al., 2024); convolutions count as matrices [out, rest], and weights of fewer than two axes take AdamW without decay. `match_adam` scales steps by 0.2 sqrt(max(rows, columns)), so that both take the same `lr` (Moonshot, 2025); false by sqrt(max(1, rows / columns)).',
  state: args => (args.vectors === true ? ['m', 'v'] : ['m']),
  apart: (shape, args) =>
    shape.length < 2 ? { vectors: true, beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0 } : args,
  update: (b, values, args) => {
    if (args.vectors === true) return adamUpdate(true)(b, values, args);
    const { p, g, lr, state, places } = values;
    const momentum = num(args, 'momentum');
    const m = b.add(state.m!, b.mul(b.sub(g, state.m!), 1 - momentum));
    const ahead = args.nesterov === true ? b.add(g, b.mul(b.sub(m, g), momentum)) : m;
    const start = b.mul(p, b.sub(1, b.mul(lr, num(args, 'weight_decay'))));
    return { p: b.sub(start, b.mul(lr, orthogonalSteps(b, ahead, places, args))), state: { m } };
  },
};

export const optimizers: readonly OptimizerFunction[] = [
  sgd,
  adam,
  adamw,
  adamax,
  radam,
  rmsprop,
  adagrad,
  adadelta,
  lion,
  muon,
];
