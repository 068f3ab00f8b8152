/** Metrics: means over the batch, so that the count-weighted mean of batches is the mean over the split. */
import type { GraphBuilder, Value } from '../builder.ts';
import { demand, number, operand, tensor } from './arguments.ts';
import type { Arguments, MetricFunction } from './function.ts';
import { crossEntropy } from './losses.ts';
import { hits, mean } from './numerics.ts';

function metric(
  name: string,
  better: MetricFunction['better'],
  parameters: string,
  doc: string,
  rule: (b: GraphBuilder, args: Arguments) => Value,
): MetricFunction {
  return {
    kind: 'metric',
    name,
    better,
    signature: `${name}(${parameters}) -> []`,
    doc,
    build: ({ b }, args) => rule(b, args),
  };
}

const classification = 'logits: [..., C], target: index(C)[...]';
const regression = 'prediction: [...], target: [...]';

/** Share of true elements. */
function share(b: GraphBuilder, hit: Value): Value {
  return mean(b, b.cast(hit, 'f32'));
}

/** How many classes score above the target's: 0 where it is the greatest. i32 [...]. */
function rank(b: GraphBuilder, logits: Value, target: Value): Value {
  const own = b.sum(b.select(hits(b, target, logits.type.shape.at(-1)!), logits, 0), { axes: [-1], keep: true });
  return b.sum(b.cast(b.greater(logits, own), 'f32'), { axes: [-1] });
}

function difference(b: GraphBuilder, args: Arguments): Value {
  return b.sub(tensor(args, 'prediction'), operand(args, 'target'));
}

export const metrics: readonly MetricFunction[] = [
  metric('accuracy', 'higher', classification, 'The share of samples whose greatest logit is the target.', (b, args) =>
    share(b, b.equal(b.argmax(tensor(args, 'logits'), { axes: [-1] }), tensor(args, 'target'))),
  ),
  metric(
    'top_k',
    'higher',
    `${classification}, k: int = 5`,
    'The share of samples whose target is among the k greatest logits.',
    (b, args) => {
      demand(number(args, 'k') >= 1, 'top_k', 'a k of at least 1', number(args, 'k'));
      return share(b, b.less(rank(b, tensor(args, 'logits'), tensor(args, 'target')), number(args, 'k')));
    },
  ),
  metric(
    'binary_accuracy',
    'higher',
    `${regression}, threshold: float = 0`,
    'The share of elements on the right side of `threshold`: 0 for logits, 0.5 for probabilities. Targets are 0 or 1.',
    (b, args) => {
      const predicted = b.cast(b.greater(tensor(args, 'prediction'), number(args, 'threshold')), 'f32');
      return share(b, b.equal(predicted, operand(args, 'target')));
    },
  ),
  metric(
    'perplexity',
    'lower',
    classification,
    'exp of the cross entropy of a batch, averaged over the batches.',
    (b, args) => b.exp(crossEntropy(b, tensor(args, 'logits'), tensor(args, 'target'))),
  ),
  metric('mse', 'lower', regression, 'Mean of (prediction - target)^2.', (b, args) =>
    mean(b, b.square(difference(b, args))),
  ),
  metric('mae', 'lower', regression, 'Mean of |prediction - target|.', (b, args) =>
    mean(b, b.abs(difference(b, args))),
  ),
];
