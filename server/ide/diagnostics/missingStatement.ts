/** `missing-statement`: a block without something it can't do without. */
import type { Rule } from './rule.ts';

export const missingStatement: Rule<'missing-statement'> = {
  severity: 'error',
  message: ({ block, statement }) => `expected a ${statement} statement in ${block}`,
  fixTitle: ({ statement }) => `add ${statement}`,
  page: {
    title: 'a missing statement',
    about:
      'A `train` block needs `minimize … using …` and a length (`epochs` or `steps`); a `data` block needs `batch`.',
    example: {
      wrong: 'data Points = moons() {\n  split validation: 0.1\n}\n',
      right: 'data Points = moons() {\n  split validation: 0.1\n  batch 50\n}\n',
    },
  },
};
