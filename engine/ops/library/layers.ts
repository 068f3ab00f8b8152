/** Layers that own weights, and dropout; stored and initialised as PyTorch's modules of the same name. */

import type { Dim } from '../../dim/dim.ts';
import type { Init } from '../../ir/program.ts';
import type { Value } from '../builder.ts';
import { demand, dimension, flag, known, number, tensor } from './arguments.ts';
import type { BuildContext, TensorFunction } from './function.ts';

/** kaiming_uniform with a = sqrt 5, and the bias of the same layer: uniform in +-1 / sqrt(inputs of one unit). */
export function fanIn(inputs: number): Init {
  return { kind: 'uniform', bound: 1 / Math.sqrt(inputs) };
}

/** x W^T + b over the last axis of x, with weight [out, in] and bias [out] under the given names. */
export function project(context: BuildContext, x: Value, out: Dim, names: { weight: string; bias?: string }): Value {
  const { b } = context;
  const inputs = known('linear', x.type.shape.at(-1)!);
  const weight = context.parameter(names.weight, [out, inputs], fanIn(inputs));
  const rows = x.type.shape.length === 1 ? b.unsqueeze(x, 0) : x;
  const product = b.matmul(rows, weight, { transposeB: true });
  const y = rows === x ? product : b.squeeze(product, [0]);
  return names.bias === undefined ? y : b.add(y, context.parameter(names.bias, [out], fanIn(inputs)));
}

export const layers: readonly TensorFunction[] = [
  {
    kind: 'layer',
    name: 'linear',
    signature: 'linear(x: [..., in], out: int, bias: bool = true) -> [..., out]',
    doc: 'x W^T + b over the last axis. W is [out, in]; both start uniform within 1 / sqrt(in), as torch.nn.Linear.',
    example: 'x |> linear(128)',
    fixed: ['in'],
    build: (context, args) =>
      project(context, tensor(args, 'x'), dimension(args, 'out'), {
        weight: 'weight',
        ...(flag(args, 'bias') && { bias: 'bias' }),
      }),
  },
  {
    kind: 'function',
    name: 'dropout',
    signature: 'dropout(x: [...], rate: float = 0.5) -> [...]',
    doc: 'In training sets each element to 0 with probability `rate` and divides the rest by 1 - rate; otherwise x itself (Srivastava et al., 2014).',
    example: 'x |> dropout(0.2)',
    build: (context, args) => {
      const [x, rate] = [tensor(args, 'x'), number(args, 'rate')];
      demand(rate >= 0 && rate < 1, 'dropout', 'a rate of at least 0 and below 1', rate);
      if (!context.training || rate === 0) return x;
      const { b } = context;
      const kept = b.greaterEqual(context.uniform(x.type.shape), rate);
      return b.select(kept, b.mul(x, 1 / (1 - rate)), 0);
    },
  },
  {
    kind: 'layer',
    name: 'embedding',
    signature: 'embedding(tokens: index(V)[...], dim: int) -> [..., dim]',
    doc: 'A row of a [V, dim] table an index; the row count comes from the type. Starts standard normal, as torch.nn.Embedding.',
    example: 'tokens |> embedding(64)',
    build: (context, args) => {
      const table = context.parameter('weight', [dimension(args, 'V'), dimension(args, 'dim')], {
        kind: 'normal',
        std: 1,
      });
      return context.b.take(table, tensor(args, 'tokens'));
    },
  },
  {
    kind: 'layer',
    name: 'positions',
    signature: 'positions(length: int, dim: int) -> [length, dim]',
    doc: 'A learned vector a position, to be added to embeddings. Starts standard normal, as torch.nn.Embedding.',
    example: '(tokens |> embedding(64)) + positions(T, 64)',
    build: (context, args) =>
      context.parameter('weight', [dimension(args, 'length'), dimension(args, 'dim')], { kind: 'normal', std: 1 }),
  },
];
