/** `unused-binding`: something that nothing reads. */
import type { Rule } from './rule.ts';

export const unusedBinding: Rule<'unused-binding'> = {
  message: ({ name, what }) => (what === 'layer' ? `layer ${name} is never applied` : `${what} ${name} is never read`),
  fixTitle: ({ name }) => `remove ${name}`,
  unnecessary: true,
  page: {
    title: 'a name that nothing reads',
    about:
      'A layer that is never applied has no weights and does nothing; a binding that is never read is left out of the graph.',
    example: {
      wrong: 'model Net(x: [B, 4]) -> [B, 2] {\n  fc1 = linear(8)\n  fc2 = linear(2)\n  x |> fc2\n}\n',
      right: 'model Net(x: [B, 4]) -> [B, 2] {\n  fc1 = linear(8)\n  fc2 = linear(2)\n  x |> fc1 |> fc2\n}\n',
    },
  },
};
