/** `misplaced-transform`: random where fixed is wanted, or the reverse. */
import type { Rule } from './rule.ts';

export const misplacedTransform: Rule<'misplaced-transform'> = {
  message: ({ where }) =>
    where === 'augment'
      ? 'expected a random transform that keeps the shape in augment, found a fixed one'
      : 'expected a fixed transform outside of augment, found a random one',
  help: ({ where, name }) => (where === 'augment' ? `move ${name} out of augment` : `move ${name} into augment { … }`),
  page: {
    title: 'a transform in the wrong place',
    about:
      'Fields are prepared once and are the same for training, validation and test. Random transforms belong into `augment`, which training samples alone go through, anew in every step. `mask` and `noise` may stand in both places: among the fields they are drawn once a sample. What is learnt from the data (`standardize` without numbers) belongs among the fields.',
    example: {
      wrong: 'data Digits = digits() {\n  image = image |> shift(2)\n  batch 64\n}\n',
      right: 'data Digits = digits() {\n  augment { image = image |> shift(2) }\n  batch 64\n}\n',
    },
  },
};
