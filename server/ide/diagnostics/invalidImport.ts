/** `invalid-import`: a file that can't be imported. */
import type { Rule } from './rule.ts';

export const invalidImport: Rule<'invalid-import'> = {
  message: ({ path, reason }) =>
    reason === 'cycle' ? `${path} imports this file, directly or not` : `no file ${path} can be read`,
  page: {
    title: 'an import that does not work',
    about: 'Imports are relative paths to `.strata` files of the workspace, and never go in a circle.',
    example: { wrong: 'import Net from "missing.strata"\n', right: '' },
  },
};
