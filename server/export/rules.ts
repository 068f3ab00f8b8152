/** How each library function reads in PyTorch: one row a function. What has no row can't be exported. */
import { type Dim, isConstant } from '../../engine/dim/dim.ts';
import type { Arguments } from '../../engine/ops/library/function.ts';

/** A call as the rules see it; tensors are Python expressions already. */
export interface TorchCall {
  readonly args: Arguments;
  /** The tensor given for a parameter, as Python. */
  readonly x: (parameter: string) => string;
  readonly has: (parameter: string) => boolean;
  readonly shape: (parameter: string) => readonly Dim[];
  readonly result: readonly Dim[];
  /** `self.fc1`. */
  readonly self: string;
}

export interface TorchRule {
  /** The module that holds the weights, under PyTorch's names. */
  readonly module?: (call: TorchCall) => string;
  readonly value: (call: TorchCall) => string;
  /** The function of `helpers` that `value` calls, with these arguments. */
  readonly helper?: (args: Arguments) => keyof typeof helpers | undefined;
}

export const helpers = {
  self_attention: `def attend(attention, x, source, causal=False, mask=None):
    """Multi-head attention of x [B, T, D] to source [B, S, D]; mask, bool [B, S], is true where it may look."""
    hidden = None
    if causal:
        hidden = torch.ones(x.shape[1], source.shape[1], dtype=torch.bool, device=x.device).triu(1)
    padding = None if mask is None else ~mask
    return attention(x, source, source, attn_mask=hidden, key_padding_mask=padding, need_weights=False)[0]`,
  with_states: `def with_states(result, directions=1):
    """The outputs, and the states of the last layer after its last step [B, directions * size]."""
    outputs, states = result
    states = states if isinstance(states, tuple) else (states,)
    return outputs, *(torch.cat(list(state[-directions:]), -1) for state in states)`,
  sinusoidal_positions: `def sinusoidal_positions(length, dim):
    """sin(t / 10000^(2i / dim)) at place 2i, the cosine at 2i + 1."""
    rate = torch.exp(torch.arange(dim // 2) * (-2 * math.log(10000.0) / dim))
    angle = torch.arange(length)[:, None] * rate
    return torch.stack([angle.sin(), angle.cos()], 2).reshape(length, dim)`,
  rotary: `def rotary(x, base):
    """The pair (x_i, x_{i + D/2}) at position t turned by t base^(-2i / D)."""
    length, dim = x.shape[-2:]
    rate = torch.exp(torch.arange(dim // 2, device=x.device) * (-2 * math.log(base) / dim))
    angle = torch.arange(length, device=x.device)[:, None] * rate
    first, second = x[..., : dim // 2], x[..., dim // 2 :]
    return torch.cat([first * angle.cos() - second * angle.sin(), second * angle.cos() + first * angle.sin()], -1)`,
} as const;

/** Python for a number, a flag, a word or a list of numbers. */
export function literal(value: Arguments[string]): string {
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'string') return JSON.stringify(value);
  if (Array.isArray(value)) return `(${value.map(literal).join(', ')}${value.length === 1 ? ',' : ''})`;
  if (typeof value === 'number') return Number.isFinite(value) ? String(value) : value > 0 ? 'math.inf' : '-math.inf';
  throw new UnreadableSize();
}

/** A size that is known only when there is a batch. */
export class UnreadableSize extends Error {}

/** A number that is `fallback` is left out. */
const option = (args: Arguments, name: string, fallback: unknown, python = name): string =>
  args[name] === undefined || JSON.stringify(args[name]) === JSON.stringify(fallback)
    ? ''
    : `, ${python}=${literal(args[name])}`;

const plain = (python: string): TorchRule => ({ value: ({ x }) => `${python}(${x('x')})` });
const along = (python: string, axis = 'dim'): TorchRule => ({
  value: ({ x, args }) => `${python}(${x('x')}, ${axis}=${literal(args.axis)})`,
});
const withNumber = (python: string, name: string): TorchRule => ({
  value: ({ x, args }) => `${python}(${x('x')}, ${literal(args[name])})`,
});
/** Over one axis or all of them. */
const reduction = (python: string, more = ''): TorchRule => ({
  value: ({ x, args }) => {
    const axis = args.axis === undefined ? '' : `, dim=${literal(args.axis)}${option(args, 'keep', false, 'keepdim')}`;
    return `${python}(${x('x')}${axis}${more})`;
  },
});
const pair = (python: string): TorchRule => ({ value: ({ x }) => `${python}(${x('x')}, ${x('y')})` });
const joined = (python: string): TorchRule => ({
  value: ({ x, has, args }) => {
    const parts = ['x', 'y', 'z', 'u', 'v', 'w'].filter(has).map(x);
    return `${python}([${parts.join(', ')}], dim=${literal(args.axis)})`;
  },
});
/** A module over x alone. */
const layer = (module: (call: TorchCall) => string): TorchRule => ({
  module,
  value: ({ self, x }) => `${self}(${x('x')})`,
});
const inputs = ({ shape }: TorchCall, axis: number): string => literal(shape('x').at(axis));

const convolution = (name: string, transposed: boolean): TorchRule =>
  layer(call => {
    const { args } = call;
    const more = [
      option(args, 'stride', 1),
      option(args, 'padding', 0),
      transposed ? option(args, 'output_padding', 0) : '',
      option(args, 'dilation', 1),
      option(args, 'groups', 1),
      option(args, 'bias', true),
    ].join('');
    return `nn.${name}(${inputs(call, 1)}, ${literal(args.out)}, ${literal(args.kernel)}${more})`;
  });
const pool = (python: string): TorchRule => ({
  value: ({ x, args }) =>
    `F.${python}(${x('x')}, ${literal(args.size)}${option(args, 'stride', undefined)}${option(args, 'padding', 0)})`,
});
const recurrent = (name: string): TorchRule => ({
  module: call => {
    const { args } = call;
    const more = `${option(args, 'layers', 1, 'num_layers')}${option(args, 'bidirectional', false)}`;
    return `nn.${name}(${inputs(call, 2)}, ${literal(args.size)}, batch_first=True${more})`;
  },
  value: ({ self, x, has, args }) => {
    const states = ['state', 'cell'].filter(has).map(each => `${x(each)}[None]`);
    const given = states.length === 0 ? '' : `, ${states.length === 1 ? states[0] : `(${states.join(', ')})`}`;
    const result = `${self}(${x('x')}${given})`;
    if (args.states !== true) return `${result}[0]`;
    return `with_states(${result}${args.bidirectional === true ? ', directions=2' : ''})`;
  },
  helper: ({ states }) => (states === true ? 'with_states' : undefined),
});
/** BatchNorm1d takes [B, C] and [B, C, L], BatchNorm2d images. */
const rankOf = ({ shape }: TorchCall): string => `${Math.max(1, shape('x').length - 2)}d`;
const attention = (source: string): TorchRule => ({
  module: call => `nn.MultiheadAttention(${inputs(call, 2)}, ${literal(call.args.heads)}, batch_first=True)`,
  value: ({ self, x, has, args }) =>
    `attend(${self}, ${x('x')}, ${x(source)}${option(args, 'causal', false)}${has('mask') ? `, mask=${x('mask')}` : ''})`,
  helper: () => 'self_attention',
});

export const rules: Readonly<Record<string, TorchRule>> = {
  relu: plain('F.relu'),
  relu6: plain('F.relu6'),
  leaky_relu: withNumber('F.leaky_relu', 'slope'),
  elu: withNumber('F.elu', 'alpha'),
  selu: plain('F.selu'),
  gelu: { value: ({ x, args }) => `F.gelu(${x('x')}${args.tanh === true ? ', approximate="tanh"' : ''})` },
  silu: plain('F.silu'),
  sigmoid: plain('torch.sigmoid'),
  tanh: plain('torch.tanh'),
  log_sigmoid: plain('F.logsigmoid'),
  softplus: { value: ({ x, args }) => `F.softplus(${x('x')}${option(args, 'beta', 1)})` },
  threshold: { value: ({ x, args }) => `F.threshold(${x('x')}, ${literal(args.at)}, ${literal(args.value)})` },
  softsign: plain('F.softsign'),
  mish: plain('F.mish'),
  hardtanh: { value: ({ x, args }) => `F.hardtanh(${x('x')}, ${literal(args.min)}, ${literal(args.max)})` },
  tanhshrink: plain('F.tanhshrink'),
  softshrink: withNumber('F.softshrink', 'lambda'),
  hardshrink: withNumber('F.hardshrink', 'lambda'),
  celu: withNumber('F.celu', 'alpha'),
  hard_sigmoid: plain('F.hardsigmoid'),
  hard_swish: plain('F.hardswish'),
  softmax: along('F.softmax'),
  softmin: along('F.softmin'),
  log_softmax: along('F.log_softmax'),
  glu: plain('F.glu'),
  prelu: layer(call => `nn.PReLU(${call.args.channels === true ? inputs(call, 1) : ''})`),
  exp: plain('torch.exp'),
  log: plain('torch.log'),
  log1p: plain('torch.log1p'),
  expm1: plain('torch.expm1'),
  sqrt: plain('torch.sqrt'),
  abs: plain('torch.abs'),
  sign: plain('torch.sign'),
  sin: plain('torch.sin'),
  cos: plain('torch.cos'),
  erf: plain('torch.erf'),
  tan: plain('torch.tan'),
  rsqrt: plain('torch.rsqrt'),
  ceil: plain('torch.ceil'),
  floor: plain('torch.floor'),
  round: plain('torch.round'),
  square: plain('torch.square'),
  pow: withNumber('torch.pow', 'exponent'),
  clamp: {
    value: ({ x, args }) => `torch.clamp(${x('x')}${option(args, 'min', undefined)}${option(args, 'max', undefined)})`,
  },
  detach: { value: ({ x }) => `${x('x')}.detach()` },
  sum: reduction('torch.sum'),
  mean: reduction('torch.mean'),
  variance: reduction('torch.var', ', correction=0'),
  std: reduction('torch.std', ', correction=0'),
  max: reduction('torch.amax'),
  min: reduction('torch.amin'),
  norm: reduction('torch.linalg.vector_norm'),
  prod: reduction('torch.prod'),
  argmax: along('torch.argmax'),
  argmin: along('torch.argmin'),
  l2_normalize: along('F.normalize'),
  cosine_similarity: { value: ({ x }) => `F.cosine_similarity(${x('x')}, ${x('y')}, dim=-1)` },
  flatten: { value: ({ x }) => `${x('x')}.flatten(1)` },
  reshape: { value: ({ x, result }) => `${x('x')}.reshape(${sizes(result)})` },
  transpose: { value: ({ x, args }) => `${x('x')}.transpose(${literal(args.first)}, ${literal(args.second)})` },
  concat: joined('torch.cat'),
  stack: joined('torch.stack'),
  squeeze: along('torch.squeeze'),
  unsqueeze: along('torch.unsqueeze'),
  one_hot: { value: ({ x, args }) => `F.one_hot(${x('x')}, ${literal(args.C)}).float()` },
  select: { value: ({ x }) => `torch.where(${x('condition')}, ${x('x')}, ${x('y')})` },
  gather: { value: ({ x }) => `torch.gather(${x('x')}, -1, ${x('index')})` },
  arange: { value: ({ args }) => `torch.arange(${literal(args.length)})` },
  flip: { value: ({ x, args }) => `torch.flip(${x('x')}, [${literal(args.axis)}])` },
  roll: { value: ({ x, args }) => `torch.roll(${x('x')}, ${literal(args.by)}, ${literal(args.axis)})` },
  cumsum: along('torch.cumsum'),
  sort: {
    value: ({ x, args }) =>
      `torch.sort(${x('x')}, dim=${literal(args.axis)}${option(args, 'descending', false)}).values`,
  },
  largest: { value: ({ x, args }) => `torch.topk(${x('x')}, ${literal(args.k)}, dim=${literal(args.axis)}).values` },
  tril: withNumber('torch.tril', 'diagonal'),
  triu: withNumber('torch.triu', 'diagonal'),
  maximum: pair('torch.maximum'),
  minimum: pair('torch.minimum'),
  linear: layer(call => `nn.Linear(${inputs(call, -1)}, ${literal(call.args.out)}${option(call.args, 'bias', true)})`),
  dropout: { value: ({ x, args }) => `F.dropout(${x('x')}, ${literal(args.rate)}, self.training)` },
  embedding: {
    module: ({ args }) => `nn.Embedding(${literal(args.V)}, ${literal(args.dim)})`,
    value: ({ self, x }) => `${self}(${x('tokens')})`,
  },
  positions: {
    module: ({ args }) => `nn.Embedding(${literal(args.length)}, ${literal(args.dim)})`,
    value: ({ self }) => `${self}.weight`,
  },
  layer_norm: layer(call => `nn.LayerNorm(${inputs(call, -1)}${option(call.args, 'eps', 1e-5)})`),
  rms_norm: layer(call => `nn.RMSNorm(${inputs(call, -1)}, eps=${literal(call.args.eps)})`),
  batch_norm: layer(
    call =>
      `nn.BatchNorm${rankOf(call)}(${inputs(call, 1)}${option(call.args, 'eps', 1e-5)}${option(call.args, 'momentum', 0.1)})`,
  ),
  group_norm: layer(
    call => `nn.GroupNorm(${literal(call.args.groups)}, ${inputs(call, 1)}${option(call.args, 'eps', 1e-5)})`,
  ),
  instance_norm: layer(
    call =>
      `nn.InstanceNorm${rankOf(call)}(${inputs(call, 1)}${option(call.args, 'eps', 1e-5)}${option(call.args, 'affine', false)})`,
  ),
  conv1d: convolution('Conv1d', false),
  conv2d: convolution('Conv2d', false),
  conv_transpose1d: convolution('ConvTranspose1d', true),
  conv_transpose2d: convolution('ConvTranspose2d', true),
  max_pool1d: pool('max_pool1d'),
  max_pool2d: pool('max_pool2d'),
  avg_pool1d: pool('avg_pool1d'),
  avg_pool2d: pool('avg_pool2d'),
  adaptive_avg_pool1d: withNumber('F.adaptive_avg_pool1d', 'size'),
  adaptive_avg_pool2d: withNumber('F.adaptive_avg_pool2d', 'size'),
  adaptive_max_pool1d: withNumber('F.adaptive_max_pool1d', 'size'),
  adaptive_max_pool2d: withNumber('F.adaptive_max_pool2d', 'size'),
  global_avg_pool: { value: ({ x }) => `${x('x')}.flatten(2).mean(2)` },
  global_max_pool: { value: ({ x }) => `${x('x')}.flatten(2).amax(2)` },
  upsample: {
    value: ({ x, args }) =>
      `F.interpolate(${x('x')}, scale_factor=${literal(args.scale)}${args.bilinear === true ? ', mode="bilinear"' : ''})`,
  },
  pixel_shuffle: withNumber('F.pixel_shuffle', 'scale'),
  pixel_unshuffle: withNumber('F.pixel_unshuffle', 'scale'),
  self_attention: attention('x'),
  cross_attention: attention('context'),
  attention: {
    value: ({ x, has, args }) =>
      `F.scaled_dot_product_attention(${x('query')}, ${x('key')}, ${x('value')}${has('mask') ? `, attn_mask=${x('mask')}[:, None]` : ''}${option(args, 'causal', false, 'is_causal')})`,
  },
  rotary: { value: ({ x, args }) => `rotary(${x('x')}, ${literal(args.base)})`, helper: () => 'rotary' },
  sinusoidal_positions: {
    value: ({ args }) => `sinusoidal_positions(${literal(args.length)}, ${literal(args.dim)})`,
    helper: () => 'sinusoidal_positions',
  },
  chunk: { value: ({ x, args }) => `torch.chunk(${x('x')}, ${literal(args.parts)}, dim=${literal(args.axis)})` },
  split: { value: ({ x, args }) => `torch.split(${x('x')}, ${literal(args.sizes)}, dim=${literal(args.axis)})` },
  top_k: { value: ({ x, args }) => `torch.topk(${x('x')}, ${literal(args.k)}, dim=${literal(args.axis)})` },
  rnn: recurrent('RNN'),
  gru: recurrent('GRU'),
  lstm: recurrent('LSTM'),
};

/** Sizes of a shape, the batch as -1. */
function sizes(shape: readonly Dim[]): string {
  if (shape.filter(d => !isConstant(d)).length > 1) throw new UnreadableSize();
  return shape.map(d => (isConstant(d) ? String(d) : '-1')).join(', ');
}
