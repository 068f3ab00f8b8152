/** The leaves: host inputs, persistent states, filled constants. Their type is written on the node, not derived. */
import type { Attributes } from '../../ir/graph.ts';
import { never } from '../../util/errors.ts';
import type { Primitive } from '../primitive.ts';
import { sizeOfShape } from './indexing.ts';
import { define } from './rules.ts';

function leaf<A extends Attributes>(name: string, doc: string, evaluate: Primitive<A>['evaluate']): Primitive<A> {
  return define<A>({
    name,
    doc,
    type: () => {
      throw never(`${name} carries its type on the node`);
    },
    vjp: () => [],
    lowering: { kind: 'leaf' },
    evaluate,
    samples: [],
  });
}

const fromHost = (): never => {
  throw never('the host gives this value');
};

export const input = leaf<{ name: string }>(
  'input',
  'A buffer the host fills: batch fields, the data set, an index permutation.',
  fromHost,
);
export const state = leaf<{ name: string }>('state', 'A persistent buffer: parameters, moments, counters.', fromHost);
export const constant = leaf<{ value: number }>('constant', 'A tensor filled with one value.', (_, { value }, output) =>
  new Float64Array(sizeOfShape(output.shape)).fill(value),
);
