/** `type-mismatch`: another kind of value than the place takes. */
import type { Rule } from './rule.ts';

export const typeMismatch: Rule<'type-mismatch'> = {
  message: ({ subject, callee, expected, found }) =>
    `expected ${expected} for ${subject}${callee === undefined ? '' : ` of ${callee}`}, found ${found}`,
  help: ({ expected, found }) => {
    if (expected.startsWith('index(') && found.startsWith('int['))
      return 'the range of an index is known: a remainder such as x % 10, or a column named in csv("…", categories: "column")';
    if (expected.startsWith('[') && found.startsWith('bool[')) return '1 * x makes numbers of a bool x: 0 and 1';
    if (/^\[/.test(expected) && /^(int|index\(.*\))\[/.test(found))
      return '1.0 * x makes real numbers of a whole x, such as a target of the classes 0 and 1';
    return undefined;
  },
  page: {
    title: 'another kind of value',
    about:
      'Tensors, numbers, strings, optimisers and schedules each have their places. `index(n)[…]` holds whole numbers from 0 to n-1, `int` and `float` are hyperparameters known before training.',
    example: {
      wrong: 'model Net(x: [B, 4]) -> [B, 2] {\n  x |> linear("2")\n}\n',
      right: 'model Net(x: [B, 4]) -> [B, 2] {\n  x |> linear(2)\n}\n',
    },
  },
};
