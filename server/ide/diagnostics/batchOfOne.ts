/** `batch-of-one`: a norm over a batch that has nothing to compare a sample with. */
import type { Rule } from './rule.ts';

export const batchOfOne: Rule<'batch-of-one'> = {
  message: ({ callee, batch, samples }) =>
    samples === undefined
      ? `expected several values a channel for ${callee}, found batches of one sample`
      : `expected several values a channel for ${callee}, found one sample in the last batch: ${samples.toLocaleString('en')} in batches of ${batch.toLocaleString('en')} leave 1`,
  help: ({ better }) => (better === undefined ? undefined : `use batches of ${better}`),
  page: {
    title: 'a statistic of one sample',
    about:
      '`batch_norm` subtracts the mean of the batch and divides by its deviation. Of one value a channel nothing is left but 0: the layer forgets its input, no gradient passes, and the running variance is pulled to 0. An epoch ends with the samples that fill no batch, which may be a single one. (PyTorch refuses such a batch.) Images keep several values a channel until they are pooled to one.',
    example: { wrong: program(57), right: program(58) },
  },
};

function program(batch: number): string {
  return [
    'data Points = moons(samples: 400) {',
    `  batch ${batch}`,
    '}',
    '',
    'train first on Points {',
    '  logits = point |> linear(16) |> batch_norm |> relu |> linear(2)',
    '  minimize cross_entropy(logits, label) using adam(lr: 0.01)',
    '  epochs 2',
    '}',
    '',
  ].join('\n');
}
