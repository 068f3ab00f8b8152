/** Rows by index: gathering them and its adjoint, summing into them. */
import { sameShape, showShape } from '../../dim/dim.ts';
import type { Shape, TensorType } from '../../ir/graph.ts';
import { constant } from '../../ir/interning.ts';
import { apply, compare, int, select } from '../../ir/scalars.ts';
import { ShapeError } from '../shapeError.ts';
import { sizeOfShape, tabulate } from './indexing.ts';
import { define, expectDType, expectInputs, expectLength, expectRank } from './rules.ts';

type None = Record<never, never>;

const f32 = (...shape: number[]): TensorType => ({ dtype: 'f32', shape });
const i32 = (...shape: number[]): TensorType => ({ dtype: 'i32', shape });

export const take = define<None>({
  name: 'take',
  doc: 'Rows of a table: [N, ...rest] at i32 indices [...I] gives [...I, ...rest]; zeros where an index is out of range.',
  type: inputs => {
    expectInputs('take', inputs, 2);
    expectRank('take', inputs, 0, 1);
    expectDType('take', inputs, 1, ['i32']);
    const [table, indices] = inputs as [TensorType, TensorType];
    return { dtype: table.dtype, shape: [...indices.shape, ...table.shape.slice(1)] };
  },
  vjp: (b, { inputs: [table, indices] }, g) => [b.scatterAdd(indices!, g, table!.type.shape[0]!), undefined],
  half: 'carries',
  lowering: {
    kind: 'generate',
    scalar: (index, load, _, [table, indices]) => {
      const rank = indices!.length;
      const row = load(1, index.slice(0, rank));
      const inside = apply('and', compare('le', int(0), row), compare('lt', row, int(table![0]!)));
      // The load is guarded too: a row out of range must not be read, even if its value is not chosen.
      const value = load(0, [select(inside, row, int(0)), ...index.slice(rank)]);
      return select(inside, value, constant(0, value.type));
    },
  },
  evaluate: ([table, indices], _, output) => {
    const row = sizeOfShape(table!.shape.slice(1));
    const rows = table!.shape[0]!;
    return tabulate(output.shape, (_, flat) => {
      const at = indices!.data[Math.floor(flat / row)]!;
      return at >= 0 && at < rows ? table!.data[at * row + (flat % row)]! : 0;
    });
  },
  samples: [
    {
      inputs: [f32(5, 3), i32(4)],
      attributes: {},
      domain: [
        [-2, 2],
        [0, 5],
      ],
    },
    {
      inputs: [f32(5), i32(2, 3)],
      attributes: {},
      domain: [
        [-2, 2],
        [-1, 6],
      ],
    },
    {
      inputs: [{ dtype: 'u8', shape: [5, 2, 2] }, i32(3)],
      attributes: {},
      domain: [
        [0, 255],
        [0, 5],
      ],
    },
  ],
});

export const scatterAdd = define<{ rows: Shape }>({
  name: 'scatter_add',
  doc: 'Sums rows of updates [...I, ...rest] into [...rows, ...rest] at i32 indices [...I]; those out of range are dropped.',
  type: (inputs, { rows }) => {
    expectInputs('scatter_add', inputs, 2);
    expectLength('scatter_add', 'row counts', rows, [0]);
    expectDType('scatter_add', inputs, 0, ['i32']);
    expectDType('scatter_add', inputs, 1, ['f32']);
    const [indices, updates] = inputs as [TensorType, TensorType];
    const rank = indices.shape.length;
    if (!sameShape(indices.shape, updates.shape.slice(0, rank))) {
      const expected = `updates whose first axes are ${showShape(indices.shape)}`;
      throw new ShapeError({
        code: 'shape-mismatch',
        op: 'scatter_add',
        expected,
        found: showShape(updates.shape),
        input: 1,
      });
    }
    return { dtype: updates.dtype, shape: [...rows, ...updates.shape.slice(rank)] };
  },
  vjp: (b, { inputs: [indices] }, g) => [undefined, b.take(g, indices!)],
  lowering: { kind: 'scatter' },
  evaluate: ([indices, updates], _, output) => {
    const out = new Float64Array(sizeOfShape(output.shape));
    const row = sizeOfShape(output.shape.slice(1));
    for (const [i, at] of indices!.data.entries()) {
      if (at < 0 || at >= output.shape[0]!) continue;
      for (let j = 0; j < row; j++) out[at * row + j] = out[at * row + j]! + updates!.data[i * row + j]!;
    }
    return out;
  },
  samples: [
    {
      inputs: [i32(6), f32(6, 2)],
      attributes: { rows: [4] },
      domain: [
        [0, 4],
        [-2, 2],
      ],
    },
    {
      inputs: [i32(2, 3), f32(2, 3)],
      attributes: { rows: [5] },
      domain: [
        [-1, 6],
        [-2, 2],
      ],
    },
  ],
});
