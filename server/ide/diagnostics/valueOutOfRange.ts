/** `value-out-of-range`: a number outside of what makes sense. */
import type { Rule } from './rule.ts';

export const valueOutOfRange: Rule<'value-out-of-range'> = {
  message: ({ subject, expected, found }) => `expected ${expected} for ${subject}, found ${found}`,
  page: {
    title: 'a number out of range',
    about: 'The value has the right type, but lies outside of what the parameter takes.',
    example: {
      wrong: 'model Net(x: [B, 4]) -> [B, 4] {\n  x |> dropout(2)\n}\n',
      right: 'model Net(x: [B, 4]) -> [B, 4] {\n  x |> dropout(0.2)\n}\n',
    },
  },
};
