/** The order of computations as an op: a value that kernels don't read before another one is there. */
import type { TensorType } from '../../ir/graph.ts';
import { define, expectInputs } from './rules.ts';

const f32 = (...shape: number[]): TensorType => ({ dtype: 'f32', shape });

/**
 * What is computed from after(x, turn) is another node than what is computed from x, and its kernel runs behind the one that computes
 * `turn`: so values are computed a second time instead of being kept. No kernel reads `turn` for it.
 */
export const after = define<Record<never, never>>({
  name: 'after',
  doc: 'x itself, which is not read before `turn` has been computed.',
  type: inputs => {
    expectInputs('after', inputs, 2);
    return inputs[0]!;
  },
  vjp: (_, __, g) => [g, undefined],
  lowering: { kind: 'view', source: index => ({ index }) },
  evaluate: ([x]) => x!.data.slice(),
  samples: [
    { inputs: [f32(3, 5), f32(2)], attributes: {} },
    { inputs: [{ dtype: 'i32', shape: [4] }, f32()], attributes: {} },
  ],
});
