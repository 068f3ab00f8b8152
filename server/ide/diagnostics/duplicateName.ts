/** `duplicate-name`: two of one name where there can be one. */
import type { Rule } from './rule.ts';

export const duplicateName: Rule<'duplicate-name'> = {
  message: ({ name, what }) => `expected each ${what} once, found ${name} again`,
  help: () => 'rename or remove one of them',
  page: {
    title: 'the same name twice',
    about: 'Declarations, parameters, arguments and settings each have a name of their own in their place.',
    example: {
      wrong: 'model Net(x: [B, 4]) -> [B, 4] {\n  x |> dropout(rate: 0.1, rate: 0.2)\n}\n',
      right: 'model Net(x: [B, 4]) -> [B, 4] {\n  x |> dropout(rate: 0.1)\n}\n',
    },
  },
};
