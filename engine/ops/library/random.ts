/** Random tensors for models and train blocks: the latent vectors of generators. New numbers every step. */
import { shapeOf } from './arguments.ts';
import type { TensorFunction } from './function.ts';
import { normal } from './numerics.ts';

export const randomFunctions: readonly TensorFunction[] = [
  {
    kind: 'function',
    name: 'normal',
    signature: 'normal(shape: shape) -> [...]',
    doc: 'Standard normal numbers, new ones every step.',
    example: 'latent = normal([B, 64])',
    type: args => ({ dtype: 'f32', shape: shapeOf(args, 'shape') }),
    build: (context, args) => normal(context, shapeOf(args, 'shape')),
  },
  {
    kind: 'function',
    name: 'uniform',
    signature: 'uniform(shape: shape) -> [...]',
    doc: 'Uniform numbers of at least 0 and below 1, new ones every step.',
    example: 'chance = uniform([B, 1])',
    type: args => ({ dtype: 'f32', shape: shapeOf(args, 'shape') }),
    build: (context, args) => context.uniform(shapeOf(args, 'shape')),
  },
];
