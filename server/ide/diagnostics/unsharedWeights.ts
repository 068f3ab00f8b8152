/** `unshared-weights`: the same model twice, with weights of their own. */
import type { Rule } from './rule.ts';

export const unsharedWeights: Rule<'unshared-weights'> = {
  message: ({ model }) => `each anonymous ${model} has weights of its own`,
  help: ({ model }) => `bind it once to share them: net = ${model}()`,
  page: {
    title: 'two sets of weights',
    about:
      'Applying a model directly makes an anonymous one. Twice in a train block means two, where sharing was likely meant: bind it to a name and apply that.',
    example: {
      wrong: program(['  logits = (point |> Net) + (2 * point |> Net)']),
      right: program(['  net = Net()', '  logits = (point |> net) + (2 * point |> net)']),
    },
  },
};

function program(lines: readonly string[]): string {
  return [
    'model Net(x: [B, 2]) -> [B, 2] {',
    '  x |> linear(2)',
    '}',
    '',
    'data Points = moons() {',
    '  batch 50',
    '}',
    '',
    'train first on Points {',
    ...lines,
    '  minimize cross_entropy(logits, label) using adam(lr: 0.001)',
    '  epochs 2',
    '}',
    '',
  ].join('\n');
}
