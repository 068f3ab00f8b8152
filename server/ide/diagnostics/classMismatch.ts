/** `class-mismatch`: labels of another number of classes than the logits score. */
import type { Rule } from './rule.ts';

export const classMismatch: Rule<'class-mismatch'> = {
  message: ({ classes, logits, callee }) =>
    `expected ${classes} logits for labels of ${classes} classes in ${callee}, found ${logits}`,
  help: ({ classes }) => `let the last layer give ${classes} outputs`,
  fixTitle: ({ classes, logits }) => `change ${logits} to ${classes}`,
  page: {
    title: 'logits and classes that differ',
    about:
      'The last axis of the logits holds one score a class, and the label type `index(n)` says how many classes the data has. Both must be the same number.',
    example: {
      wrong: program('linear(12)'),
      right: program('linear(10)'),
    },
  },
};

function program(layer: string): string {
  return [
    'data Digits = digits() {',
    '  image = image |> flatten',
    '  split validation: 0.1',
    '  batch 64',
    '}',
    '',
    'train first on Digits {',
    `  logits = image |> ${layer}`,
    '  minimize cross_entropy(logits, label) using adam(lr: 0.001)',
    '  epochs 2',
    '}',
    '',
  ].join('\n');
}
