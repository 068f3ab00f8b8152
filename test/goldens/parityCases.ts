/** The places at which functions are held against PyTorch. */
import type { Argument } from '../../engine/ops/library/function.ts';
import type { Tensor } from '../../engine/ops/primitive.ts';
import { randomTensor, type Tensors } from '../support/samples.ts';

export interface Case {
  readonly title: string;
  readonly name: string;
  readonly inputs: Tensors;
  readonly args?: Readonly<Record<string, Argument>>;
  /** Sizes that the signature binds (`V` of `index(V)`), for the rule. */
  readonly sizes?: Readonly<Record<string, number>>;
  /** Which of several results is compared. */
  readonly part?: number;
  /** Python in place of the export's rule. */
  readonly torch?: string;
}

const random = (shape: readonly number[], stream = 1, [low, high] = [-2, 2]): Tensor =>
  randomTensor({ dtype: 'f32', shape }, [low!, high!], stream);
const whole = (shape: readonly number[], below: number, stream = 1): Tensor =>
  randomTensor({ dtype: 'i32', shape }, [0, below - 1], stream);
const bools = (shape: readonly number[], stream = 1): Tensor => randomTensor({ dtype: 'bool', shape }, [0, 1], stream);
const filled = (shape: readonly number[], value: number): Tensor => ({
  dtype: 'f32',
  shape,
  data: new Float64Array(shape.reduce((n, d) => n * d, 1)).fill(value),
});
const listed = (shape: readonly number[], values: readonly number[]): Tensor => ({
  dtype: 'f32',
  shape,
  data: Float64Array.from(values),
});

const { NaN: gap, POSITIVE_INFINITY: most } = Number;
/** Kinks of the activations, numbers far out, both infinities, and NaN. */
const edges = listed(
  [6, 4],
  [0, -0, 1, -1, 0.5, -0.5, 3, -3, 6, -6, 2, -2, 20, -20, 88, -88, 200, -200, 1e4, -1e4, most, -most, gap, 1e-30],
);

/** Names of functions of `x` alone, elementwise. */
const elementwise = [
  'relu relu6 leaky_relu elu selu gelu silu sigmoid tanh log_sigmoid softplus softsign mish hardtanh tanhshrink softshrink',
  'hardshrink celu hard_sigmoid hard_swish exp expm1 log log1p sqrt abs sign sin cos erf floor round square detach threshold tan rsqrt ceil',
].flatMap(line => line.split(' '));
const alongAxis = ['softmax', 'softmin', 'log_softmax', 'cumsum', 'sort', 'flip', 'argmax', 'argmin', 'l2_normalize'];
const reductions = ['sum', 'mean', 'variance', 'std', 'max', 'min', 'norm', 'logsumexp'];

const one = (name: string, what: string, inputs: Tensors, more: Partial<Case> = {}): Case => ({
  title: `${name} ${what}`,
  name,
  inputs,
  ...more,
});
const logsumexp = (axis: string) => ({ torch: `torch.logsumexp(x, ${axis})` });

function reductionCases(name: string): Case[] {
  const whole = name === 'logsumexp' ? logsumexp('list(range(x.ndim))') : {};
  const last = name === 'logsumexp' ? logsumexp('1') : {};
  return [
    one(name, 'of all', { x: random([3, 4]) }, whole),
    one(name, 'of a row', { x: random([3, 4]) }, { args: { axis: 1 }, ...last }),
    one(name, 'of one element', { x: random([3, 1]) }, { args: { axis: 1 }, ...last }),
    one(name, 'of equal numbers', { x: filled([2, 3], 1.5) }, { args: { axis: 1 }, ...last }),
    one(name, 'of zeros', { x: filled([2, 3], 0) }, { args: { axis: 1 }, ...last }),
    one(
      name,
      'of large numbers',
      { x: listed([2, 3], [1e3, 999, -1e3, -1e4, -1e4, -1e4]) },
      { args: { axis: 1 }, ...last },
    ),
    one(
      name,
      'of NaN and infinities',
      { x: listed([4, 3], [1, gap, 2, 1, most, 2, -most, 1, 2, -most, -most, -most]) },
      { args: { axis: 1 }, ...last },
    ),
  ];
}

const image = random([2, 4, 6, 7], 3);
const signal = random([2, 4, 9], 4);
const sequence = random([2, 5, 4], 5);

const layers: readonly Case[] = [
  one('linear', '', { x: random([3, 4]) }, { args: { out: 5 } }),
  one('linear', 'without bias', { x: random([2, 3, 4]) }, { args: { out: 5, bias: false } }),
  one('prelu', 'at edges', { x: listed([1, 4], [0, -0, 1, -1]) }),
  one('prelu', 'by channel', { x: image }, { args: { channels: true } }),
  one('embedding', '', { tokens: whole([2, 3], 5) }, { args: { dim: 3, V: 5 } }),
  one('positions', '', {}, { args: { length: 4, dim: 3 } }),
  one('layer_norm', '', { x: sequence }),
  one('layer_norm', 'of equal numbers', { x: filled([2, 3], 2) }),
  one('layer_norm', 'of size 1', { x: random([3, 1]) }),
  one('rms_norm', '', { x: sequence }),
  one('rms_norm', 'of zeros', { x: filled([2, 3], 0) }),
  one('batch_norm', '', { x: random([5, 3]) }),
  one('batch_norm', 'of images', { x: image }),
  one('group_norm', '', { x: image }, { args: { groups: 2 } }),
  one('instance_norm', '', { x: image }, { args: { affine: true } }),
  one('conv1d', '', { x: signal }, { args: { out: 6, kernel: 3, stride: 2, padding: 2, dilation: 2, groups: 2 } }),
  one('conv2d', '', { x: image }, { args: { out: 6, kernel: [3, 2], stride: [2, 1], padding: 1, groups: 2 } }),
  one('conv2d', 'same', { x: image }, { args: { out: 2, kernel: 3, padding: 'same', dilation: 2 } }),
  one('conv2d', 'by channel', { x: image }, { args: { out: 8, kernel: 3, groups: 4, bias: false } }),
  one(
    'conv_transpose1d',
    '',
    { x: signal },
    { args: { out: 6, kernel: 3, stride: 3, padding: 1, output_padding: 2, dilation: 2, groups: 2 } },
  ),
  one(
    'conv_transpose2d',
    '',
    { x: image },
    { args: { out: 2, kernel: [3, 4], stride: 2, padding: [1, 2], output_padding: [1, 0] } },
  ),
  one('max_pool1d', '', { x: signal }, { args: { size: 3, stride: 2, padding: 1 } }),
  one('max_pool2d', '', { x: image }, { args: { size: 2 } }),
  one(
    'max_pool2d',
    'of equal numbers, overlapping',
    { x: filled([1, 1, 5, 5], 1) },
    { args: { size: 3, stride: 1, padding: 1 } },
  ),
  one(
    'max_pool2d',
    'of negative numbers at a border',
    { x: filled([1, 1, 4, 4], -3) },
    { args: { size: 3, stride: 2, padding: 1 } },
  ),
  one('max_pool2d', 'of NaN', { x: listed([1, 1, 2, 4], [1, gap, 2, 3, 4, 5, 6, -most]) }, { args: { size: 2 } }),
  one('avg_pool1d', '', { x: signal }, { args: { size: 3, stride: 2, padding: 1 } }),
  one('avg_pool2d', '', { x: image }, { args: { size: [3, 2], padding: [1, 0] } }),
  one('adaptive_avg_pool2d', '', { x: image }, { args: { size: [4, 3] } }),
  one('adaptive_avg_pool2d', 'that enlarges', { x: image }, { args: { size: [8, 7] } }),
  one('adaptive_avg_pool1d', '', { x: signal }, { args: { size: 4 } }),
  one('adaptive_max_pool1d', '', { x: signal }, { args: { size: 4 } }),
  one('adaptive_max_pool2d', '', { x: image }, { args: { size: [3, 5] } }),
  one('adaptive_max_pool2d', 'that enlarges', { x: image }, { args: { size: [8, 9] } }),
  one('global_avg_pool', '', { x: image }),
  one('global_max_pool', '', { x: image }),
  one('global_max_pool', 'of sequences', { x: signal }),
  one('upsample', '', { x: image }, { args: { scale: 3 } }),
  one('pixel_shuffle', '', { x: random([2, 12, 3, 5]) }, { args: { scale: 2 } }),
  one('pixel_unshuffle', '', { x: random([2, 3, 4, 6]) }, { args: { scale: 2 } }),
  one('upsample', 'bilinear', { x: image }, { args: { scale: 2, bilinear: true } }),
  one('self_attention', '', { x: sequence }, { args: { heads: 2 } }),
  one(
    'self_attention',
    'causal, masked',
    { x: sequence, mask: { dtype: 'bool', shape: [2, 5], data: Float64Array.of(1, 1, 1, 0, 0, 1, 1, 1, 1, 1) } },
    { args: { heads: 2, causal: true } },
  ),
  one('cross_attention', '', { x: sequence, context: random([2, 3, 4], 9) }, { args: { heads: 2 } }),
  one('attention', '', { query: sequence, key: random([2, 3, 4], 9), value: random([2, 3, 4], 10) }),
  one(
    'attention',
    'causal',
    { query: sequence, key: random([2, 5, 4], 9), value: random([2, 5, 4], 10) },
    { args: { causal: true } },
  ),
  one('rotary', '', { x: sequence }),
  one('sinusoidal_positions', '', {}, { args: { length: 5, dim: 6 } }),
  one('rnn', '', { x: sequence }, { args: { size: 3, layers: 2, bidirectional: true } }),
  one('gru', '', { x: sequence }, { args: { size: 3, layers: 2, bidirectional: true } }),
  one('lstm', '', { x: sequence }, { args: { size: 3, layers: 2, bidirectional: true } }),
  one('lstm', 'of saturated gates', { x: random([2, 5, 4], 6, [-400, 400]) }, { args: { size: 3 } }),
];

const functions: readonly Case[] = [
  ...elementwise.flatMap(name => {
    const positive = ['log', 'log1p', 'sqrt', 'rsqrt'].includes(name);
    return [
      one(name, 'at random', { x: random([3, 5], 2, positive ? [0.1, 4] : [-4, 4]) }),
      one(name, 'at edges', { x: edges }),
    ];
  }),
  ...alongAxis.flatMap(name => [
    one(name, 'of rows', { x: random([3, 5]) }, { args: { axis: -1 } }),
    one(name, 'of columns', { x: random([3, 5]) }, { args: { axis: 0 } }),
    one(name, 'of one', { x: random([3, 1]) }, { args: { axis: 1 } }),
    one(name, 'with ties', { x: listed([2, 4], [1, 2, 2, 1, 0, 0, 0, 0]) }, { args: { axis: 1 } }),
    one(name, 'of large numbers', { x: listed([2, 3], [1e3, 999, -1e3, -1e4, -1e4, -1e4]) }, { args: { axis: 1 } }),
    one(
      name,
      'of infinities',
      { x: listed([3, 3], [1, -most, 2, 1, most, 2, -most, -most, -most]) },
      { args: { axis: 1 } },
    ),
    one(name, 'of NaN', { x: listed([1, 3], [1, gap, 2]) }, { args: { axis: 1 } }),
  ]),
  ...reductions.flatMap(reductionCases),
  ...['log1p', 'expm1'].flatMap(name => [
    one(name, 'about 0', { x: random([30], 2, [-0.6, 0.6]) }),
    one(name, 'near 0', { x: random([30], 2, [-1e-9, 1e-9]) }),
  ]),
  one('prod', 'of rows', { x: random([3, 5]) }, { args: { axis: -1 } }),
  one('prod', 'of columns', { x: random([7, 2, 3]) }, { args: { axis: 0, keep: true } }),
  one('prod', 'of zeros', { x: listed([3, 3], [2, 0, 3, 0, 5, 0, 0, 0, 0]) }, { args: { axis: 1 } }),
  one('prod', 'of one', { x: random([3, 1]) }, { args: { axis: 1 } }),
  one('softplus', 'of beta', { x: random([3, 5], 2, [-9, 9]) }, { args: { beta: 2.5 } }),
  one('threshold', 'above', { x: random([3, 5]) }, { args: { at: 0.3, value: -2 } }),
  one('gelu', 'by tanh', { x: edges }, { args: { tanh: true } }),
  one('pow', 'of 3', { x: edges }, { args: { exponent: 3 } }),
  one('pow', 'of 0.5', { x: edges }, { args: { exponent: 0.5 } }),
  one('pow', 'of -1', { x: edges }, { args: { exponent: -1 } }),
  one('pow', 'of 0', { x: edges }, { args: { exponent: 0 } }),
  one('pow', 'of 1.5', { x: random([4], 1, [0.1, 3]) }, { args: { exponent: 1.5 } }),
  one('clamp', 'at edges', { x: edges }, { args: { min: -1, max: 3 } }),
  one('clamp', 'below', { x: edges }, { args: { max: 3 } }),
  one('glu', '', { x: random([3, 6]) }),
  one('cosine_similarity', '', { x: random([3, 4]), y: random([3, 4], 2) }),
  one('cosine_similarity', 'of zeros', { x: filled([1, 4], 0), y: random([1, 4], 2) }),
  one('flatten', '', { x: image }),
  one('reshape', '', { x: random([3, 4]) }, { args: { shape: [2, 6] } }),
  one('transpose', '', { x: image }, { args: { first: 1, second: 3 } }),
  one('concat', '', { x: random([2, 3]), y: random([2, 1], 2) }, { args: { axis: 1 } }),
  one('stack', '', { x: random([2, 3]), y: random([2, 3], 2) }, { args: { axis: 1 } }),
  one('squeeze', '', { x: random([2, 1, 3]) }, { args: { axis: 1 } }),
  one('unsqueeze', '', { x: random([2, 3]) }, { args: { axis: 1 } }),
  one('one_hot', '', { x: whole([2, 3], 5) }, { args: { C: 5 } }),
  one('select', '', { condition: bools([2, 3]), x: random([2, 3]), y: random([2, 3], 2) }),
  one('select', 'past NaN', {
    condition: { dtype: 'bool', shape: [2], data: Float64Array.of(1, 0) },
    x: listed([2], [1, gap]),
    y: listed([2], [gap, 2]),
  }),
  one('gather', '', { x: random([2, 5]), index: whole([2, 3], 5) }),
  one('arange', '', {}, { args: { length: 4 } }),
  one('roll', '', { x: random([3, 5]) }, { args: { by: -2, axis: 1 } }),
  one('roll', 'all round', { x: random([3, 5]) }, { args: { by: 12, axis: 1 } }),
  one('sort', 'descending', { x: random([3, 5]) }, { args: { descending: true } }),
  one('largest', '', { x: random([3, 5]) }, { args: { k: 2 } }),
  one('largest', 'with ties', { x: listed([1, 4], [2, 1, 2, 1]) }, { args: { k: 3 } }),
  one('top_k', 'values', { x: random([3, 5]) }, { args: { k: 2 }, part: 0 }),
  one('top_k', 'places', { x: random([3, 5]) }, { args: { k: 2 }, part: 1 }),
  one('chunk', '', { x: random([3, 6]) }, { args: { parts: 3, axis: 1 }, part: 1 }),
  one('split', '', { x: random([3, 6]) }, { args: { sizes: [1, 2, 3], axis: 1 }, part: 2 }),
  one('tril', '', { x: random([2, 3, 4]) }, { args: { diagonal: 1 } }),
  one('triu', '', { x: random([2, 3, 4]) }, { args: { diagonal: -1 } }),
  one('maximum', '', { x: edges, y: filled([6, 4], 0) }),
  one('minimum', '', { x: edges, y: filled([6, 4], 1) }),
];

const logits = random([5, 4], 11, [-3, 3]);
const classes = whole([5], 4, 12);
const kept: Tensor = { dtype: 'bool', shape: [5], data: Float64Array.of(1, 0, 1, 1, 0) };
const weights = listed([4], [1, 2, 0.5, 0]);
const [a, b, c] = [random([5, 4], 13), random([5, 4], 14), random([5, 4], 15)];
const zeroOne: Tensor = { ...bools([5, 4], 16), dtype: 'f32' };
const signs: Tensor = { dtype: 'f32', shape: [5, 4], data: zeroOne.data.map(v => 2 * v - 1) };
const shares = listed([2, 3], [0.2, 0.3, 0.5, 1, 0, 0]);
const logs = listed([2, 3], [-1, -2, -0.5, -0.1, -3, -3]);
const masked = 'torch.where(where, target, -100)';
const pairs = { prediction: a, target: b };
const loss = (name: string, what: string, inputs: Tensors, torch: string, args: Case['args'] = {}) =>
  one(name, what, inputs, { torch, args });

/** torchvision's sigmoid_focal_loss. */
const FOCAL =
  '(lambda p, ce: (ce * (1 - p * target - (1 - p) * (1 - target)) ** 2 * (0.25 * target + 0.75 * (1 - target))).mean())(torch.sigmoid(prediction), F.binary_cross_entropy_with_logits(prediction, target, reduction="none"))';

const losses: readonly Case[] = [
  loss('cross_entropy', '', { logits, target: classes }, 'F.cross_entropy(logits, target)'),
  loss(
    'cross_entropy',
    'far out',
    { logits: random([5, 4], 1, [-1e4, 1e4]), target: classes },
    'F.cross_entropy(logits, target)',
  ),
  loss(
    'cross_entropy',
    'smoothed',
    { logits, target: classes },
    'F.cross_entropy(logits, target, label_smoothing=0.3)',
    { smoothing: 0.3 },
  ),
  loss(
    'cross_entropy',
    'smoothed away',
    { logits, target: classes },
    'F.cross_entropy(logits, target, label_smoothing=1.0)',
    { smoothing: 1 },
  ),
  loss(
    'cross_entropy',
    'weighted',
    { logits, target: classes, weights },
    'F.cross_entropy(logits, target, weight=weights)',
  ),
  loss('cross_entropy', 'where', { logits, target: classes, where: kept }, `F.cross_entropy(logits, ${masked})`),
  loss(
    'cross_entropy',
    'where, smoothed',
    { logits, target: classes, where: kept },
    `F.cross_entropy(logits, ${masked}, label_smoothing=0.2)`,
    { smoothing: 0.2 },
  ),
  loss(
    'cross_entropy',
    'of one class',
    { logits: random([3, 1]), target: whole([3], 1) },
    'F.cross_entropy(logits, target)',
  ),
  loss(
    'cross_entropy',
    'of an impossible class',
    { logits: listed([1, 2], [-most, 0]), target: whole([1], 1) },
    'F.cross_entropy(logits, target)',
  ),
  loss(
    'cross_entropy',
    'of a hidden class',
    { logits: listed([1, 3], [1, 0, -most]), target: whole([1], 1) },
    'F.cross_entropy(logits, target)',
  ),
  loss('soft_cross_entropy', '', { logits, target: random([5, 4], 3, [0, 1]) }, 'F.cross_entropy(logits, target)'),
  loss('nll', '', { log_prediction: logits, target: classes }, 'F.nll_loss(log_prediction, target)'),
  loss(
    'nll',
    'weighted',
    { log_prediction: logits, target: classes, weights },
    'F.nll_loss(log_prediction, target, weight=weights)',
  ),
  loss('bce', '', { prediction: a, target: zeroOne }, 'F.binary_cross_entropy_with_logits(prediction, target)'),
  loss(
    'bce',
    'far out',
    { prediction: random([5, 4], 1, [-1e3, 1e3]), target: zeroOne },
    'F.binary_cross_entropy_with_logits(prediction, target)',
  ),
  loss(
    'bce',
    'positives weighted',
    { prediction: a, target: zeroOne },
    'F.binary_cross_entropy_with_logits(prediction, target, pos_weight=torch.tensor(3.0))',
    { positive_weight: 3 },
  ),
  loss(
    'bce',
    'of probabilities',
    { prediction: listed([5], [0, 1, 0.5, 0.1, 1]), target: listed([5], [0, 1, 1, 0.5, 0]) },
    'F.binary_cross_entropy(prediction, target)',
    { logits: false },
  ),
  loss('mse', '', pairs, 'F.mse_loss(prediction, target)'),
  loss('mae', '', pairs, 'F.l1_loss(prediction, target)'),
  loss('mae', 'of equal numbers', { prediction: a, target: a }, 'F.l1_loss(prediction, target)'),
  loss('huber', '', pairs, 'F.huber_loss(prediction, target, delta=0.7)', { delta: 0.7 }),
  loss(
    'huber',
    'at its kink',
    { prediction: listed([3], [1, -1, 0]), target: filled([3], 0) },
    'F.huber_loss(prediction, target)',
  ),
  loss('smooth_l1', '', pairs, 'F.smooth_l1_loss(prediction, target, beta=0.5)', { beta: 0.5 }),
  loss('poisson', '', { prediction: a, target: zeroOne }, 'F.poisson_nll_loss(prediction, target)'),
  loss('kl', '', { log_prediction: logs, target: shares }, 'F.kl_div(log_prediction, target, reduction="batchmean")'),
  loss('hinge', '', { prediction: a, target: signs }, '(1 - prediction * target).clamp(min=0).mean()'),
  loss('cosine', '', pairs, '(1 - F.cosine_similarity(prediction, target, dim=-1)).mean()'),
  loss('triplet', '', { anchor: a, positive: b, negative: c }, 'F.triplet_margin_loss(anchor, positive, negative)'),
  loss(
    'triplet',
    'of equal vectors',
    { anchor: a, positive: a, negative: a },
    'F.triplet_margin_loss(anchor, positive, negative)',
  ),
  loss(
    'gaussian_nll',
    '',
    { prediction: a, variance: random([5, 4], 17, [0.1, 2]), target: b },
    'F.gaussian_nll_loss(prediction, target, variance)',
  ),
  loss(
    'gaussian_nll',
    'of no spread',
    { prediction: a, variance: filled([5, 4], 0), target: b },
    'F.gaussian_nll_loss(prediction, target, variance)',
  ),
  loss('soft_margin', '', { prediction: a, target: signs }, 'F.softplus(-target * prediction).mean()'),
  loss(
    'hinge_embedding',
    '',
    { prediction: a, target: signs },
    'F.hinge_embedding_loss(prediction, target, margin=0.8)',
    { margin: 0.8 },
  ),
  loss('multi_margin', '', { logits, target: classes }, 'F.multi_margin_loss(logits, target)'),
  loss('multi_margin', 'squared', { logits, target: classes }, 'F.multi_margin_loss(logits, target, p=2, margin=0.5)', {
    power: 2,
    margin: 0.5,
  }),
  loss('margin_ranking', '', { x: a, y: b, target: signs }, 'F.margin_ranking_loss(x, y, target, margin=0.3)', {
    margin: 0.3,
  }),
  loss(
    'cosine_embedding',
    '',
    { x: a, y: b, target: listed([5], [1, -1, 1, -1, -1]) },
    'F.cosine_embedding_loss(x, y, target, margin=0.1)',
    { margin: 0.1 },
  ),
  loss('focal', '', { prediction: a, target: zeroOne }, FOCAL),
  loss('focal', 'far out', { prediction: random([5, 4], 1, [-200, 200]), target: zeroOne }, FOCAL),
];

export const cases: readonly Case[] = [...functions, ...layers, ...losses];

/** Where we differ on purpose, and why: part of a title, of a result, and the places. */
export const accepted: readonly (readonly [title: RegExp, why: string])[] = [
  [
    /^(relu|elu|selu|celu|hard_swish|abs|sign|softshrink|hardshrink) at edges, .* \[22\]/,
    'what NaN gives is NaN, or nothing in a gradient',
  ],
  [
    /^(log|sqrt|rsqrt|pow) .*\[1\] (-Infinity expected Infinity|Infinity expected -Infinity)/,
    'the sign of zero: one quotient by -0',
  ],
  [
    /^(softplus|log_sigmoid|mish) at edges, .* \[2[01]\] NaN/,
    'infinity has no logit: NaN stops the run as infinity would',
  ],
  [/^(variance|norm|max|min|max_pool2d) of NaN.*, d x/, 'gradients of what is not finite already'],
  [/^(sort|argmax|argmin) of NaN/, 'NaN has no place in an order'],
  [
    /^(max|min|logsumexp) of .*, d x/,
    'of ties the first has the gradient, as with torch.max(x, dim); torch.amax divides it',
  ],
  [/^(maximum|minimum) , d/, 'at a tie the gradient goes to y, as documented; PyTorch halves it'],
  [/^largest with ties, d x/, 'of ties the first has the gradient; torch.topk names no order'],
  [/^bce of probabilities, d target/, 'logarithms are held at -100 there too'],
  [/^kl , d target/, '0 log 0 is 0 in the gradient too'],
];
