/** `layer-reuse`: one set of weights applied to inputs of two sizes. */
import type { Rule } from './rule.ts';

export const layerReuse: Rule<'layer-reuse'> = {
  message: ({ layer, expected, found }) => `expected ${expected}, for which ${layer} has its weights, found ${found}`,
  help: ({ layer }) => `bind a second layer instead of applying ${layer} again`,
  page: {
    title: 'one layer, two sizes',
    about:
      'A layer value owns its weights, and applying it twice shares them. Their sizes come from the first application, so every other one must have the same.',
    example: {
      wrong: 'model Net(x: [B, 4]) -> [B, 8] {\n  fc = linear(8)\n  x |> fc |> fc\n}\n',
      right: 'model Net(x: [B, 4]) -> [B, 8] {\n  fc1 = linear(8)\n  fc2 = linear(8)\n  x |> fc1 |> fc2\n}\n',
    },
  },
};
