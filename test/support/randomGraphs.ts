/** Small random graphs over the whole set of primitives, for properties of schedulers and backends. */
import fc from 'fast-check';
import type { Graph } from '../../engine/ir/graph.ts';
import { GraphBuilder, type OutputSpec, type Value } from '../../engine/ops/builder.ts';

interface Entry {
  readonly value: Value;
  /** No rounding so far: comparing such values can't come out differently on another backend. */
  readonly exact: boolean;
}

const shapes: readonly (readonly number[])[] = [
  [],
  [1],
  [7],
  [3, 4],
  [4, 3],
  [2, 3, 4],
  [12],
  [20, 6],
  [5, 1, 3],
  [24],
  [130],
  [2, 100],
];

/** Graphs of up to `size` operations. Inputs: f32 `x0`…, i32 `i0`; states: f32 `s0`, `s1`, i32 `n`, f32 `ring`. */
export function randomGraphs(size = 14): fc.Arbitrary<Graph> {
  return fc.array(fc.nat(2 ** 24), { minLength: 8, maxLength: size * 6 }).map(choices => buildRandom(choices));
}

/** A graph from a list of at least 8 choices; an empty rest chooses 0, so that shrinking the list shrinks the graph. */
export function buildRandom(choices: readonly number[]): Graph {
  let at = 0;
  let taken = 0;
  const next = (n: number): number => (choices[at++] ?? 0) % n;
  const b = new GraphBuilder();
  const pool: Entry[] = [];
  const push = (value: Value, exact: boolean) => {
    if (value.type.shape.reduce<number>((n, d) => n * Number(d), 1) <= 600) pool.push({ value, exact });
  };
  for (let i = 0; i < 3; i++) push(b.input(`x${i}`, { dtype: 'f32', shape: shapes[next(shapes.length)]! }), true);
  const states = [0, 1].map(i => b.state(`s${i}`, { dtype: 'f32', shape: shapes[next(shapes.length)]! }));
  for (const s of states) push(s, true);
  const indices = b.input('i0', { dtype: 'i32', shape: [5] });
  const counter = b.state('n', { dtype: 'i32', shape: [] });
  const floats = () => pool.filter(e => e.value.type.dtype === 'f32');
  const pick = () => floats()[next(floats().length)]!;
  while (at < choices.length) step(b, next, pick, push, indices, counter);
  // The latest values, which depend on the most.
  const late = () => floats().at(-1 - (taken++ % floats().length))!;
  return b.finish('random', outputs(b, choices, late, states, counter));
}

type Pick = () => Entry;
type Push = (value: Value, exact: boolean) => void;

function step(
  b: GraphBuilder,
  next: (n: number) => number,
  pick: Pick,
  push: Push,
  indices: Value,
  counter: Value,
): void {
  const { value: x, exact } = pick();
  const shape = x.type.shape as readonly number[];
  const rank = shape.length;
  const scalar = b.cast(counter, 'f32');
  const mean = (v: Value) => b.mul(v, 0.3);
  const table: readonly (() => void)[] = [
    () => push(b.tanh(x), false),
    () => push(b.exp(b.minimum(x, 1)), false),
    () => push(b.maximum(x, 0), exact),
    () => push(b.add(x, b.mul(scalar, 0.1)), false),
    () => combine(b, next(3), x, pick().value, v => push(v, false)),
    () => rank > 0 && push(mean(b.sum(x, { axes: [next(rank)], keep: next(2) === 1 })), false),
    () => rank > 0 && push(b.max(x, { axes: [rank - 1], keep: true }), exact),
    () => rank > 0 && push(softmax(b, x, next(rank)), false),
    () => rank > 0 && exact && push(b.cast(b.argmax(x, { axes: [next(rank)] }), 'f32'), true),
    () => rank > 1 && push(b.transpose(x, [...shape.keys()].reverse()), exact),
    () => push(b.reshape(x, [-1]), exact),
    () => shape.at(-1)! % 2 === 0 && push(b.reshape(x, [...shape.slice(0, -1), shape.at(-1)! / 2, 2]), exact),
    () => rank > 0 && shape[0]! > 1 && push(b.sliceAxis(x, 0, next(2), shape[0]! - 1), exact),
    () =>
      rank > 0 &&
      push(
        b.pad(
          x,
          shape.map(() => next(2)),
          shape.map(() => next(3)),
          0.5,
        ),
        exact,
      ),
    () => rank > 0 && push(b.flip(x, [next(rank)]), exact),
    () => rank > 0 && push(b.concat([x, b.neg(x), b.mul(x, 2)], next(rank)), exact),
    () => rank === 2 && push(mean(b.matmul(x, b.transpose(x))), false),
    () =>
      rank === 2 &&
      push(mean(b.op('matmul', [x, b.exp(b.minimum(x, 0))], { transposeA: true, transposeB: false })), false),
    () =>
      rank === 2 &&
      push(b.maximum(b.add(mean(b.matmul(x, b.cast(b.iota([shape[1]!, 3], 1), 'f32'))), scalar), 0), false),
    () => rank > 0 && push(b.take(x, indices), exact),
    () => rank > 0 && shape[0] === 7 && push(b.take(x, b.add(indices, counter)), exact),
    () => rank > 0 && push(b.scatterAdd(b.mod(b.iota([shape[0]!]), 3), x, 3), false),
    () => exact && push(b.select(b.less(x, 0.25), b.exp(b.neg(b.abs(x))), x), false),
    () => push(b.mul(b.uniform(counter, counter, shape, next(3)), 0.5), false),
    () => push(b.broadcast(x, [2, ...shape]), exact),
    () => push(b.select(b.isfinite(x), x, 0), exact),
  ];
  table[next(table.length)]!();
}

function combine(b: GraphBuilder, op: number, x: Value, y: Value, push: (v: Value) => void): void {
  const [p, q] = [x.type.shape, y.type.shape];
  const fits = p.length === q.length ? p.every((n, d) => n === q[d]) : p.length === 0 || q.length === 0;
  if (!fits) return;
  if (op === 0) push(b.add(x, y));
  else if (op === 1) push(b.mul(b.minimum(x, 2), b.maximum(y, -2)));
  else push(b.div(x, b.add(b.abs(y), 1)));
}

function softmax(b: GraphBuilder, x: Value, axis: number): Value {
  const e = b.exp(b.sub(x, b.max(x, { axes: [axis], keep: true })));
  return b.div(e, b.sum(e, { axes: [axis], keep: true }));
}

function outputs(
  b: GraphBuilder,
  choices: readonly number[],
  pick: Pick,
  states: readonly Value[],
  counter: Value,
): OutputSpec[] {
  const found: OutputSpec[] = [
    { name: 'y0', value: pick().value },
    { name: 'y1', value: pick().value },
    { name: 'n', value: b.add(counter, 1), kind: 'assign' },
  ];
  for (const [i, state] of states.entries()) {
    // Some value made to fit: the state's own successor, or the other state's, which must see the old one.
    const sources = [
      b.mul(state, 0.5),
      b.add(state, meanOf(b, pick().value)),
      b.flip(state, state.type.shape.length > 0 ? [0] : []),
    ];
    if (choices[i]! % 4 > 0) found.push({ name: `s${i}`, value: sources[choices[i + 2]! % 3]!, kind: 'assign' });
  }
  const row = b.concat([b.reshape(meanOf(b, pick().value), [1]), b.reshape(meanOf(b, pick().value), [1])]);
  b.state('ring', { dtype: 'f32', shape: [4, 2] });
  if (choices[4]! % 2 === 0) found.push({ name: 'ring', value: row, kind: 'write', at: b.mul(b.mod(counter, 4), 2) });
  return found;
}

function meanOf(b: GraphBuilder, x: Value): Value {
  const size = x.type.shape.reduce<number>((n, d) => n * Number(d), 1);
  return b.mul(b.sum(x), 1 / size);
}
