/** `data-missing`: a data file that isn't there. */
import type { Rule } from './rule.ts';

export const dataMissing: Rule<'data-missing'> = {
  severity: 'error',
  message: ({ message }) => message,
  help: ({ path }) =>
    path === '' ? undefined : 'paths count from the folder of this file, and data lies inside the workspace',
  page: {
    title: 'data that is not there',
    about:
      'The file a source names could not be found or read. Paths are relative to the `.strata` file and stay inside the workspace. Nothing is downloaded by editing. `digits()`, `spirals()` and `moons()` need no files.',
  },
};
