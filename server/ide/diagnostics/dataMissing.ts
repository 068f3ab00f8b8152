/** `data-missing`: a data file that isn't there. */
import { isAddress } from '../../../engine/util/address.ts';
import type { Rule } from './rule.ts';

export const dataMissing: Rule<'data-missing'> = {
  message: ({ message }) => message,
  help: ({ path }) => {
    if (isAddress(path))
      return 'nothing is downloaded by editing: fetch it from above the data block, or with "strata fetch"';
    return path === '' ? undefined : 'paths count from the folder of this file, and data lies inside the workspace';
  },
  fixes: ({ path }) =>
    isAddress(path) ? [{ title: 'fetch the data', edits: [], certain: false, command: 'fetch' }] : [],
  page: {
    title: 'data that is not there',
    about:
      'The file a source names could not be found or read. Paths are relative to the `.strata` file and stay inside the workspace. Nothing is downloaded by editing: what an address names is fetched by a command, into `.strata/data`, under the checksum that stands behind the address. `digits()`, `spirals()` and `moons()` need no files.',
  },
};
