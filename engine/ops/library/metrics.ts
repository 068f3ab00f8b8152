/** Metrics: means over the batch, and what makes the metric of a whole split of them. */
import type { GraphBuilder, Value } from '../builder.ts';
import { demand, dimension, flag, known, number, operand, optionalTensor, tensor } from './arguments.ts';
import type { Arguments, MetricFunction } from './function.ts';
import { countOf, hits, logSoftmax, mean } from './numerics.ts';

type Rule = (b: GraphBuilder, args: Arguments) => Value;
/** What counts are divided by at least, where there are none. */
const least = 1e-12;

type Finish = NonNullable<MetricFunction['finish']>;

function metric(
  name: string,
  better: MetricFunction['better'],
  parameters: string,
  doc: string,
  rule: Rule,
  finish?: Finish,
): MetricFunction {
  return {
    kind: 'metric',
    name,
    better,
    signature: `${name}(${parameters}) -> []`,
    doc,
    build: ({ b }, args) => rule(b, args),
    ...(finish && { finish }),
  };
}

const classification = 'logits: [..., C], target: index(C)[...]';
const regression = 'prediction: [...], target: [...]';

/** The mean of all elements, or of those where `where` holds: its sum and the count, each over all elements, and their ratio at the end. */
function masked(rule: Rule): { readonly rule: Rule; readonly finish: Finish } {
  return {
    rule: (b, args) => {
      const [x, where] = [rule(b, args), optionalTensor(args, 'where')];
      if (where === undefined) return mean(b, x);
      return b.stack([mean(b, b.select(where, x, 0)), mean(b, b.cast(where, 'f32'))]);
    },
    finish: (b, means) =>
      means.type.shape.length === 0 ? means : b.div(entry(b, means, 0), b.maximum(entry(b, means, 1), least)),
  };
}

/** Mean number `at` as a scalar. */
function entry(b: GraphBuilder, means: Value, at: number): Value {
  return b.squeeze(b.slice(means, [at], [1]), [0]);
}

/** How many classes score above the target's: 0 where it is the greatest. f32 [...]. */
function rank(b: GraphBuilder, logits: Value, target: Value): Value {
  const own = b.sum(b.select(hits(b, target, logits.type.shape.at(-1)!), logits, 0), { axes: [-1], keep: true });
  return b.sum(b.cast(b.greater(logits, own), 'f32'), { axes: [-1] });
}

function difference(b: GraphBuilder, args: Arguments): Value {
  return b.sub(tensor(args, 'prediction'), operand(args, 'target'));
}

const negativeLog: Rule = (b, args) => {
  const [logits, target] = [tensor(args, 'logits'), tensor(args, 'target')];
  const picked = b.select(hits(b, target, logits.type.shape.at(-1)!), logSoftmax(b, logits), 0);
  return b.neg(b.sum(picked, { axes: [-1] }));
};

const correct: Rule = (b, args) =>
  b.cast(b.equal(b.argmax(tensor(args, 'logits'), { axes: [-1] }), tensor(args, 'target')), 'f32');

/** Shares of samples by class, f32 [3 C]: rightly predicted, predicted, and in the target. */
const byClass: Rule = (b, args) => {
  const classes = dimension(args, 'C');
  const [logits, target] = [tensor(args, 'logits'), tensor(args, 'target')];
  const [predicted, actual] = [b.argmax(logits, { axes: [-1] }), target].map(v => hits(b, v, classes));
  return counts(b, predicted!, actual!, known('metric', classes));
};

/** The same of one class, from numbers on either side of a threshold. */
const ofOne: Rule = (b, args) => {
  const column = (v: Value): Value => b.unsqueeze(v, -1);
  const predicted = column(b.greater(tensor(args, 'prediction'), number(args, 'threshold')));
  return counts(b, predicted, column(b.greater(tensor(args, 'target'), 0.5)), 1);
};

function counts(b: GraphBuilder, predicted: Value, actual: Value, classes: number): Value {
  const share = (hit: Value): Value => mean(b, b.reshape(b.cast(hit, 'f32'), [-1, classes]), { axes: [0] });
  return b.concat([share(b.logicalAnd(predicted, actual)), share(predicted), share(actual)]);
}

/** Mean over the classes that occur of `ratio`, 0 where nothing was predicted or nothing was there. */
function overClasses(ratio: (b: GraphBuilder, right: Value, predicted: Value, actual: Value) => Value): Finish {
  return (b, means) => {
    const size = (means.type.shape[0] as number) / 3;
    const [right, predicted, actual] = [0, 1, 2].map(at => b.slice(means, [at * size], [size]));
    const occurs = b.cast(b.greater(b.add(predicted!, actual!), 0), 'f32');
    const total = b.sum(b.mul(ratio(b, right!, predicted!, actual!), occurs));
    return b.div(total, b.maximum(b.sum(occurs), 1));
  };
}

const precision = overClasses((b, right, predicted) => b.div(right, b.maximum(predicted, least)));
const recall = overClasses((b, right, _, actual) => b.div(right, b.maximum(actual, least)));
/** 2 p r / (p + r) = 2 right / (predicted + actual). */
const f1 = overClasses((b, right, predicted, actual) =>
  b.div(b.mul(right, 2), b.maximum(b.add(predicted, actual), least)),
);

const AUC_BINS = 512;

/** Shares of positive and of negative samples by bin of their score, f32 [2 AUC_BINS]. Any rising function of the score will do: x / (1 + |x|) of logits has its bins where they differ. */
const scores: Rule = (b, args) => {
  const x = tensor(args, 'prediction');
  const unit = flag(args, 'logits') ? b.div(b.add(b.div(x, b.add(b.abs(x), 1)), 1), 2) : x;
  const bin = b.cast(b.minimum(b.maximum(b.mul(unit, AUC_BINS), 0), AUC_BINS - 1), 'i32');
  const inBin = b.reshape(b.cast(hits(b, bin, AUC_BINS), 'f32'), [-1, AUC_BINS]);
  const positive = b.reshape(b.cast(b.greater(tensor(args, 'target'), 0.5), 'f32'), [-1, 1]);
  const share = (weight: Value): Value => mean(b, b.mul(inBin, weight), { axes: [0] });
  return b.concat([share(positive), share(b.sub(1, positive))]);
};

/** The chance that a positive sample scores above a negative one, where those in one bin count half. */
const areaUnderCurve: Finish = (b, means) => {
  const [positive, negative] = [0, 1].map(at => b.slice(means, [at * AUC_BINS], [AUC_BINS]));
  const below = b.sub(b.cumsum(negative!, 0), b.mul(negative!, 0.5));
  return b.div(b.sum(b.mul(positive!, below)), b.maximum(b.mul(b.sum(positive!), b.sum(negative!)), least));
};

/** Means of the squared error, of the target and of its square. */
const explained: Rule = (b, args) => {
  const target = tensor(args, 'target');
  return b.stack([mean(b, b.square(difference(b, args))), mean(b, target), mean(b, b.square(target))]);
};

const determination: Finish = (b, means) => {
  const spread = b.sub(entry(b, means, 2), b.square(entry(b, means, 1)));
  return b.sub(1, b.div(entry(b, means, 0), b.maximum(spread, least)));
};

/** More would make every step's row of the ring too long. */
const MOST_CLASSES = 32;

/** Shares of samples by target and prediction, f32 [C * C]. */
const jointly: Rule = (b, args) => {
  const classes = known('confusion', dimension(args, 'C'));
  demand(classes <= MOST_CLASSES, 'confusion', `at most ${MOST_CLASSES} classes`, classes);
  const [logits, target] = [tensor(args, 'logits'), tensor(args, 'target')];
  const [predicted, actual] = [b.argmax(logits, { axes: [-1] }), target].map(v =>
    b.reshape(b.cast(hits(b, v, classes), 'f32'), [-1, classes]),
  ) as [Value, Value];
  const together = b.matmul(b.transpose(actual, [1, 0]), predicted);
  return b.reshape(b.div(together, countOf(b, target.type.shape)), [classes * classes]);
};

/** [C, C] of the [C * C] means. */
const square: Finish = (b, means) => {
  const classes = Math.sqrt(means.type.shape[0] as number);
  return b.reshape(means, [classes, classes]);
};

const onDiagonal: Finish = (b, means, args) => {
  const table = square(b, means, args);
  return b.sum(b.select(b.equal(b.iota(table.type.shape, 0), b.iota(table.type.shape, 1)), table, 0));
};

const maskable = `${classification}, where?: bool[...]`;
const accuracy = masked(correct);
const topK = masked((b, args) => {
  demand(number(args, 'k') >= 1, 'top_k', 'a k of at least 1', number(args, 'k'));
  return b.cast(b.less(rank(b, tensor(args, 'logits'), tensor(args, 'target')), number(args, 'k')), 'f32');
});
const surprise = masked(negativeLog);
const squared: Rule = (b, args) => mean(b, b.square(difference(b, args)));
const sides = `${regression}, threshold: float = 0`;
const sidesDoc = 'of the elements above `threshold`, 0 for logits and 0.5 for probabilities, where the target is 1.';

export const metrics: readonly MetricFunction[] = [
  metric(
    'accuracy',
    'higher',
    maskable,
    'The share of samples whose greatest logit is the target; of those where `where` holds, if it is given.',
    accuracy.rule,
    accuracy.finish,
  ),
  metric(
    'top_k',
    'higher',
    `${classification}, k: int = 5, where?: bool[...]`,
    'The share of samples whose target is among the k greatest logits.',
    topK.rule,
    topK.finish,
  ),
  metric(
    'perplexity',
    'lower',
    maskable,
    'exp of the mean cross entropy of all samples.',
    surprise.rule,
    (b, means, args) => b.exp(surprise.finish(b, means, args)),
  ),
  metric(
    'binary_accuracy',
    'higher',
    sides,
    'The share of elements on the right side of `threshold`: 0 for logits, 0.5 for probabilities. Targets are 0 or 1.',
    (b, args) => {
      const predicted = b.cast(b.greater(tensor(args, 'prediction'), number(args, 'threshold')), 'f32');
      return mean(b, b.cast(b.equal(predicted, operand(args, 'target')), 'f32'));
    },
  ),
  metric(
    'precision',
    'higher',
    classification,
    'Of the samples predicted as a class the share that is of it, averaged over the classes.',
    byClass,
    precision,
  ),
  metric(
    'recall',
    'higher',
    classification,
    'Of the samples of a class the share that is predicted as it, averaged over the classes.',
    byClass,
    recall,
  ),
  metric(
    'f1',
    'higher',
    classification,
    'The harmonic mean of precision and recall of each class, averaged over the classes.',
    byClass,
    f1,
  ),
  {
    ...metric(
      'confusion',
      'higher',
      classification,
      `The share of samples that are predicted right, and of all pairs of target and prediction: a table at the end of a run and of \`strata evaluate\`, for at most ${MOST_CLASSES} classes.`,
      jointly,
      onDiagonal,
    ),
    table: square,
  },
  metric('binary_precision', 'higher', sides, `The share right ${sidesDoc}`, ofOne, precision),
  metric(
    'binary_recall',
    'higher',
    sides,
    'Of the elements whose target is 1 the share that is above `threshold`.',
    ofOne,
    recall,
  ),
  metric('binary_f1', 'higher', sides, 'The harmonic mean of binary_precision and binary_recall.', ofOne, f1),
  metric(
    'auc',
    'higher',
    `${regression}, logits: bool = true`,
    `The area under the ROC curve: the chance that a sample whose target is 1 scores above one whose target is 0; scores within one of ${AUC_BINS} bins count as equal.`,
    scores,
    areaUnderCurve,
  ),
  metric('mse', 'lower', regression, 'Mean of (prediction - target)^2.', squared),
  metric(
    'rmse',
    'lower',
    regression,
    'The root of the mean of (prediction - target)^2.',
    (b, args) => b.stack([squared(b, args)]),
    (b, means) => b.sqrt(entry(b, means, 0)),
  ),
  metric('mae', 'lower', regression, 'Mean of |prediction - target|.', (b, args) =>
    mean(b, b.abs(difference(b, args))),
  ),
  metric(
    'r2',
    'higher',
    regression,
    '1 - squared error / squared distance of the targets from their mean: 1 is perfect, 0 no better than the mean.',
    explained,
    determination,
  ),
];
