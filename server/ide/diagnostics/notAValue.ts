/** `not-a-value`: something that can't stand where a tensor is wanted. */
import type { Rule } from './rule.ts';

export const notAValue: Rule<'not-a-value'> = {
  severity: 'error',
  message: ({ name, found }) => `expected a tensor, found ${name === '' ? found : `${name}, ${found}`}`,
  help: ({ found }) => (found.includes('layer') || found.includes('model') ? 'apply it to a tensor first' : undefined),
  page: {
    title: 'not a value here',
    about:
      'A layer with hyperparameters alone (`linear(128)`) is a layer that owns weights; it becomes a tensor when it is applied to one: `x |> fc`.',
    example: {
      wrong: 'model Net(x: [B, 4]) -> [B, 2] {\n  fc = linear(2)\n  y = x |> fc\n  fc\n}\n',
      right: 'model Net(x: [B, 4]) -> [B, 2] {\n  fc = linear(2)\n  x |> fc\n}\n',
    },
  },
};
