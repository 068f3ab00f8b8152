/** Transforms of data fields: signatures speak of one sample, `build` works on a batch of them. */
import { sizeOf } from '../../dim/dim.ts';
import type { Value } from '../builder.ts';
import { dimension, number, shapeOf, tensor, typeOf } from './arguments.ts';
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
    ...plain('noise', 'std: float = 0.1', 'Adds normal noise to every element.', (context, x, args) =>
      context.b.add(x, context.b.mul(normal(context, x.type.shape), number(args, 'std'))),
    ),
    random: true,
  },
];
