/** The batched matrix product. */
import { mulDim, sameDim, showShape, sizeOf } from '../../dim/dim.ts';
import type { TensorType } from '../../ir/graph.ts';
import type { Primitive } from '../primitive.ts';
import { ShapeError } from '../shapeError.ts';
import { tabulate } from './indexing.ts';
import { define, expectDType, expectInputs, expectRank } from './rules.ts';

type MatmulAttributes = { transposeA: boolean; transposeB: boolean };

const f32 = (...shape: number[]): TensorType => ({ dtype: 'f32', shape });

export const matmul: Primitive<MatmulAttributes> = define<MatmulAttributes>({
  name: 'matmul',
  doc: 'Matrix product [..., M, K] x [..., K, N] -> [..., M, N] over equal batch axes; `transposeA`, `transposeB` read the operand as [..., K, M], [..., N, K].',
  type: (inputs, { transposeA, transposeB }) => {
    expectInputs('matmul', inputs, 2);
    for (const input of [0, 1]) {
      expectDType('matmul', inputs, input, ['f32']);
      expectRank('matmul', inputs, input, 2);
    }
    const [a, b] = inputs.map(t => t.shape) as [TensorType['shape'], TensorType['shape']];
    const found = `${showShape(a)} and ${showShape(b)}`;
    const [m, ka] = transposeA ? [a.at(-1)!, a.at(-2)!] : [a.at(-2)!, a.at(-1)!];
    const [kb, n] = transposeB ? [b.at(-1)!, b.at(-2)!] : [b.at(-2)!, b.at(-1)!];
    if (!sameDim(ka, kb)) {
      const axis = a.length - (transposeA ? 2 : 1);
      throw new ShapeError({
        code: 'shape-mismatch',
        op: 'matmul',
        expected: 'equal inner sizes',
        found,
        axis,
        input: 0,
      });
    }
    const batch = a.slice(0, -2);
    const other = b.slice(0, -2);
    if (batch.length !== other.length || !batch.every((d, i) => sameDim(d, other[i]!))) {
      throw new ShapeError({ code: 'shape-mismatch', op: 'matmul', expected: 'equal batch axes', found });
    }
    return { dtype: 'f32', shape: [...batch, m, n] };
  },
  // C = op(A) op(B): d op(A) = G op(B)ᵀ and d op(B) = op(A)ᵀ G; of a transposed operand the whole product is transposed.
  vjp: (b, { inputs: [x, y], attributes: { transposeA, transposeB } }, g) => [
    transposeA
      ? b.op('matmul', [y!, g], { transposeA: transposeB, transposeB: true })
      : b.op('matmul', [g, y!], { transposeA: false, transposeB: !transposeB }),
    transposeB
      ? b.op('matmul', [g, x!], { transposeA: true, transposeB: transposeA })
      : b.op('matmul', [x!, g], { transposeA: !transposeA, transposeB: false }),
  ],
  lowering: { kind: 'matmul' },
  half: 'product',
  evaluate: ([x, y], { transposeA, transposeB }, output) => {
    const [m, n] = output.shape.slice(-2) as [number, number];
    const k = x!.shape.at(transposeA ? -2 : -1)!;
    // Strides of rows and columns of the operands as they are read.
    const [xm, xk] = transposeA ? [1, m] : [k, 1];
    const [yk, yn] = transposeB ? [1, k] : [n, 1];
    return tabulate(output.shape, (index, flat) => {
      const batch = Math.floor(flat / (m * n));
      const from = batch * m * k + index.at(-2)! * xm;
      const to = batch * k * n + index.at(-1)! * yn;
      let total = 0;
      for (let p = 0; p < k; p++) total += x!.data[from + p * xk]! * y!.data[to + p * yk]!;
      return total;
    });
  },
  flops: ([x], { transposeA }, output) => mulDim(mulDim(2, sizeOf(output.shape)), x!.shape.at(transposeA ? -2 : -1)!),
  samples: [
    { inputs: [f32(3, 4), f32(4, 5)], attributes: { transposeA: false, transposeB: false } },
    { inputs: [f32(4, 3), f32(4, 5)], attributes: { transposeA: true, transposeB: false } },
    { inputs: [f32(3, 4), f32(5, 4)], attributes: { transposeA: false, transposeB: true } },
    { inputs: [f32(4, 3), f32(5, 4)], attributes: { transposeA: true, transposeB: true } },
    { inputs: [f32(2, 3, 4), f32(2, 4, 1)], attributes: { transposeA: false, transposeB: false } },
    { inputs: [f32(17, 9), f32(9, 21)], attributes: { transposeA: false, transposeB: false } },
  ],
});
