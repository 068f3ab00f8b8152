/** `no-gradient`: a loss that can't move what it is to move. */
import { gan } from './gan.ts';
import type { Rule } from './rule.ts';

const discriminator = 'minimize bce(d(image), 1) + bce(fake |> detach |> d, 0) over d';

export const noGradient: Rule<'no-gradient'> = {
  message: ({ layer }) => `expected a loss whose gradient reaches ${layer ?? 'weights'}, found one that stops before`,
  help: ({ layer }) =>
    layer === undefined
      ? 'let the loss depend on a layer, without detach in between'
      : `remove the detach between the loss and ${layer}, or ${layer} behind over`,
  page: {
    title: 'a loss that moves nothing',
    about:
      'A loss moves the weights that its gradient reaches. It passes neither `detach` nor whole numbers such as `argmax`, and weights that the loss never used are not behind it either: without an error they would stay as they were drawn. In a GAN `detach` belongs into the loss of the discriminator, not into that of the generator.',
    example: {
      wrong: gan(discriminator, 'minimize bce(fake |> detach |> d, 1) over g'),
      right: gan(discriminator, 'minimize bce(d(fake), 1) over g'),
    },
  },
};
