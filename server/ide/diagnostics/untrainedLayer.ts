/** `untrained-layer`: weights that stay as they were drawn. */
import { gan } from './gan.ts';
import type { Rule } from './rule.ts';

const discriminator = 'minimize bce(d(image), 1) + bce(fake |> detach |> d, 0) over d';

export const untrainedLayer: Rule<'untrained-layer'> = {
  message: ({ layer }) => `expected a minimize that moves the weights of ${layer}, found none`,
  help: ({ layer }) => `minimize a loss over ${layer}, or say that it stays as it is: freeze ${layer}`,
  page: {
    title: 'a layer that nothing trains',
    about:
      'The layer takes part in the computation, but no loss moves its weights: each `minimize` names others behind `over`, or its gradient ends at `detach` before it. `freeze` says that this is meant, as for a network whose weights are random on purpose; `init … from` says where they come from.',
    example: {
      wrong: gan(discriminator),
      right: gan(discriminator, 'minimize bce(d(fake), 1) over g'),
    },
  },
};
