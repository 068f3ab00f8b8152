/** Joining tensors along an axis. */
import { addDim, type Dim, sameDim, showShape } from '../../dim/dim.ts';
import { ShapeError } from '../shapeError.ts';
import { offsetOf, tabulate } from './indexing.ts';
import { define, expectAxes, expectSameDTypes } from './rules.ts';

export const concat = define<{ axis: number }>({
  name: 'concat',
  doc: 'Joins tensors along `axis`; their other sizes are equal.',
  type: (inputs, { axis }) => {
    const dtype = expectSameDTypes('concat', inputs);
    const first = inputs[0]!.shape;
    expectAxes('concat', [axis], first);
    for (const [input, { shape }] of inputs.entries()) {
      const wrong =
        shape.length === first.length ? shape.findIndex((d, i) => i !== axis && !sameDim(d, first[i]!)) : -1;
      if (wrong < 0 && shape.length === first.length) continue;
      const code = shape.length === first.length ? 'shape-mismatch' : 'rank-mismatch';
      const expected = `shapes that differ in axis ${axis} alone from ${showShape(first)}`;
      throw new ShapeError({
        code,
        op: 'concat',
        expected,
        found: showShape(shape),
        input,
        ...(wrong >= 0 && { axis: wrong }),
      });
    }
    return {
      dtype,
      shape: first.with(
        axis,
        inputs.reduce<Dim>((n, { shape }) => addDim(n, shape[axis]!), 0),
      ),
    };
  },
  vjp: (b, { inputs, attributes: { axis } }, g) => {
    let start: Dim = 0;
    return inputs.map(x => {
      const size = x.type.shape[axis]!;
      const part = b.sliceAxis(g, axis, start, size);
      start = addDim(start, size);
      return part;
    });
  },
  lowering: { kind: 'concat' },
  half: 'carries',
  evaluate: (inputs, { axis }, output) =>
    tabulate(output.shape, index => {
      let at = index[axis]!;
      const part = inputs.find(x => {
        if (at < x.shape[axis]!) return true;
        at -= x.shape[axis]!;
        return false;
      })!;
      return part.data[offsetOf(index.with(axis, at), part.shape)]!;
    }),
  samples: [
    {
      inputs: [
        { dtype: 'f32', shape: [3] },
        { dtype: 'f32', shape: [2] },
      ],
      attributes: { axis: 0 },
    },
    {
      inputs: [
        { dtype: 'f32', shape: [2, 1] },
        { dtype: 'f32', shape: [2, 3] },
        { dtype: 'f32', shape: [2, 2] },
      ],
      attributes: { axis: 1 },
    },
  ],
});
