/** Convolutions over sequences [B, C, L] and images [B, C, H, W], and transposed ones; weights and starts are those of PyTorch's modules. */
import { addDim, type Dim, isConstant, mulDim, subDim } from '../../dim/dim.ts';
import type { TensorType } from '../../ir/graph.ts';
import type { Value } from '../builder.ts';
import { convTranspose } from '../primitives/conv.ts';
import { expectDType } from '../primitives/rules.ts';
import { demand, dimension, flag, known, knownSizes, number, sizesOf, tensor, typeOf } from './arguments.ts';
import type { Arguments, BuildContext, SizeRequirement, TensorFunction, TypeArguments } from './function.ts';
import { fanIn } from './layers.ts';
import { atLeast, numbersOf, windowedType, windowsFit, windowsOf } from './windows.ts';

const product = (sizes: readonly number[]): number => sizes.reduce((n, d) => n * d, 1);

/** `groups` divides the channels that go in and those that come out. */
function groupsDivide(op: string, args: TypeArguments): readonly SizeRequirement[] {
  const groups = dimension(args, 'groups');
  if (isConstant(groups)) demand(groups >= 1, op, 'groups of at least 1', groups);
  return [typeOf(args, 'x').shape[1]!, dimension(args, 'out')].map(left => ({
    requirement: { kind: 'divides', left, right: groups },
  }));
}

/** y plus one bias a channel, if the layer has one. */
function biased(context: BuildContext, args: Arguments, y: Value, out: number, inputs: number): Value {
  if (!flag(args, 'bias')) return y;
  const { b } = context;
  const bias = context.parameter('bias', [out], fanIn(inputs));
  return b.add(y, b.reshape(bias, [1, out, ...y.type.shape.slice(2).map(() => 1)]));
}

/** Weight [out, C / groups, ...kernel]. */
function convolved(name: string, rank: number, context: BuildContext, args: Arguments): Value {
  const x = tensor(args, 'x');
  const [out, groups] = [number(args, 'out'), number(args, 'groups')];
  const channels = known(name, x.type.shape[1]!) / groups;
  const { kernel, stride, dilation, before, after } = windowsOf(name, args, rank);
  const sizes = numbersOf(kernel, name);
  const inputs = channels * product(sizes);
  const weight = context.parameter('weight', [out, channels, ...sizes], fanIn(inputs));
  const y = context.b.conv(x, weight, {
    strides: numbersOf(stride, name),
    dilations: numbersOf(dilation, name),
    before: numbersOf(before, name),
    after: numbersOf(after, name),
    groups,
  });
  return biased(context, args, y, out, inputs);
}

function conv(rank: number, spatial: string, example: string): TensorFunction {
  const name = `conv${rank}d`;
  const results = spatial.split(', ').map(axis => `O${axis}`);
  return {
    kind: 'layer',
    name,
    signature: `${name}(x: [B, C, ${spatial}], out: int, kernel: sizes, stride: sizes = 1, padding: padding = 0, dilation: sizes = 1, groups: int = 1, bias: bool = true) -> [B, out, ${results.join(', ')}]`,
    doc: `Cross-correlation with \`out\` kernels; each size becomes (size + 2 padding - dilation (kernel - 1) - 1) / stride + 1, and stays with padding: "same". Weight [out, C / groups, ...kernel] and bias start uniform within 1 / sqrt(C / groups * kernel size), as torch.nn.Conv${rank}d.`,
    example,
    fixed: ['C'],
    type: args => windowedType(name, args, windowsOf(name, args, rank), dimension(args, 'out')),
    requires: args => [...groupsDivide(name, args), ...windowsFit(args, windowsOf(name, args, rank))],
    build: (context, args) => convolved(name, rank, context, args),
  };
}

/** (L - 1) stride - 2 padding + dilation (kernel - 1) + output_padding + 1, for each axis. */
function transposedSizes(name: string, args: TypeArguments, rank: number): readonly Dim[] {
  const all = (parameter: string) => sizesOf(args, parameter, rank, name);
  const [kernel, stride, padding, dilation] = [all('kernel'), all('stride'), all('padding'), all('dilation')];
  atLeast(name, 'a kernel', 1, kernel);
  atLeast(name, 'a stride', 1, stride);
  const extra = all('output_padding');
  return typeOf(args, 'x')
    .shape.slice(2)
    .map((d, i) => {
      const reached = addDim(mulDim(subDim(d, 1), stride[i]!), mulDim(dilation[i]!, subDim(kernel[i]!, 1)));
      return addDim(subDim(reached, mulDim(2, padding[i]!)), addDim(extra[i]!, 1));
    });
}

/** Weight [C, out / groups, ...kernel]. */
function transposed(name: string, rank: number, context: BuildContext, args: Arguments): Value {
  const x = tensor(args, 'x');
  const all = (parameter: string) => knownSizes(args, parameter, rank, name);
  const [kernel, strides, padding, dilations] = [all('kernel'), all('stride'), all('padding'), all('dilation')];
  const extra = all('output_padding');
  const [out, groups] = [number(args, 'out'), number(args, 'groups')];
  for (const [i, e] of extra.entries())
    demand(e < Math.max(strides[i]!, dilations[i]!), name, 'an output_padding below the stride', e);
  const inputs = (out / groups) * product(kernel);
  const shape = [known(name, x.type.shape[1]!), out / groups, ...kernel];
  const weight = context.parameter('weight', shape, fanIn(inputs));
  const front = kernel.map((k, i) => dilations[i]! * (k - 1) - padding[i]!);
  const back = front.map((n, i) => n + extra[i]!);
  const y = convTranspose(context.b, x, weight, { strides, dilations, front, back, groups });
  return biased(context, args, y, out, inputs);
}

function convTransposed(rank: number, spatial: string, example: string): TensorFunction {
  const name = `conv_transpose${rank}d`;
  const results = spatial.split(', ').map(axis => `O${axis}`);
  return {
    kind: 'layer',
    name,
    signature: `${name}(x: [B, C, ${spatial}], out: int, kernel: sizes, stride: sizes = 1, padding: sizes = 0, output_padding: sizes = 0, dilation: sizes = 1, groups: int = 1, bias: bool = true) -> [B, out, ${results.join(', ')}]`,
    doc: `The adjoint of a convolution, which enlarges: each size becomes (size - 1) stride - 2 padding + dilation (kernel - 1) + output_padding + 1. Weight [C, out / groups, ...kernel] and bias start as torch.nn.ConvTranspose${rank}d.`,
    example,
    fixed: ['C'],
    type: (args): TensorType => {
      const x = typeOf(args, 'x');
      expectDType(name, [x], 0, ['f32']);
      return { dtype: 'f32', shape: [x.shape[0]!, dimension(args, 'out'), ...transposedSizes(name, args, rank)] };
    },
    requires: args => [
      ...groupsDivide(name, args),
      ...transposedSizes(name, args, rank).map(left => ({ requirement: { kind: 'atLeast', left, right: 1 } as const })),
    ],
    build: (context, args) => transposed(name, rank, context, args),
  };
}

export const convolutionLayers: readonly TensorFunction[] = [
  conv(1, 'L', 'x |> conv1d(32, kernel: 3, padding: "same")'),
  conv(2, 'H, W', 'x |> conv2d(32, kernel: 3, padding: 1)'),
  convTransposed(1, 'L', 'x |> conv_transpose1d(16, kernel: 4, stride: 2, padding: 1)'),
  convTransposed(2, 'H, W', 'x |> conv_transpose2d(16, kernel: 4, stride: 2, padding: 1)'),
];
