/** `missing-argument`: a call without something it can't do without. */
import type { Rule } from './rule.ts';

export const missingArgument: Rule<'missing-argument'> = {
  message: ({ callee, parameter, type }) => `expected ${parameter}: ${type} in the call of ${callee}`,
  help: ({ signature }) => signature,
  fixTitle: ({ parameter }) => `add ${parameter}`,
  page: {
    title: 'a missing argument',
    about: 'Parameters without a default must be given, by position or by name.',
    example: {
      wrong: 'model Net(x: [B, 4]) -> [B, 2] {\n  fc = linear()\n  x |> fc\n}\n',
      right: 'model Net(x: [B, 4]) -> [B, 2] {\n  fc = linear(2)\n  x |> fc\n}\n',
    },
  },
};
