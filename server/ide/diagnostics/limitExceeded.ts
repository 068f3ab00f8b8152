/** `limit-exceeded`: a document beyond what is checked while typing. */
import type { Rule } from './rule.ts';

const units = {
  bytes: 'bytes',
  nesting: 'levels of nesting',
  tokens: 'tokens',
  unrolling: 'unrolled layers',
  terms: 'terms in a size',
} as const;

export const limitExceeded: Rule<'limit-exceeded'> = {
  message: ({ what, limit }) =>
    `expected at most ${limit.toLocaleString('en')} ${units[what]}, so the rest is not checked`,
  help: () => 'split the file and import its parts',
  page: {
    title: 'too large to check',
    about:
      'Documents have limits of size, nesting, tokens and unrolled layers, so that no file can stall the editor. Split the file into several and `import` them.',
  },
};
