/** Multi-head self-attention, its weights named and started as torch.nn.MultiheadAttention's. */
import type { Dim } from '../../dim/dim.ts';
import type { Value } from '../builder.ts';
import { demand, flag, known, number, tensor } from './arguments.ts';
import type { Arguments, BuildContext, TensorFunction } from './function.ts';
import { fanIn } from './layers.ts';
import { MASKED, softmax } from './numerics.ts';

const zeros = { kind: 'constant', value: 0 } as const;

/** Scores of positions that lie after the one that asks are masked. scores [B, heads, T, T]. */
function causal(context: BuildContext, scores: Value): Value {
  const { b } = context;
  const { shape } = scores.type;
  return b.select(b.lessEqual(b.iota(shape, 3), b.iota(shape, 2)), scores, MASKED);
}

function selfAttention(context: BuildContext, args: Arguments): Value {
  const { b } = context;
  const x = tensor(args, 'x');
  const [batch, time] = x.type.shape as [Dim, Dim];
  const width = known('self_attention', x.type.shape[2]!);
  const heads = number(args, 'heads');
  demand(heads >= 1 && width % heads === 0, 'self_attention', `a number of heads that divides ${width}`, heads);
  // xavier_uniform over the joint matrix: sqrt(6 / (inputs + outputs)).
  const xavier = { kind: 'uniform', bound: Math.sqrt(6 / (4 * width)) } as const;
  const joint = context.parameter('in_proj_weight', [3 * width, width], xavier);
  const projected = b.add(
    b.matmul(x, joint, { transposeB: true }),
    context.parameter('in_proj_bias', [3 * width], zeros),
  );
  const part = (at: number): Value => {
    const piece = b.sliceAxis(projected, 2, at * width, width);
    return b.transpose(b.reshape(piece, [batch, time, heads, width / heads]), [0, 2, 1, 3]);
  };
  const scores = b.mul(b.matmul(part(0), part(1), { transposeB: true }), 1 / Math.sqrt(width / heads));
  const weights = softmax(b, flag(args, 'causal') ? causal(context, scores) : scores);
  const mixed = b.reshape(b.transpose(b.matmul(weights, part(2)), [0, 2, 1, 3]), [batch, time, width]);
  const out = context.parameter('out_proj.weight', [width, width], fanIn(width));
  return b.add(b.matmul(mixed, out, { transposeB: true }), context.parameter('out_proj.bias', [width], zeros));
}

export const attentionLayers: readonly TensorFunction[] = [
  {
    kind: 'layer',
    name: 'self_attention',
    signature: 'self_attention(x: [B, T, D], heads: int, causal: bool = false) -> [B, T, D] where D % heads == 0',
    doc: 'softmax(Q K^T / sqrt(D / heads)) V for each head, then a linear layer; `causal` hides later positions (Vaswani et al., 2017).',
    example: 'x |> self_attention(heads: 4, causal: true)',
    build: selfAttention,
  },
];
