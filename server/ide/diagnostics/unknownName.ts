/** `unknown-name`: a name that nothing in scope has. */
import type { NameKind } from '../../lang/api.ts';
import { didYouMean, type Rule, renames } from './rule.ts';

const nouns: Readonly<Record<NameKind, string>> = {
  value: 'value',
  function: 'function or layer',
  model: 'model',
  data: 'data block',
  train: 'train block',
  field: 'field',
  argument: 'argument',
  word: 'word',
  setting: 'setting',
  dimension: 'dimension',
  axis: 'axis',
  optimizer: 'optimiser',
  schedule: 'schedule',
  metric: 'metric',
  source: 'data source',
  transform: 'transform',
  module: 'module',
};

const anyOf = new Intl.ListFormat('en-GB', { type: 'disjunction' });

export const unknownName: Rule<'unknown-name'> = {
  message: ({ name, kind, candidates }) => {
    if (kind === 'word') return `expected ${anyOf.format(candidates)}, found ${name || 'an expression'}`;
    return kind === 'value' ? `nothing here is called ${name}` : `no ${nouns[kind]} is called ${name}`;
  },
  help: ({ kind, candidates }) => (kind === 'word' ? undefined : didYouMean(candidates)),
  fixTitle: ({ candidates }) => `change to ${candidates[0]}`,
  fixes: ({ candidates }, span) => renames(candidates, span),
  page: {
    title: 'unknown name',
    about:
      'Nothing in scope has this name. Names are bindings above in the same block, parameters, the fields of the data set, models, constants and the library. Each place has its own: `using` takes optimisers, `report` metrics, fields take transforms.',
    example: {
      wrong: 'model Net(x: [B, 4]) -> [B, 2] {\n  x |> linaer(2)\n}\n',
      right: 'model Net(x: [B, 4]) -> [B, 2] {\n  x |> linear(2)\n}\n',
    },
  },
};
