/** `model-without-result`: a body that ends without a value. */
import type { Rule } from './rule.ts';

export const modelWithoutResult: Rule<'model-without-result'> = {
  message: ({ model }) => `expected an expression at the end of ${model}: its result`,
  page: {
    title: 'a model without a result',
    about: 'The last line of a model is its result: an expression, not a binding.',
    example: {
      wrong: 'model Net(x: [B, 4]) -> [B, 4] {\n  y = x\n}\n',
      right: 'model Net(x: [B, 4]) -> [B, 4] {\n  x\n}\n',
    },
  },
};
