/** `unshared-weights`: the same model twice, with weights of their own. */
import type { Rule } from './rule.ts';

export const unsharedWeights: Rule<'unshared-weights'> = {
  severity: 'warning',
  message: ({ model }) => `each anonymous ${model} has weights of its own`,
  help: ({ model }) => `bind it once to share them: net = ${model}()`,
  page: {
    title: 'two sets of weights',
    about:
      'Applying a model directly makes an anonymous one. Twice in a train block means two, where sharing was likely meant: bind it to a name and apply that.',
  },
};
