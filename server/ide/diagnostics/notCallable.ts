/** `not-callable`: a call of something that isn't a function. */
import type { Rule } from './rule.ts';

export const notCallable: Rule<'not-callable'> = {
  message: ({ found }) => `expected a function, layer or model to call, found ${found}`,
  page: {
    title: 'not something to call',
    about: 'Only functions, layers and models can be called or stand after `|>`.',
    example: {
      wrong: 'model Net(x: [B, 4]) -> [B, 4] {\n  x |> relu |> x\n}\n',
      right: 'model Net(x: [B, 4]) -> [B, 4] {\n  x |> relu\n}\n',
    },
  },
};
