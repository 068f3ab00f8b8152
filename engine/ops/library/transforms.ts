/** Transforms of data fields: signatures speak of one sample, `build` works on a batch of them. */
import { type Dim, sizeOf } from '../../dim/dim.ts';
import type { Value } from '../builder.ts';
import { demand, dimension, number, shapeOf, tensor, typeOf } from './arguments.ts';
import type { Arguments, BuildContext, TransformFunction } from './function.ts';
import { hits, normal } from './numerics.ts';
import { oneHot, reshaped } from './shapes.ts';

/** The field as f32: bytes and integers are converted by the first transform that computes. */
function field(context: BuildContext, args: Arguments): Value {
  return context.b.cast(tensor(args, 'x'), 'f32');
}

function plain(
  name: string,
  hyperparameters: string,
  doc: string,
  rule: (context: BuildContext, x: Value, args: Arguments) => Value,
): TransformFunction {
  const signature = `${name}(x: [...]${hyperparameters && `, ${hyperparameters}`}) -> [...]`;
  const build: TransformFunction['build'] = (context, args) => rule(context, field(context, args), args);
  return { kind: 'transform', name, signature, doc, random: false, build };
}

/** All axes of a batch but the first. */
function sampleAxes(x: Value): readonly number[] {
  return x.type.shape.map((_, axis) => axis).slice(1);
}

/** `share` [B] of each sample and the rest of the one it meets when the batch is read backwards. */
function mixed({ b }: BuildContext, x: Value, share: Value): Value {
  const own = b.reshape(share, [x.type.shape[0]!, ...sampleAxes(x).map(() => 1)]);
  return b.add(b.mul(x, own), b.mul(b.flip(x, [0]), b.sub(1, own)));
}

/**
 * Numbers from Beta(a, a): with w = u^(1 / a) and c = cos(2 pi v), (1 + c sqrt((1 - w) / (w + (1 - w) c^2))) / 2. Exact for every a: Bailey's
 * (1994) t variate of 2a degrees of freedom, brought to (0, 1).
 */
function symmetricBeta(context: BuildContext, shape: readonly Dim[], a: number): Value {
  const { b } = context;
  const w = b.exp(b.div(b.log(b.sub(1, context.uniform(shape))), a));
  const c = b.cos(b.mul(context.uniform(shape), 2 * Math.PI));
  const rest = b.sub(1, w);
  const tangent = b.sqrt(b.div(rest, b.maximum(b.add(w, b.mul(rest, b.square(c))), TINY)));
  return b.mul(b.add(b.mul(c, tangent), 1), 0.5);
}

/** Keeps a quotient of two numbers that underflow from being 0 / 0. */
const TINY = 1e-30;

export const transforms: readonly TransformFunction[] = [
  {
    ...plain('scale', 'by: float', 'x * by.', ({ b }, x, args) => b.mul(x, number(args, 'by'))),
    example: 'image |> scale(1 / 255)',
  },
  plain(
    'normalize',
    '',
    'Each sample to the range 0 to 1: (x - min) / (max - min); a sample without contrast becomes 0.',
    ({ b }, x) => {
      const axes = sampleAxes(x);
      const least = b.min(x, { axes, keep: true });
      const range = b.sub(b.max(x, { axes, keep: true }), least);
      return b.div(b.sub(x, least), b.select(b.greater(range, 0), range, 1));
    },
  ),
  {
    kind: 'transform',
    name: 'flatten',
    signature: 'flatten(x: [...]) -> [N]',
    doc: 'All axes of a sample folded into one.',
    random: false,
    type: args => ({ dtype: typeOf(args, 'x').dtype, shape: [sizeOf(typeOf(args, 'x').shape)] }),
    build: ({ b }, args) => {
      const [batch = 1, ...sample] = tensor(args, 'x').type.shape;
      return b.reshape(tensor(args, 'x'), [batch, sizeOf(sample)]);
    },
  },
  {
    kind: 'transform',
    name: 'reshape',
    signature: 'reshape(x: [...], shape: shape) -> [...]',
    doc: 'The same elements of a sample in another shape; one size may be -1, which is inferred.',
    example: 'image |> reshape([1, 28, 28])',
    random: false,
    type: args => ({ ...typeOf(args, 'x'), shape: reshaped(typeOf(args, 'x').shape, shapeOf(args, 'shape')) }),
    build: ({ b }, args) => {
      const [batch = 1, ...sample] = tensor(args, 'x').type.shape;
      return b.reshape(tensor(args, 'x'), [batch, ...reshaped(sample, shapeOf(args, 'shape'))]);
    },
  },
  {
    ...oneHot,
    kind: 'transform',
    random: false,
    doc: 'A new last axis with 1 at the position of the index and 0 elsewhere. A class that is missing must be filled in before.',
    build: ({ b }, args) => {
      const x = tensor(args, 'x');
      const hot = b.cast(hits(b, x, dimension(args, 'C')), 'f32');
      // A missing class (-1) becomes 0 / 0, which preparation reports, and no row of zeros.
      return b.div(hot, b.cast(b.greaterEqual(b.unsqueeze(x, -1), 0), 'f32'));
    },
  },
  {
    ...plain(
      'noise',
      'std: float = 0.1',
      'Adds normal noise to every element. Among the fields drawn once a sample, in `augment` anew in every step.',
      (context, x, args) => context.b.add(x, context.b.mul(normal(context, x.type.shape), number(args, 'std'))),
    ),
    random: true,
    once: true,
  },
  {
    kind: 'transform',
    name: 'mixup',
    signature: 'mixup(x: [...], label: [C], alpha: float = 0.2) -> ([...], [C])',
    doc: 'Each sample and its one-hot label mixed with those of another of the batch, in shares l and 1 - l with l from Beta(alpha, alpha) (Zhang et al., 2018). The other is found by reading the batch backwards.',
    example: 'image, target = mixup(image, target, alpha: 0.4)',
    random: true,
    build: (context, args) => {
      const alpha = number(args, 'alpha');
      demand(alpha > 0, 'mixup', 'an alpha above 0', alpha);
      const [x, label] = [field(context, args), context.b.cast(tensor(args, 'label'), 'f32')];
      const share = symmetricBeta(context, x.type.shape.slice(0, 1), alpha);
      return [mixed(context, x, share), mixed(context, label, share)];
    },
  },
];
