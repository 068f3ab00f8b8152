/** Tensors of one number for models and train blocks: the states that recurrent cells start from, the labels of real and of made-up samples. */
import { shapeOf } from './arguments.ts';
import type { TensorFunction } from './function.ts';

function filled(name: string, value: number, example: string): TensorFunction {
  return {
    kind: 'function',
    name,
    signature: `${name}(shape: shape) -> [...]`,
    doc: `A tensor of ${name}.`,
    example,
    type: args => ({ dtype: 'f32', shape: shapeOf(args, 'shape') }),
    build: ({ b }, args) => b.constant(value, { dtype: 'f32', shape: shapeOf(args, 'shape') }),
  };
}

export const filledTensors: readonly TensorFunction[] = [
  filled('zeros', 0, 'concat(x, zeros([B, 4]))'),
  filled('ones', 1, 'bce(x |> linear(1), ones([B, 1]))'),
];
