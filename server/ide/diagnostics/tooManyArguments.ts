/** `too-many-arguments`: more values than parameters. */
import type { Rule } from './rule.ts';

export const tooManyArguments: Rule<'too-many-arguments'> = {
  message: ({ callee, most, found }) =>
    `expected at most ${most} ${most === 1 ? 'argument' : 'arguments'} for ${callee}, found ${found}`,
  page: {
    title: 'too many arguments',
    about: 'In a pipeline the value on the left counts too: `x |> f(1)` is `f(x, 1)`.',
    example: {
      wrong: 'model Net(x: [B, 4]) -> [B, 4] {\n  x |> relu(1)\n}\n',
      right: 'model Net(x: [B, 4]) -> [B, 4] {\n  x |> relu\n}\n',
    },
  },
};
