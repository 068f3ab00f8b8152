/** Reductions over axes. */
import { sizeOf } from '../../dim/dim.ts';
import type { DType, TensorType } from '../../ir/graph.ts';
import type { Reducer } from '../../ir/scalar.ts';
import type { GraphBuilder, Value } from '../builder.ts';
import type { HalfRole, Primitive, Sample, Tensor } from '../primitive.ts';
import { offsetOf, tabulate } from './indexing.ts';
import { define, expectAxes, expectDType, expectInputs, reducedShape } from './rules.ts';

type ReduceAttributes = { axes: readonly number[]; keep: boolean };

interface Reduction {
  readonly name: Reducer;
  readonly doc: string;
  readonly start: number;
  readonly step: (accumulator: number, x: number) => number;
  readonly vjp: Primitive<ReduceAttributes>['vjp'];
  readonly special?: readonly number[];
  readonly half?: HalfRole;
}

const samples = (special: readonly number[] = []): readonly Sample<ReduceAttributes>[] =>
  [
    { inputs: f32(7), attributes: { axes: [0], keep: false } },
    { inputs: f32(3, 5), attributes: { axes: [1], keep: true } },
    { inputs: f32(3, 5), attributes: { axes: [0], keep: false } },
    { inputs: f32(2, 3, 4), attributes: { axes: [0, 2], keep: false } },
    { inputs: f32(2, 3), attributes: { axes: [0, 1], keep: true } },
    { inputs: [{ dtype: 'i32', shape: [4, 6] } as const], attributes: { axes: [1], keep: false } },
  ].map(s => (special.length > 0 ? { ...s, special } : s));

const f32 = (...shape: number[]): readonly TensorType[] => [{ dtype: 'f32', shape }];

function reducedType(
  name: string,
  inputs: readonly TensorType[],
  { axes, keep }: ReduceAttributes,
  dtype?: DType,
): TensorType {
  expectInputs(name, inputs, 1);
  expectDType(name, inputs, 0, ['f32', 'i32', 'u32']);
  const [x] = inputs as [TensorType];
  expectAxes(name, axes, x.shape);
  return { dtype: dtype ?? x.dtype, shape: reducedShape(x.shape, axes, keep) };
}

/** Runs `visit(output position, input position)` over all elements, in row-major order of the input. */
function walk(x: Tensor, { axes }: ReduceAttributes, visit: (out: number, at: number, along: number) => void): void {
  const kept = x.shape.map((n, i) => (axes.includes(i) ? 1 : n));
  const along = x.shape.map((n, i) => (axes.includes(i) ? n : 1));
  tabulate(x.shape, (index, at) => {
    visit(
      offsetOf(
        index.map((i, a) => (axes.includes(a) ? 0 : i)),
        kept,
      ),
      at,
      offsetOf(
        index.map((i, a) => (axes.includes(a) ? i : 0)),
        along,
      ),
    );
    return 0;
  });
}

function reduction({ name, doc, start, step, vjp, special, half }: Reduction): Primitive<ReduceAttributes> {
  return define<ReduceAttributes>({
    name,
    doc,
    type: (inputs, attributes) => reducedType(name, inputs, attributes),
    vjp,
    lowering: { kind: 'reduce', reducer: name },
    ...(half && { half }),
    evaluate: ([x], attributes, output) => {
      const out = tabulate(output.shape, () => start);
      walk(x!, attributes, (to, from) => {
        out[to] = step(out[to]!, x!.data[from]!);
      });
      return out;
    },
    samples: samples(special),
  });
}

/** A reduced value, repeated along the axes it was reduced over. */
function spread(b: GraphBuilder, reduced: Value, like: Value, { axes }: ReduceAttributes): Value {
  const kept = reducedShape(like.type.shape, axes, true);
  return b.broadcast(b.reshape(reduced, kept), like.type.shape);
}

/** i32 of the shape of `x`: how many elements come along the flattened `axes` from here to the end, this one included. */
function placesLeft(b: GraphBuilder, { type: { shape } }: Value, { axes }: ReduceAttributes): Value {
  const along = shape.map((d, i) => (axes.includes(i) ? d : 1));
  const places = axes.map(axis => b.mul(b.iota(shape, axis), Number(sizeOf(along.slice(axis + 1))))).reduce(b.add);
  return b.sub(Number(sizeOf(along)), places);
}

/**
 * The adjoint goes to the first of the elements that equal the extremum, as in PyTorch's max along an axis and its pooling: of those that
 * do, the first has the most places left. (`argmax` would say as much, but its kernels are several times slower.)
 */
const extremumVjp: Primitive<ReduceAttributes>['vjp'] = (b, { inputs: [x], output, attributes }, g) => {
  const hit = b.equal(x!, spread(b, output, x!, attributes));
  const left = b.select(hit, placesLeft(b, x!, attributes), 0);
  const first = b.equal(left, spread(b, b.max(left, attributes), x!, attributes));
  return [b.select(b.logicalAnd(hit, first), spread(b, g, x!, attributes), 0)];
};

export const sum = reduction({
  name: 'sum',
  doc: 'Sum over `axes`.',
  start: 0,
  step: (a, x) => a + x,
  vjp: (b, { inputs: [x], attributes }, g) => [spread(b, g, x!, attributes)],
});
export const max = reduction({
  name: 'max',
  doc: 'Greatest over `axes`; of ties the first has the gradient.',
  half: 'carries',
  start: -Infinity,
  step: Math.max,
  vjp: extremumVjp,
});
export const min = reduction({
  name: 'min',
  doc: 'Least over `axes`; of ties the first has the gradient.',
  half: 'carries',
  start: Infinity,
  step: Math.min,
  vjp: extremumVjp,
});

export const argmax = define<ReduceAttributes>({
  name: 'argmax',
  doc: 'i32 position of the first greatest along the (flattened) `axes`.',
  type: (inputs, attributes) => reducedType('argmax', inputs, attributes, 'i32'),
  vjp: () => [undefined],
  lowering: { kind: 'reduce', reducer: 'argmax' },
  evaluate: ([x], attributes, output) => {
    const best = tabulate(output.shape, () => -Infinity);
    const out = tabulate(output.shape, () => 0);
    walk(x!, attributes, (to, from, along) => {
      if (x!.data[from]! > best[to]!) {
        best[to] = x!.data[from]!;
        out[to] = along;
      }
    });
    return out;
  },
  samples: samples([1, 2, 2]),
});
