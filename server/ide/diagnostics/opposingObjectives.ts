/** `opposing-objectives`: adversaries that move each other's weights. */
import { gan } from './gan.ts';
import type { Rule } from './rule.ts';

const generator = 'minimize bce(d(fake), 1) over g';

export const opposingObjectives: Rule<'opposing-objectives'> = {
  message: ({ weights }) => `this loss and its opposite both move ${weights.join(' and ')}`,
  help: ({ over }) =>
    over.length > 0
      ? `let it move its own weights alone: over ${over.join(', ')}`
      : 'let each move weights of its own with over, or stop the gradient with detach',
  fixTitle: ({ over }) => `add over ${over.join(', ')}`,
  page: {
    title: 'two opposing losses over the same weights',
    about:
      'A `minimize` moves all weights that its gradient reaches, unless `over` names some. Of two adversaries, one raises what the other lowers: the loss of a discriminator would also teach the generator to be found out. `over d` keeps it to the weights of `d`; `fake |> detach |> d`, which ends the gradient before the generator, does the same. With `over` alone nothing is computed in vain: gradients are taken for the weights that move.',
    example: {
      wrong: gan('minimize bce(d(image), 1) + bce(d(fake), 0)', generator),
      right: gan('minimize bce(d(image), 1) + bce(d(fake), 0) over d', generator),
    },
  },
};
