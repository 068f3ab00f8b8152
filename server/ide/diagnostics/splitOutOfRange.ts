/** `split-out-of-range`: a split that leaves nothing. */
import type { Rule } from './rule.ts';

export const splitOutOfRange: Rule<'split-out-of-range'> = {
  message: ({ split, value, expected }) => `expected ${expected} for the ${split} split, found ${value}`,
  page: {
    title: 'an empty split',
    about:
      'A split is a fraction below 1 or a number of samples. Each split, and what is left to train on, needs samples.',
    example: {
      wrong: 'data Points = moons() {\n  split validation: 1.5\n  batch 50\n}\n',
      right: 'data Points = moons() {\n  split validation: 0.1\n  batch 50\n}\n',
    },
  },
};
