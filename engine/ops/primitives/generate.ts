/** Tensors made from indices alone: counting and random bits. */

import { showShape } from '../../dim/dim.ts';
import type { Shape, TensorType } from '../../ir/graph.ts';
import { applyTo, cast, flatten, uint } from '../../ir/scalars.ts';
import { philox } from '../../util/philox.ts';
import { ShapeError } from '../shapeError.ts';
import { tabulate } from './indexing.ts';
import { define, expectAxes, expectDType, expectInputs } from './rules.ts';

export const iota = define<{ shape: Shape; axis: number }>({
  name: 'iota',
  doc: 'i32 tensor of `shape` that holds its index along `axis`.',
  type: (inputs, { shape, axis }) => {
    expectInputs('iota', inputs, 0);
    expectAxes('iota', [axis], shape);
    return { dtype: 'i32', shape };
  },
  vjp: () => [],
  lowering: { kind: 'generate', scalar: (index, _, { axis }) => index[axis]! },
  evaluate: (_, { axis }, output) => tabulate(output.shape, index => index[axis]!),
  samples: [
    { inputs: [], attributes: { shape: [5], axis: 0 } },
    { inputs: [], attributes: { shape: [2, 3], axis: 1 } },
  ],
});

export const randomBits = define<{ shape: Shape; stream: number }>({
  name: 'random_bits',
  doc: 'u32 random bits of `shape` from the i32 scalars seed and step: element i is word i % 4 of block i / 4 of Philox4x32-10 with key (seed, stream) (Salmon et al., SC 2011).',
  type: (inputs, { shape }) => {
    expectInputs('random_bits', inputs, 2);
    for (const [input, { shape }] of inputs.entries()) {
      expectDType('random_bits', inputs, input, ['i32']);
      if (shape.length > 0)
        throw new ShapeError({
          code: 'rank-mismatch',
          op: 'random_bits',
          expected: 'scalars seed and step',
          found: showShape(shape),
          input,
        });
    }
    return { dtype: 'u32', shape };
  },
  vjp: () => [undefined, undefined],
  lowering: {
    kind: 'generate',
    scalar: (index, load, { stream }, _, output) =>
      applyTo(
        'u32',
        'philox',
        cast('u32', load(0, [])),
        uint(stream),
        cast('u32', load(1, [])),
        cast('u32', flatten(index, output)),
      ),
  },
  evaluate: ([seed, step], { stream }, output) =>
    tabulate(output.shape, (_, flat) => philox(seed!.data[0]!, stream, step!.data[0]!, flat)),
  samples: [
    {
      inputs: scalars(),
      attributes: { shape: [3, 7], stream: 5 },
      domain: [
        [0, 99],
        [0, 99],
      ],
    },
  ],
});

function scalars(): readonly TensorType[] {
  return [
    { dtype: 'i32', shape: [] },
    { dtype: 'i32', shape: [] },
  ];
}
