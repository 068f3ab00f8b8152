/** Transforms that learn numbers from the training samples: standardize, fill_missing, bucketize. */
import { isConstant, sizeOf } from '../../dim/dim.ts';
import type { Shape } from '../../ir/graph.ts';
import type { Statistic } from '../../ir/program.ts';
import type { GraphBuilder, Value } from '../builder.ts';
import { ShapeError } from '../shapeError.ts';
import { axisOf, demand, number, optionalNumber, shapeOf, tensor, typeOf } from './arguments.ts';
import type { Arguments, BuildContext, TransformFunction, TypeArguments } from './function.ts';

type Args = Arguments | TypeArguments;

/**
 * The axis of a sample whose places have numbers of their own: `axis` where it is given; of a row [F] each column, of an image [C, H, W]
 * each channel. Undefined: all elements are alike.
 */
function groupAxis(op: string, sample: Shape, args: Args): number | undefined {
  const given = optionalNumber(args, 'axis');
  if (given !== undefined) return axisOf(op, sample.length, given);
  return sample.length === 1 || sample.length === 3 ? 0 : undefined;
}

/** x [B, ...sample] as [B, groups, rest]. */
function grouped(b: GraphBuilder, x: Value, axis: number | undefined): Value {
  const [batch = 1, ...sample] = x.type.shape;
  if (axis === undefined) return b.reshape(x, [batch, 1, sizeOf(sample)]);
  const others = [...sample.keys()].filter(a => a !== axis);
  const moved = b.transpose(x, [0, axis + 1, ...others.map(a => a + 1)]);
  return b.reshape(moved, [batch, sample[axis]!, sizeOf(others.map(a => sample[a]!))]);
}

/** Numbers [groups, ...rest] laid along `axis` of samples of `rank` axes, to broadcast over a batch: [1, ..., groups, ..., 1, ...rest]. */
function spread(b: GraphBuilder, numbers: Value, rank: number, axis: number | undefined): Value {
  const [groups = 1, ...rest] = numbers.type.shape;
  const ones = new Array<number>(rank + 1).fill(1);
  return b.reshape(numbers, [...(axis === undefined ? ones : ones.with(axis + 1, groups as number)), ...rest]);
}

/** What `statistic` says of the training samples, shaped to broadcast over x; a last axis of its own where it gives several numbers. */
function learnt(context: BuildContext, name: string, statistic: Statistic, x: Value, axis: number | undefined): Value {
  const numbers = context.fitted(name, statistic, grouped(context.b, x, axis));
  return spread(context.b, numbers, x.type.shape.length - 1, axis);
}

function floats({ b }: BuildContext, args: Arguments): Value {
  return b.cast(tensor(args, 'x'), 'f32');
}

function axisOfBatch(op: string, x: Value, args: Arguments): number | undefined {
  return groupAxis(op, x.type.shape.slice(1), args);
}

function standardized(context: BuildContext, args: Arguments): Value {
  const { b } = context;
  const x = floats(context, args);
  const [mean, std] = [optionalNumber(args, 'mean'), optionalNumber(args, 'std')];
  if (mean !== undefined && std !== undefined) {
    demand(std > 0, 'standardize', 'a std above 0', std);
    return b.div(b.sub(x, mean), std);
  }
  const moments = learnt(context, 'moments', { kind: 'moments' }, x, axisOfBatch('standardize', x, args));
  const [average, spreadOut] = [0, 1].map(at => b.squeeze(b.sliceAxis(moments, -1, at, 1), [-1])) as [Value, Value];
  return b.div(b.sub(x, average), b.select(b.greater(spreadOut, 0), spreadOut, 1));
}

/** NaN is the one number that differs from itself; a class that is missing is -1. */
function isMissing(b: GraphBuilder, x: Value): Value {
  return x.type.dtype === 'f32' ? b.notEqual(x, x) : b.less(x, 0);
}

function filled(context: BuildContext, args: Arguments): Value {
  const { b } = context;
  // Whole numbers that are no classes may be negative; they become floats, as all fields that are computed with.
  const x = args['x.classes'] === undefined ? floats(context, args) : tensor(args, 'x');
  const { with: by } = args;
  const axis = axisOfBatch('fill_missing', x, args);
  if (typeof by === 'number') return b.select(isMissing(b, x), by, x);
  if (by !== 'mode') {
    const value = learnt(context, String(by), { kind: by === 'median' ? 'median' : 'mean' }, x, axis);
    return b.select(isMissing(b, x), value, x);
  }
  const classes = number(args, 'x.classes');
  const value = learnt(context, 'mode', { kind: 'mode', classes }, x, axis);
  return b.select(isMissing(b, x), b.cast(value, 'i32'), x);
}

function refuse(op: string, expected: string, found: string): never {
  throw new ShapeError({ code: 'bad-attribute', op, expected, found });
}

/** Classes have a most frequent one, numbers a mean and a median. */
function fillType(args: TypeArguments) {
  const { classes, ...type } = typeOf(args, 'x');
  const { with: by } = args;
  groupAxis('fill_missing', type.shape, args);
  if (classes === undefined) {
    if (by === 'mode') refuse('fill_missing', 'mean, median or a number', 'mode, which is for classes');
    return { ...type, dtype: 'f32' as const };
  }
  if (by === 'mean' || by === 'median') refuse('fill_missing', 'mode or a class', `${by}, which is for numbers`);
  const fits = typeof by !== 'number' || !isConstant(classes) || (Number.isInteger(by) && by >= 0 && by < classes);
  if (!fits) refuse('fill_missing', `a class from 0 to ${classes - 1}`, String(by));
  return { ...type, classes };
}

/** Parts that x is cut into, by `buckets` or by `edges`. */
function bucketsOf(args: Args): number {
  const buckets = optionalNumber(args, 'buckets');
  const edges = args.edges === undefined ? undefined : (shapeOf(args, 'edges') as readonly number[]);
  if ((buckets === undefined) === (edges === undefined)) {
    refuse('bucketize', 'either a number of buckets or a list of edges', edges ? 'both' : 'neither');
  }
  if (edges === undefined) {
    demand(buckets! >= 2, 'bucketize', 'at least 2 buckets', buckets!);
    return buckets!;
  }
  const ascending = edges.length > 0 && edges.every((edge, i) => i === 0 || edges[i - 1]! < edge);
  if (!ascending) refuse('bucketize', 'edges in ascending order', `[${edges.join(', ')}]`);
  return edges.length + 1;
}

function bucketized(context: BuildContext, args: Arguments): Value {
  const { b } = context;
  const x = floats(context, args);
  const count = bucketsOf(args);
  const beyond = (edge: Value | number): Value => b.cast(b.greaterEqual(x, edge), 'i32');
  const buckets = (): Value => {
    if (args.edges !== undefined) return (shapeOf(args, 'edges') as readonly number[]).map(beyond).reduce(b.add);
    const axis = axisOfBatch('bucketize', x, args);
    const edges = learnt(context, 'edges', { kind: 'quantiles', count }, x, axis);
    return b.sum(b.cast(b.greaterEqual(b.unsqueeze(x, -1), edges), 'i32'), { axes: [-1] });
  };
  return b.select(isMissing(b, x), -1, buckets());
}

const perGroup =
  'A row [F] has numbers for each column, an image [C, H, W] for each channel, other samples for all elements together or for each place of `axis`.';

export const fittedTransforms: readonly TransformFunction[] = [
  {
    kind: 'transform',
    name: 'standardize',
    signature: 'standardize(x: [...], mean?: float, std?: float, axis?: int) -> [...]',
    doc: `(x - mean) / std. Without numbers, those of the training samples, which are kept with the weights; a std of 0 counts as 1. ${perGroup}`,
    example: 'image |> standardize(mean: 0.1307, std: 0.3081)',
    random: false,
    fitted: true,
    type: args => {
      const { shape } = typeOf(args, 'x');
      groupAxis('standardize', shape, args);
      const [mean, std] = [args.mean, args.std].map(given => given !== undefined);
      if (mean !== std) refuse('standardize', 'mean and std, or neither', mean ? 'mean alone' : 'std alone');
      return { dtype: 'f32', shape };
    },
    build: standardized,
  },
  {
    kind: 'transform',
    name: 'fill_missing',
    signature: 'fill_missing(x: [...], with: mean | median | mode | float, axis?: int) -> [...]',
    doc: `A value for each that is missing: the mean or median of the training samples, or a number; for classes the most frequent one (mode), or a class. What was learnt is kept with the weights. ${perGroup}`,
    example: 'features |> fill_missing(median)',
    random: false,
    fitted: true,
    type: fillType,
    build: filled,
  },
  {
    kind: 'transform',
    name: 'bucketize',
    signature: 'bucketize(x: [...], buckets?: int, edges?: numbers, axis?: int) -> index(buckets)[...]',
    doc: `The number of edges that x has reached, a class: bucket i holds edge i - 1 <= x < edge i. Without edges, those that cut the training samples into \`buckets\` equally full parts. ${perGroup}`,
    example: 'age |> bucketize(edges: [18, 65])',
    random: false,
    fitted: true,
    type: args => {
      const { shape } = typeOf(args, 'x');
      groupAxis('bucketize', shape, args);
      return { dtype: 'i32', shape, classes: bucketsOf(args) };
    },
    build: bucketized,
  },
];
