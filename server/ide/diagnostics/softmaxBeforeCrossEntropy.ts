/** `softmax-before-cross-entropy`: softmax applied twice. */
import type { Rule } from './rule.ts';

export const softmaxBeforeCrossEntropy: Rule<'softmax-before-cross-entropy'> = {
  message: ({ callee }) => `${callee} takes logits and applies softmax itself`,
  help: () => 'remove the softmax',
  fixTitle: () => 'remove the softmax',
  page: {
    title: 'softmax twice',
    about:
      '`cross_entropy` computes `-log softmax(logits)[label]` in one stable step. With a softmax before it the gradients shrink and training stalls, without an error.',
    example: { wrong: program(' |> softmax'), right: program('') },
  },
};

function program(tail: string): string {
  return [
    'data Digits = digits() {',
    '  image = image |> flatten',
    '  split validation: 0.1',
    '  batch 64',
    '}',
    '',
    'train first on Digits {',
    `  scores = image |> linear(10)${tail}`,
    '  minimize cross_entropy(scores, label) using adam(lr: 0.001)',
    '  epochs 2',
    '}',
    '',
  ].join('\n');
}
