/** `unknown-argument`: a named argument that the callee doesn't have. */
import { didYouMean, type Rule, renames } from './rule.ts';

export const unknownArgument: Rule<'unknown-argument'> = {
  message: ({ callee, name }) => `${callee} has no parameter ${name}`,
  help: ({ callee, candidates, parameters }) =>
    didYouMean(candidates) ?? `${callee} takes ${parameters.length > 0 ? parameters.join(', ') : 'no arguments'}`,
  fixTitle: ({ candidates }) => `change to ${candidates[0]}`,
  fixes: ({ candidates }, span) => renames(candidates, span),
  page: {
    title: 'an unknown argument',
    about: 'The call names a parameter that the function does not have. Signature help lists those it has.',
    example: {
      wrong: 'model Net(x: [B, 4]) -> [B, 4] {\n  x |> dropout(rat: 0.5)\n}\n',
      right: 'model Net(x: [B, 4]) -> [B, 4] {\n  x |> dropout(rate: 0.5)\n}\n',
    },
  },
};
