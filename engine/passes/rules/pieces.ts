/** Rules of pieces: what slicing a tensor apart leaves in its gradient, a sum of padded parts, becomes one concatenation. */
import { addDim, type Dim, sameDim, sameShape } from '../../dim/dim.ts';
import type { GraphNode, Shape } from '../../ir/graph.ts';
import type { GraphBuilder, Value } from '../../ops/builder.ts';
import type { Rule } from './rule.ts';

interface Padding {
  readonly before: Shape;
  readonly after: Shape;
}

/** Zeros around a tensor, none between its elements. */
function zeroPadding({ op, attributes }: GraphNode): Padding | undefined {
  if (op !== 'pad' || attributes.value !== 0 || attributes.interior !== undefined) return undefined;
  return { before: attributes.before as Shape, after: attributes.after as Shape };
}

/** The one axis along which the second tensor begins where the first, of shape `first`, ends. */
function seam(first: Shape, a: Padding, c: Padding): number | undefined {
  const apart = a.before.flatMap((d: Dim, axis) =>
    sameDim(d, c.before[axis]!) && sameDim(a.after[axis]!, c.after[axis]!) ? [] : [axis],
  );
  const axis = apart[0];
  if (axis === undefined || apart.length > 1) return undefined;
  return sameDim(addDim(a.before[axis]!, first[axis]!), c.before[axis]!) ? axis : undefined;
}

/** Both under one padding, where they lie side by side among zeros. */
function joined(b: GraphBuilder, one: GraphNode, other: GraphNode): Value | undefined {
  for (const [first, second] of [
    [one, other],
    [other, one],
  ] as const) {
    const [a, c] = [zeroPadding(first), zeroPadding(second)];
    if (a === undefined || c === undefined) return undefined;
    const [x, y] = [b.value(first.inputs[0]!), b.value(second.inputs[0]!)];
    const axis = seam(x.type.shape, a, c);
    if (axis !== undefined) return b.pad(b.concat([x, y], axis), a.before, a.after.with(axis, c.after[axis]!));
  }
  return undefined;
}

export const pieceRules: readonly Rule[] = [
  {
    equation: 'pad(x) + pad(y) = pad(concat(x, y)) where the two lie side by side among zeros',
    ops: ['add'],
    rewrite: (b, { from }) => joined(b, from(0), from(1)),
  },
  {
    equation: '(pad(x) + z) + pad(y) = pad(concat(x, y)) + z where x and y lie side by side among zeros',
    ops: ['add'],
    rewrite: (b, { inputs, from }) => {
      for (const [sum, last] of [
        [0, 1],
        [1, 0],
      ] as const) {
        const inner = from(sum);
        if (inner.op !== 'add' || from(last).op !== 'pad') continue;
        for (const [i, rest] of [inner.inputs, inner.inputs.toReversed()]) {
          const both = joined(b, b.node(i!), b.node(inputs[last]!.id));
          if (both !== undefined) return b.add(both, b.value(rest!));
        }
      }
      return undefined;
    },
  },
  {
    equation: 'concat(concat(x, y), z) = concat(x, y, z) along one axis',
    ops: ['concat'],
    rewrite: (b, { inputs, attributes, from }) => {
      const inner = inputs.map((value, i) =>
        from(i).op === 'concat' && from(i).attributes.axis === attributes.axis
          ? from(i).inputs.map(id => b.value(id))
          : [value],
      );
      const parts = inner.flat();
      return parts.length === inputs.length ? undefined : b.concat(parts, Number(attributes.axis));
    },
  },
  {
    equation: 'concat(reshape(x), reshape(y)) = reshape(concat(x, y)) along the first axis',
    ops: ['concat'],
    rewrite: (b, { attributes, inputs, from, type }) => {
      if (attributes.axis !== 0 || !inputs.every((_, i) => from(i).op === 'reshape')) return undefined;
      const parts = inputs.map((_, i) => b.value(from(i).inputs[0]!));
      const [rank, rest] = [parts[0]!.type.shape.length, parts[0]!.type.shape.slice(1)];
      const fits = parts.every(x => x.type.shape.length === rank && sameShape(x.type.shape.slice(1), rest));
      return rank > 0 && fits ? b.reshape(b.concat(parts, 0), type.shape) : undefined;
    },
  },
];
