/** `data-malformed`: a data file that isn't what its source expects. */
import type { Rule } from './rule.ts';

export const dataMalformed: Rule<'data-malformed'> = {
  message: ({ message }) => message,
  page: {
    title: 'data that can not be read',
    about:
      'The file is there, but it is cut, empty or of another format than its source reads. The checker reads headers alone, and reads them again when the file changes.',
  },
};
