/** `recursive-model`: a model that contains itself. */
import type { Rule } from './rule.ts';

export const recursiveModel: Rule<'recursive-model'> = {
  message: ({ model, through }) =>
    through.length === 0
      ? `${model} can't contain itself`
      : `${model} can't contain itself, as it does through ${through.join(', ')}`,
  help: () => 'repeat n { … } stacks a fixed number of layers',
  page: {
    title: 'a model inside itself',
    about: 'Models are laid out before training, so one that contains itself would never end.',
    example: {
      wrong: 'model Net(x: [B, 4]) -> [B, 4] {\n  x |> Net\n}\n',
      right: 'model Net(x: [B, 4]) -> [B, 4] {\n  x |> linear(4)\n}\n',
    },
  },
};
