/** Weights that are counted from the data, for losses over classes that are not equally frequent. */
import { dimension, known, tensor } from './arguments.ts';
import type { TensorFunction } from './function.ts';

export const classWeights: readonly TensorFunction[] = [
  {
    kind: 'function',
    name: 'balanced',
    signature: 'balanced(label: index(C)[B]) -> [C]',
    doc: 'A weight for each class of a field, samples / (classes * samples of the class) over the training samples, so that all classes weigh the same together; kept with the weights of the run.',
    example: 'minimize cross_entropy(logits, label, weights: balanced(label)) using adam()',
    fitted: true,
    build: (context, args) => {
      const classes = known('balanced', dimension(args, 'C'));
      const weights = context.fitted('weights', { kind: 'balance', classes }, tensor(args, 'label'));
      return context.b.reshape(weights, [classes]);
    },
  },
];
