/** `not-constant`: a value that must be known before training. */
import type { Rule } from './rule.ts';

export const notConstant: Rule<'not-constant'> = {
  message: ({ subject }) => `expected a value known before training for ${subject}`,
  page: {
    title: 'not known before training',
    about:
      'Sizes, rates and settings are fixed when the program is compiled: numbers, constants, hyperparameters and arithmetic over them.',
  },
};
