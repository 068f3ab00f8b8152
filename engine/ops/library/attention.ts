/** Multi-head attention, its weights named and started as torch.nn.MultiheadAttention's, and positions that are not learned. */
import type { Dim } from '../../dim/dim.ts';
import type { Value } from '../builder.ts';
import { type Masks, masked, scoresOf } from '../primitives/attention.ts';
import { demand, dimension, flag, known, number, optionalTensor, tensor } from './arguments.ts';
import type { Arguments, BuildContext, TensorFunction } from './function.ts';
import { fanIn } from './layers.ts';

const zeros = { kind: 'constant', value: 0 } as const;

/** x [B, T, heads * size] as [B, heads, T, size]. */
function splitHeads(context: BuildContext, x: Value, heads: number): Value {
  const [batch, time, width] = x.type.shape as [Dim, Dim, number];
  return context.b.transpose(context.b.reshape(x, [batch, time, heads, width / heads]), [0, 2, 1, 3]);
}

/**
 * Scores of a head from which on they are computed by blocks, and again for the gradient: where the half that a causal mask hides is
 * worth more time than that, and where memory falls to less than half (docs/performance.md).
 */
const MANY_SCORES = { causal: 192 * 192, all: 1024 * 1024 };

/** softmax(Q K^T / sqrt(D)) V for each head: q [B, heads, T, D], k [B, heads, S, D], v [B, heads, S, E] give [B, heads, T, E]. */
function attend({ b }: BuildContext, q: Value, k: Value, v: Value, masks: Masks): Value {
  known('attention', q.type.shape[3]!);
  const [queries, keys] = [q, k].map(x => x.type.shape[2]!);
  const many = MANY_SCORES[masks.causal ? 'causal' : 'all'];
  if (typeof queries === 'number' && typeof keys === 'number' && queries * keys >= many) {
    return b.op('attention', [q, k, v, ...(masks.mask ? [masks.mask] : [])], { causal: masks.causal });
  }
  return b.matmul(b.softmax(masked(b, scoresOf(b, q, k), masks)), v);
}

/** The inverse of splitHeads. */
function joinHeads(context: BuildContext, x: Value): Value {
  const [batch, heads, time, size] = x.type.shape as [Dim, number, Dim, number];
  return context.b.reshape(context.b.transpose(x, [0, 2, 1, 3]), [batch, time, heads * size]);
}

/** Attention of x [B, T, D] to `source` [B, S, D]; one product projects all that have the same input. */
function multiHead(name: string, context: BuildContext, args: Arguments, source: Value, masks: Masks): Value {
  const { b } = context;
  const x = tensor(args, 'x');
  const width = known(name, x.type.shape[2]!);
  const heads = number(args, 'heads');
  demand(heads >= 1 && width % heads === 0, name, `a number of heads that divides ${width}`, heads);
  // xavier_uniform over the joint matrix: sqrt(6 / (inputs + outputs)).
  const xavier = { kind: 'uniform', bound: Math.sqrt(6 / (4 * width)) } as const;
  const joint = context.parameter('in_proj_weight', [3 * width, width], xavier);
  const bias = context.parameter('in_proj_bias', [3 * width], zeros);
  /** Parts `from` to `from + count` of query, key, value, each [B, heads, time, width / heads]. */
  const project = (input: Value, from: number, count: number): readonly Value[] => {
    const rows = (v: Value): Value => b.sliceAxis(v, 0, from * width, count * width);
    const projected = b.add(b.matmul(input, rows(joint), { transposeB: true }), rows(bias));
    return Array.from({ length: count }, (_, at) =>
      splitHeads(context, b.sliceAxis(projected, 2, at * width, width), heads),
    );
  };
  const [q, k, v] = source === x ? project(x, 0, 3) : [...project(x, 0, 1), ...project(source, 1, 2)];
  const mixed = joinHeads(context, attend(context, q!, k!, v!, masks));
  const out = context.parameter('out_proj.weight', [width, width], fanIn(width));
  return b.add(b.matmul(mixed, out, { transposeB: true }), context.parameter('out_proj.bias', [width], zeros));
}

/** Angles position * base^(-2 i / dim) for i below dim / 2, f32 [length, dim / 2]. */
function angles(context: BuildContext, name: string, length: Dim, dim: number, base: number): Value {
  const { b } = context;
  demand(dim % 2 === 0, name, 'an even size', dim);
  const shape = [length, dim / 2];
  const rate = b.exp(b.mul(b.cast(b.iota(shape, 1), 'f32'), (-2 * Math.log(base)) / dim));
  return b.mul(b.cast(b.iota(shape, 0), 'f32'), rate);
}

/** Pairs (x_i, x_{i + D/2}) turned by the angle of their position. */
function rotated(context: BuildContext, args: Arguments): Value {
  const { b } = context;
  const x = tensor(args, 'x');
  const [length, dim] = x.type.shape.slice(-2) as [Dim, Dim];
  const width = known('rotary', dim);
  const angle = angles(context, 'rotary', length, width, number(args, 'base'));
  const [cos, sin] = [b.cos(angle), b.sin(angle)];
  const [first, second] = [0, width / 2].map(start => b.sliceAxis(x, -1, start, width / 2));
  const turned = [b.sub(b.mul(first!, cos), b.mul(second!, sin)), b.add(b.mul(second!, cos), b.mul(first!, sin))];
  return b.concat(turned, -1);
}

/** sin of the angles at even places, cos at odd ones. */
function sinusoids(context: BuildContext, args: Arguments): Value {
  const { b } = context;
  const [length, dim] = [dimension(args, 'length'), number(args, 'dim')];
  const angle = angles(context, 'sinusoidal_positions', length, dim, 10_000);
  return b.reshape(b.stack([b.sin(angle), b.cos(angle)], 2), [length, dim]);
}

export const attentionLayers: readonly TensorFunction[] = [
  {
    kind: 'layer',
    name: 'self_attention',
    signature:
      'self_attention(x: [B, T, D], heads: int, causal: bool = false, mask?: bool[B, T]) -> [B, T, D] where D % heads == 0',
    doc: 'softmax(Q K^T / sqrt(D / heads)) V for each head, then a linear layer; `causal` hides later positions, `mask` those that are false, such as padding (Vaswani et al., 2017).',
    example: 'x |> self_attention(heads: 4, causal: true)',
    fixed: ['D'],
    build: (context, args) => {
      const masks = { causal: flag(args, 'causal'), mask: optionalTensor(args, 'mask') };
      return multiHead('self_attention', context, args, tensor(args, 'x'), masks);
    },
  },
  {
    kind: 'layer',
    name: 'cross_attention',
    signature:
      'cross_attention(x: [B, T, D], context: [B, S, D], heads: int, mask?: bool[B, S]) -> [B, T, D] where D % heads == 0',
    doc: 'Attention of x to `context`: queries from x, keys and values from the context; `mask` hides the places of the context that are false (Vaswani et al., 2017).',
    example: 'y |> cross_attention(encoded, heads: 4)',
    fixed: ['D'],
    build: (context, args) => {
      const masks = { causal: false, mask: optionalTensor(args, 'mask') };
      return multiHead('cross_attention', context, args, tensor(args, 'context'), masks);
    },
  },
  {
    kind: 'function',
    name: 'attention',
    signature:
      'attention(query: [B, T, D], key: [B, S, D], value: [B, S, E], causal: bool = false, mask?: bool[B, S]) -> [B, T, E]',
    doc: 'softmax(Q K^T / sqrt(D)) V without weights of its own, as torch.nn.functional.scaled_dot_product_attention.',
    example: 'attention(state, encoded, encoded, mask: source != 0)',
    build: (context, args) => {
      const [q, k, v] = ['query', 'key', 'value'].map(name => context.b.unsqueeze(tensor(args, name), 1));
      const masks = { causal: flag(args, 'causal'), mask: optionalTensor(args, 'mask') };
      return context.b.squeeze(attend(context, q!, k!, v!, masks), [1]);
    },
  },
  {
    kind: 'function',
    name: 'rotary',
    signature: 'rotary(x: [..., T, D], base: float = 10000) -> [..., T, D] where D % 2 == 0',
    doc: 'Rotary positions: the pair (x_i, x_{i + D/2}) at position t is turned by t base^(-2i / D) (Su et al., 2021). For queries and keys.',
    example: 'q |> rotary',
    build: rotated,
  },
  {
    kind: 'function',
    name: 'sinusoidal_positions',
    signature: 'sinusoidal_positions(length: int, dim: int) -> [length, dim] where dim % 2 == 0',
    doc: 'sin(t / 10000^(2i / dim)) at place 2i and the cosine at 2i + 1, to be added to embeddings (Vaswani et al., 2017).',
    example: '(tokens |> embedding(64)) + sinusoidal_positions(T, 64)',
    build: sinusoids,
  },
];
