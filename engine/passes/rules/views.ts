/** Rules of views: those that change nothing go, chains become one, transposes fold into products. */
import { addDim, type Dim, sameDim, sameShape } from '../../dim/dim.ts';
import type { GraphNode, Shape } from '../../ir/graph.ts';
import type { GraphBuilder, Value } from '../../ops/builder.ts';
import type { Match, Rule } from './rule.ts';

const shapeAttribute = (node: GraphNode, name: string): Shape => node.attributes[name] as Shape;
const isPlain = (node: { attributes: GraphNode['attributes'] }): boolean => node.attributes.steps === undefined;

/** The permutation that swaps the last two axes and nothing else. */
function swapsLastTwo(permutation: readonly number[]): boolean {
  const rank = permutation.length;
  return rank >= 2 && permutation.every((axis, i) => axis === (i < rank - 2 ? i : 2 * rank - 3 - i));
}

export const viewRules: readonly Rule[] = [
  {
    equation: 'reshape(x, shape of x) = x, and so for broadcast',
    ops: ['reshape', 'broadcast'],
    rewrite: (_, { inputs: [x], type }) => (sameShape(x!.type.shape, type.shape) ? x : undefined),
  },
  {
    equation: 'reshape(reshape(x)) = reshape(x), and so for broadcast',
    ops: ['reshape', 'broadcast'],
    rewrite: (b, { op, from, type }) => {
      const inner = from(0);
      if (inner.op !== op) return undefined;
      const x = b.value(inner.inputs[0]!);
      return op === 'reshape' ? b.reshape(x, type.shape) : b.broadcast(x, type.shape);
    },
  },
  {
    equation: 'broadcast(x) = reshape(x) where only axes of 1 are added',
    ops: ['broadcast'],
    rewrite: (b, { inputs: [x], type }) => {
      const sizes = (shape: Shape) => shape.filter(d => d !== 1);
      return sameShape(sizes(x!.type.shape), sizes(type.shape)) ? b.reshape(x!, type.shape) : undefined;
    },
  },
  {
    equation: 'transpose(transpose(x, p), q) = transpose(x, p of q)',
    ops: ['transpose'],
    rewrite: (b, { attributes, from }) => {
      if (from(0).op !== 'transpose') return undefined;
      const inner = from(0).attributes.permutation as readonly number[];
      const outer = attributes.permutation as readonly number[];
      return b.transpose(
        b.value(from(0).inputs[0]!),
        outer.map(axis => inner[axis]!),
      );
    },
  },
  {
    equation: 'transpose(x) = reshape(x) where only axes of 1 move',
    ops: ['transpose'],
    rewrite: (b, { inputs: [x], attributes, type }) => {
      const moved = (attributes.permutation as readonly number[]).filter(axis => x!.type.shape[axis] !== 1);
      return moved.every((axis, i) => i === 0 || axis > moved[i - 1]!) ? b.reshape(x!, type.shape) : undefined;
    },
  },
  {
    equation: 'slice of the whole x = x',
    ops: ['slice'],
    rewrite: (_, match) => {
      const { inputs, type } = match;
      return isPlain(match) && sameShape(inputs[0]!.type.shape, type.shape) ? inputs[0] : undefined;
    },
  },
  {
    equation: 'slice(slice(x, s), t) = slice(x, s + t)',
    ops: ['slice'],
    rewrite: (b, match) => {
      const inner = match.from(0);
      if (inner.op !== 'slice' || !isPlain(inner) || !isPlain(match)) return undefined;
      const offsets = shapeAttribute(inner, 'starts');
      const starts = (match.attributes.starts as Shape).map((s, i) => addDim(s, offsets[i]!));
      return b.slice(b.value(inner.inputs[0]!), starts, match.type.shape);
    },
  },
  {
    equation: 'slice(concat(…, x, …)) = x where it cuts out one part, or slice(x) where it lies within one',
    ops: ['slice'],
    rewrite: sliceOfConcat,
  },
  {
    equation: 'slice(pad(x)) = pad(slice(x)) of what the two have in common, or the number where that is nothing',
    ops: ['slice'],
    rewrite: sliceOfPad,
  },
  {
    equation: 'slice(pad(x) + y) = slice(pad(x)) + slice(y)',
    ops: ['slice'],
    rewrite: (b, match) => {
      const inner = match.from(0);
      if (inner.op !== 'add' || !isPlain(match) || !inner.inputs.some(id => b.node(id).op === 'pad')) return undefined;
      const [x, y] = inner.inputs.map(id => b.slice(b.value(id), match.attributes.starts as Shape, match.type.shape));
      return b.add(x!, y!);
    },
  },
  {
    equation: 'slice(take(x, i)) = take(x, slice(i)) where only axes of i are cut',
    ops: ['slice'],
    rewrite: sliceOfTake,
  },
  {
    equation: 'pad(x, 0, 0) = x',
    ops: ['pad'],
    rewrite: (_, { inputs: [x], type }) => (sameShape(x!.type.shape, type.shape) ? x : undefined),
  },
  {
    equation: 'flip(x) = x along axes of 1',
    ops: ['flip'],
    rewrite: (b, { inputs: [x], attributes }) => {
      const axes = attributes.axes as readonly number[];
      const longer = axes.filter(axis => x!.type.shape[axis] !== 1);
      return longer.length < axes.length ? b.flip(x!, longer) : undefined;
    },
  },
  {
    equation: 'concat(x) = x',
    ops: ['concat'],
    rewrite: (_, { inputs }) => (inputs.length === 1 ? inputs[0] : undefined),
  },
  {
    equation: 'sum(x) = max(x) = min(x) = reshape(x) over axes of 1',
    ops: ['sum', 'max', 'min'],
    rewrite: (b, { inputs: [x], attributes, type }) => {
      const axes = attributes.axes as readonly number[];
      return axes.every(axis => x!.type.shape[axis] === 1) ? b.reshape(x!, type.shape) : undefined;
    },
  },
  {
    equation: 'sum(reshape(x)) = sum(x) where the first axis of x is split, and all of it summed',
    ops: ['sum'],
    rewrite: sumOfSplit,
  },
  {
    equation: 'matmul(transpose(x), y) = matmul(x, y, transposeA), and so for y',
    ops: ['matmul'],
    rewrite: (b, { inputs, attributes, from }) => {
      const through = (i: number): Value | undefined => {
        const node = from(i);
        const swaps = node.op === 'transpose' && swapsLastTwo(node.attributes.permutation as readonly number[]);
        return swaps ? b.value(node.inputs[0]!) : undefined;
      };
      const [x, y] = [through(0), through(1)];
      if (x === undefined && y === undefined) return undefined;
      return b.op('matmul', [x ?? inputs[0]!, y ?? inputs[1]!], {
        transposeA: (x !== undefined) !== attributes.transposeA,
        transposeB: (y !== undefined) !== attributes.transposeB,
      });
    },
  },
];

function sliceOfTake(b: GraphBuilder, match: Match): Value | undefined {
  const inner = match.from(0);
  if (inner.op !== 'take' || !isPlain(match)) return undefined;
  const [table, indices] = inner.inputs.map(id => b.value(id)) as [Value, Value];
  const rank = indices.type.shape.length;
  const isWhole = sameShape(match.type.shape.slice(rank), inner.type.shape.slice(rank));
  if (rank === 0 || !isWhole) return undefined;
  const starts = (match.attributes.starts as Shape).slice(0, rank);
  return b.take(table, b.slice(indices, starts, match.type.shape.slice(0, rank)));
}

function sliceOfPad(b: GraphBuilder, match: Match): Value | undefined {
  const inner = match.from(0);
  if (inner.op !== 'pad' || inner.attributes.interior !== undefined || !isPlain(match)) return undefined;
  const x = b.value(inner.inputs[0]!);
  const value = Number(inner.attributes.value);
  const [before, starts, sizes, inside] = [
    inner.attributes.before,
    match.attributes.starts,
    match.type.shape,
    x.type.shape,
  ];
  if (![before, starts, sizes, inside].every(list => (list as Shape).every(d => typeof d === 'number')))
    return undefined;
  const common = (sizes as readonly number[]).map((size, axis) => {
    const offset = (before as readonly number[])[axis]! - (starts as readonly number[])[axis]!;
    const [from, to] = [Math.max(0, offset), Math.min(size, offset + Number(inside[axis]))];
    return { from, count: to - from, after: size - to, start: from - offset };
  });
  if (common.some(({ count }) => count <= 0)) return b.constant(value, match.type);
  const part = b.slice(
    x,
    common.map(c => c.start),
    common.map(c => c.count),
  );
  return b.pad(
    part,
    common.map(c => c.from),
    common.map(c => c.after),
    value,
  );
}

function sumOfSplit(b: GraphBuilder, { from, attributes }: Match): Value | undefined {
  const inner = from(0);
  const axes = attributes.axes as readonly number[];
  if (inner.op !== 'reshape' || attributes.keep !== false || axes.length < 2) return undefined;
  const x = b.value(inner.inputs[0]!);
  const isSplit = sameShape(x.type.shape.slice(1), inner.type.shape.slice(axes.length));
  return isSplit && axes.every((axis, i) => axis === i) ? b.op('sum', [x], { ...attributes, axes: [0] }) : undefined;
}

function sliceOfConcat(b: GraphBuilder, match: Match): Value | undefined {
  const inner = match.from(0);
  if (inner.op !== 'concat' || !isPlain(match)) return undefined;
  const axis = inner.attributes.axis as number;
  const starts = match.attributes.starts as Shape;
  const size = match.type.shape[axis]!;
  let at: Dim = 0;
  for (const id of inner.inputs) {
    const part = b.value(id);
    const length: Dim = part.type.shape[axis]!;
    const exact = sameDim(at, starts[axis]!) && sameDim(length, size);
    if (exact || lies(starts[axis]!, size, at, length)) {
      const start: Dim = exact ? 0 : (starts[axis] as number) - (at as number);
      return b.slice(part, starts.with(axis, start), match.type.shape);
    }
    at = addDim(at, length);
  }
  return undefined;
}

/** True if the elements from `start` lie within those from `at`; only numbers can tell. */
function lies(start: Dim, size: Dim, at: Dim, length: Dim): boolean {
  const known = [start, size, at, length].every(d => typeof d === 'number');
  return (
    known &&
    (start as number) >= (at as number) &&
    (start as number) + (size as number) <= (at as number) + (length as number)
  );
}
