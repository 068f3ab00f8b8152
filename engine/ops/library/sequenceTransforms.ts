/** Transforms of sequences: windows over time, and masked tokens to be guessed. */
import { type Dim, isConstant, showShape } from '../../dim/dim.ts';
import type { Shape } from '../../ir/graph.ts';
import type { Value } from '../builder.ts';
import { ShapeError } from '../shapeError.ts';
import { demand, dimension, known, number, tensor, typeOf } from './arguments.ts';
import type { Arguments, BuildContext, TransformFunction, TypeArguments } from './function.ts';

/** Windows of a sample [T, ...]: how many fit. */
function windowCount(sample: Shape, args: Arguments | TypeArguments): number {
  const [size, stride] = [number(args, 'size'), number(args, 'stride')];
  const [length] = sample;
  if (length === undefined || !isConstant(length)) {
    throw new ShapeError({
      code: 'shape-mismatch',
      op: 'windows',
      expected: 'a sequence [T, ...]',
      found: showShape(sample),
    });
  }
  demand(size >= 1 && size <= length, 'windows', `a size from 1 to the sequence's ${length}`, size);
  demand(stride >= 1, 'windows', 'a stride of at least 1', stride);
  return Math.floor((length - size) / stride) + 1;
}

/** x [B, T, ...] as [B, N, size, ...]. */
function slid({ b }: BuildContext, args: Arguments): Value {
  const x = tensor(args, 'x');
  windowCount(x.type.shape.slice(1), args);
  const windows = b.windows(x, { axes: [1], sizes: [number(args, 'size')], strides: [number(args, 'stride')] });
  const last = windows.type.shape.length - 1;
  const rest = [...windows.type.shape.keys()].slice(2, last);
  return b.transpose(windows, [0, 1, last, ...rest]);
}

/** A whole number in 0 .. count - 1 for each place, equally likely. */
function drawIndex(context: BuildContext, shape: readonly Dim[], count: number): Value {
  const { b } = context;
  return b.minimum(b.cast(b.mul(context.uniform(shape), count), 'i32'), count - 1);
}

/** Of the tokens chosen, BERT shows this share as the mask and this one as another token; the rest stays as it is. */
const SHOWN_AS_MASK = 0.8;
const SHOWN_AS_ANOTHER = 0.1;

/** The tokens as they are shown, and which of them are to be guessed. */
function masked(context: BuildContext, args: Arguments): readonly [Value, Value] {
  const { b } = context;
  const x = tensor(args, 'x');
  const rate = number(args, 'rate');
  demand(rate > 0 && rate <= 1, 'mask', 'a rate above 0 and at most 1', rate);
  const symbols = known('mask', dimension(args, 'V'));
  const symbol = number(args, 'symbol');
  demand(symbol >= 0 && symbol <= symbols, 'mask', `a symbol from 0 to ${symbols}`, symbol);
  const { shape } = x.type;
  const chosen = b.less(context.uniform(shape), rate);
  const way = context.uniform(shape);
  const another = b.select(b.less(way, SHOWN_AS_MASK + SHOWN_AS_ANOTHER), drawIndex(context, shape, symbols), x);
  const shown = b.select(b.less(way, SHOWN_AS_MASK), symbol, another);
  return [b.select(chosen, shown, x), chosen];
}

export const sequenceTransforms: readonly TransformFunction[] = [
  {
    kind: 'transform',
    name: 'windows',
    signature: 'windows(x: [T, ...], size: int, stride: int = 1) -> [N, size, ...]',
    doc: 'All windows of `size` successive steps of a sample, one every `stride`.',
    example: 'signal |> windows(25, stride: 10)',
    random: false,
    type: args => {
      const { shape, ...type } = typeOf(args, 'x');
      return { ...type, shape: [windowCount(shape, args), number(args, 'size'), ...shape.slice(1)] };
    },
    build: slid,
  },
  {
    kind: 'transform',
    name: 'mask',
    signature:
      'mask(x: index(V)[...], rate: float = 0.15, symbol: int = V) -> (index(max(V, symbol + 1))[...], bool[...])',
    doc: 'Hides `rate` of the tokens to be guessed, and says which: 80% of them become the mask, 10% any token, 10% stay (BERT, 2018). The mask is a symbol of its own, V, or one that the vocabulary has. Among the fields drawn once a sample, in `augment` anew in every step (RoBERTa, 2019).',
    example: 'shown, hidden = tokens |> mask(0.15)',
    random: true,
    once: true,
    build: masked,
  },
];
