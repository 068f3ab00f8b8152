/** `not-a-value`: a declaration where a value, or another kind of declaration, is wanted. */
import type { Rule } from './rule.ts';

export const notAValue: Rule<'not-a-value'> = {
  message: ({ name, found }) => `${name} is ${found}, which can't stand here`,
  page: {
    title: 'not a value here',
    about:
      'A `data` or `train` block is a declaration, not a tensor: its fields come into scope in the train block that runs `on` it, and `on` takes a data block alone.',
    example: {
      wrong: program('Net'),
      right: program('Points'),
    },
  },
};

function program(on: string): string {
  return [
    'model Net(x: [B, 2]) -> [B, 2] {',
    '  x |> linear(2)',
    '}',
    '',
    'data Points = moons() {',
    '  batch 50',
    '}',
    '',
    `train first on ${on} {`,
    '  logits = point |> Net',
    '  minimize cross_entropy(logits, label) using adam(lr: 0.001)',
    '  epochs 2',
    '}',
    '',
  ].join('\n');
}
