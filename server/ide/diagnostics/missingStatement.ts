/** `missing-statement`: a block without something it can't do without. */
import type { Rule } from './rule.ts';

const remedies: Readonly<Record<string, string>> = {
  minimize: 'a line such as minimize cross_entropy(logits, label) using adam(lr: 0.001)',
  using: 'say by which optimiser, such as using adam(lr: 0.001)',
  epochs: 'say how long it runs: epochs 10, or steps 1000',
  from: 'say where from: a run, or a file of weights',
};

export const missingStatement: Rule<'missing-statement'> = {
  message: ({ block, statement }) => `expected ${statement} in ${block}`,
  help: ({ statement }) => remedies[statement],
  fixTitle: ({ statement }) => `add ${statement}`,
  page: {
    title: 'a missing statement',
    about: 'A `train` block needs `minimize … using …` and a length: `epochs` or `steps`.',
    example: { wrong: program([]), right: program(['  epochs 2']) },
  },
};

function program(more: readonly string[]): string {
  return [
    'data Points = moons() {',
    '  batch 50',
    '}',
    '',
    'train first on Points {',
    '  logits = point |> linear(2)',
    '  minimize cross_entropy(logits, label) using adam(lr: 0.001)',
    ...more,
    '}',
    '',
  ].join('\n');
}
