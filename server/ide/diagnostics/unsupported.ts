/** `unsupported`: the grammar has it, training not yet. */
import type { Rule } from './rule.ts';

export const unsupported: Rule<'unsupported'> = {
  message: ({ what }) => `${what} is not supported yet`,
  page: {
    title: 'not supported yet',
    about: 'The language defines it, but this version can not train it.',
  },
};
