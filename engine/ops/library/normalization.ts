/** Normalisation layers; weights and running statistics have the names and starts of PyTorch's modules. */
import { type Dim, floorDivDim, isConstant, sizeOf } from '../../dim/dim.ts';
import type { Value } from '../builder.ts';
import { moments } from '../primitives/normalize.ts';
import { demand, flag, known, number, tensor, typeOf } from './arguments.ts';
import type { Arguments, BuildContext, TensorFunction } from './function.ts';
import { countOf, mean } from './numerics.ts';

const ones = { kind: 'constant', value: 1 } as const;
const zeros = { kind: 'constant', value: 0 } as const;

/** x * weight + bias, with one weight and bias an entry of `axis`. */
function affine(context: BuildContext, x: Value, axis: number, size: number): Value {
  const { b } = context;
  const shape = x.type.shape.map((_, i) => (i === axis ? size : 1));
  const [weight, bias] = [context.parameter('weight', [size], ones), context.parameter('bias', [size], zeros)];
  return b.add(b.mul(x, b.reshape(weight, shape)), b.reshape(bias, shape));
}

function layerNorm(context: BuildContext, args: Arguments): Value {
  const x = tensor(args, 'x');
  const last = x.type.shape.length - 1;
  const y = context.b.normalize(x, [last], number(args, 'eps'));
  return affine(context, y, last, known('layer_norm', x.type.shape[last]!));
}

function rmsNorm(context: BuildContext, args: Arguments): Value {
  const { b } = context;
  const x = tensor(args, 'x');
  const weight = context.parameter('weight', [known('rms_norm', x.type.shape.at(-1)!)], ones);
  return b.mul(b.normalize(x, [-1], number(args, 'eps'), false), weight);
}

/** n / (n - 1) for the n values that a channel's statistics are taken over. */
function unbiased(context: BuildContext, variance: Value, dims: readonly Dim[]): Value {
  const { b } = context;
  const count = countOf(b, dims);
  const size = sizeOf(dims);
  if (isConstant(size)) return size > 1 ? b.mul(variance, size / (size - 1)) : variance;
  // A last batch of one sample has no spread to correct.
  const least = b.maximum(b.sub(count, 1), 1);
  return b.mul(variance, b.div(count, least));
}

function batchNorm(context: BuildContext, args: Arguments): Value {
  const { b, training } = context;
  const x = tensor(args, 'x');
  const channels = known('batch_norm', x.type.shape[1]!);
  const [momentum, eps] = [number(args, 'momentum'), number(args, 'eps')];
  demand(momentum >= 0 && momentum <= 1, 'batch_norm', 'a momentum from 0 to 1', momentum);
  const runningMean = context.statistic('running_mean', [channels], 0);
  const runningVariance = context.statistic('running_var', [channels], 1);
  const column = x.type.shape.map((_, axis) => (axis === 1 ? channels : 1));
  if (!training) {
    const centered = b.sub(x, b.reshape(runningMean.value, column));
    const spread = b.sqrt(b.add(b.reshape(runningVariance.value, column), eps));
    return affine(context, b.div(centered, spread), 1, channels);
  }
  const axes = x.type.shape.map((_, axis) => axis).filter(axis => axis !== 1);
  const batch = moments(b, x, value => mean(b, value, { axes, keep: true }));
  const moved = (old: Value, now: Value): Value =>
    b.add(b.mul(old, 1 - momentum), b.mul(b.detach(b.reshape(now, [channels])), momentum));
  runningMean.update(moved(runningMean.value, batch.mean));
  const spread = unbiased(
    context,
    batch.variance,
    axes.map(axis => x.type.shape[axis]!),
  );
  runningVariance.update(moved(runningVariance.value, spread));
  return affine(context, b.normalize(x, axes, eps), 1, channels);
}

/** Mean and variance over each of `groups` runs of channels of a sample, [B, C, ...]. */
function groupNormalized(context: BuildContext, args: Arguments, groups: number): Value {
  const { b } = context;
  const x = tensor(args, 'x');
  const [batch, ...rest] = x.type.shape as [Dim, ...Dim[]];
  const grouped = b.reshape(x, [batch, groups, floorDivDim(sizeOf(rest), groups)]);
  return b.reshape(b.normalize(grouped, [2], number(args, 'eps')), x.type.shape);
}

function groupNorm(context: BuildContext, args: Arguments): Value {
  const groups = number(args, 'groups');
  const channels = known('group_norm', tensor(args, 'x').type.shape[1]!);
  demand(groups >= 1 && channels % groups === 0, 'group_norm', `groups that divide ${channels}`, groups);
  return affine(context, groupNormalized(context, args, groups), 1, channels);
}

function instanceNorm(context: BuildContext, args: Arguments): Value {
  const channels = known('instance_norm', tensor(args, 'x').type.shape[1]!);
  const y = groupNormalized(context, args, channels);
  return flag(args, 'affine') ? affine(context, y, 1, channels) : y;
}

export const normalizationLayers: readonly TensorFunction[] = [
  {
    kind: 'layer',
    name: 'layer_norm',
    signature: 'layer_norm(x: [..., D], eps: float = 1e-5) -> [..., D]',
    doc: '(x - mean) / sqrt(variance + eps) over the last axis, times weight plus bias (Ba et al., 2016).',
    fixed: ['D'],
    build: layerNorm,
  },
  {
    kind: 'layer',
    name: 'rms_norm',
    signature: 'rms_norm(x: [..., D], eps: float = 1e-6) -> [..., D]',
    doc: 'x / sqrt(mean of squares + eps) over the last axis, times weight (Zhang and Sennrich, 2019).',
    fixed: ['D'],
    build: rmsNorm,
  },
  {
    kind: 'layer',
    name: 'batch_norm',
    signature: 'batch_norm(x: [B, C, ...], momentum: float = 0.1, eps: float = 1e-5) -> [B, C, ...]',
    doc: 'Each channel to mean 0 and variance 1 over the batch, times weight plus bias; evaluation uses running statistics (Ioffe and Szegedy, 2015).',
    spread: args => sizeOf(typeOf(args, 'x').shape.toSpliced(1, 1)),
    fixed: ['C'],
    build: batchNorm,
  },
  {
    kind: 'layer',
    name: 'group_norm',
    signature: 'group_norm(x: [B, C, ...], groups: int, eps: float = 1e-5) -> [B, C, ...] where C % groups == 0',
    doc: 'Each group of channels of a sample to mean 0 and variance 1, times weight plus bias a channel (Wu and He, 2018).',
    example: 'x |> group_norm(4)',
    fixed: ['C'],
    build: groupNorm,
  },
  {
    kind: 'layer',
    name: 'instance_norm',
    signature: 'instance_norm(x: [B, C, ...], eps: float = 1e-5, affine: bool = false) -> [B, C, ...]',
    doc: 'Each channel of a sample to mean 0 and variance 1; with `affine` times weight plus bias (Ulyanov et al., 2016).',
    fixed: ['C'],
    build: instanceNorm,
  },
];
