/** `batch-too-large`: a batch that the data can't fill. */
import type { Rule } from './rule.ts';

export const batchTooLarge: Rule<'batch-too-large'> = {
  message: ({ batch, samples }) =>
    `expected a batch of at most ${samples.toLocaleString('en')}, the training samples there are, found ${batch.toLocaleString('en')}`,
  fixTitle: ({ samples }) => `make the batch ${samples}`,
  page: {
    title: 'a batch larger than the data',
    about: 'A batch holds training samples, after the splits have taken theirs. There must be enough for one.',
    example: {
      wrong: 'data Points = moons(samples: 100) {\n  batch 500\n}\n',
      right: 'data Points = moons(samples: 100) {\n  batch 50\n}\n',
    },
  },
};
