/** Scaled dot-product attention by blocks of queries: its T x S scores exist for one block at a time, and its gradient computes them again. */
import { addDim, type Dim, mulDim, sameDim, showShape, sizeOf } from '../../dim/dim.ts';
import type { Shape, TensorType } from '../../ir/graph.ts';
import type { GraphBuilder, Value } from '../builder.ts';
import { MASKED } from '../library/numerics.ts';
import type { Primitive, Tensor } from '../primitive.ts';
import { ShapeError } from '../shapeError.ts';
import { offsetOf, tabulate } from './indexing.ts';
import { define, expectDType } from './rules.ts';

/** `causal`: a query sees no key behind its own place. */
export type AttentionAttributes = { causal: boolean };

/** Queries [N, H, T, D], keys [N, H, S, D], values [N, H, S, E], and bool [N, S]: the keys that may be seen. */
type Operands = readonly [q: Value, k: Value, v: Value, ...mask: Value[]];

/** At most so many blocks, each of at least so many queries: more would save little and take long to compile. */
const MOST_BLOCKS = 8;
const LEAST_ROWS = 64;

function checked(op: string, inputs: readonly TensorType[]): readonly [Shape, Shape, Shape] {
  for (const input of [0, 1, 2]) expectDType(op, inputs, input, ['f32']);
  if (inputs[3] !== undefined) expectDType(op, inputs, 3, ['bool']);
  const [q, k, v, mask] = inputs.map(t => t.shape) as [Shape, Shape, Shape, Shape?];
  const found = inputs.map(t => showShape(t.shape)).join(', ');
  const same = (x: Shape, y: Shape, axes: readonly number[]) => axes.every(axis => sameDim(x[axis]!, y[axis]!));
  const ranked = [q, k, v].every(shape => shape.length === 4) && (mask === undefined || mask.length === 2);
  if (!ranked || !same(q, k, [0, 1, 3]) || !same(k, v, [0, 1, 2]) || (mask && !sameShapes(mask, [k[0]!, k[2]!]))) {
    const expected = '[N, H, T, D], [N, H, S, D], [N, H, S, E] and perhaps [N, S]';
    throw new ShapeError({ code: 'shape-mismatch', op, expected, found });
  }
  return [q, k, v];
}

const sameShapes = (x: Shape, y: Shape): boolean => x.every((d, axis) => sameDim(d, y[axis]!));

export interface Masks {
  /** Hides the keys that lie behind the query. */
  readonly causal: boolean;
  /** bool [N, S]: the keys that may be seen; those of padding are false. */
  readonly mask: Value | undefined;
}

/** scores [N, H, T, S], those of keys that must not be seen replaced by `hidden`; the queries are those from `first` on. */
export function masked(b: GraphBuilder, scores: Value, { causal, mask }: Masks, hidden = MASKED, first = 0): Value {
  const { shape } = scores.type;
  const query = first === 0 ? b.iota(shape, 2) : b.add(b.iota(shape, 2), first);
  const seen = causal ? b.select(b.lessEqual(b.iota(shape, 3), query), scores, hidden) : scores;
  return mask === undefined ? seen : b.select(b.unsqueeze(b.unsqueeze(mask, 1), 1), seen, hidden);
}

/** Q K^T / sqrt(D): [N, H, T, S]. */
export function scoresOf(b: GraphBuilder, q: Value, k: Value): Value {
  return b.mul(b.matmul(q, k, { transposeB: true }), scaleOf(q));
}

const scaleOf = (q: Value): number => 1 / Math.sqrt(Number(q.type.shape[3]));

/** A block of queries with the keys that at least one of them sees. */
interface Block {
  readonly first: number;
  readonly rows: number;
  readonly keys: number;
}

function blocksOf([q, k]: Operands, { causal }: AttentionAttributes): readonly Block[] {
  const [queries, keys] = [q, k].map(x => Number(x.type.shape[2])) as [number, number];
  const rows = Math.max(LEAST_ROWS, Math.ceil(queries / MOST_BLOCKS));
  return Array.from({ length: Math.ceil(queries / rows) }, (_, n) => {
    const end = Math.min((n + 1) * rows, queries);
    return { first: n * rows, rows: end - n * rows, keys: causal ? Math.min(end, keys) : keys };
  });
}

const rowsOf = (b: GraphBuilder, x: Value, { first, rows }: Block): Value => b.sliceAxis(x, 2, first, rows);
const keysOf = (b: GraphBuilder, x: Value, { keys }: Block): Value => b.sliceAxis(x, 2, 0, keys);

/** The queries of a block, not read before `turn` is there, so that no two blocks have their scores at the same time; and what they see. */
function part(b: GraphBuilder, [q, k, v, mask]: Operands, { causal }: AttentionAttributes, block: Block, turn?: Value) {
  const queries = rowsOf(b, q, block);
  return {
    q: turn === undefined ? queries : b.after(queries, turn),
    k: keysOf(b, k, block),
    v: keysOf(b, v, block),
    masks: { causal, mask: mask && b.sliceAxis(mask, 1, 0, block.keys) },
  };
}

/** The output [N, H, T, E], and by query the greatest score and the inverse of the sum of exponentials, [2, N, H, T, 1]. */
function forward(b: GraphBuilder, operands: Operands, attributes: AttentionAttributes) {
  const outputs: Value[] = [];
  const statistics: Value[] = [];
  for (const block of blocksOf(operands, attributes)) {
    const { q, k, v, masks } = part(b, operands, attributes, block, outputs.at(-1));
    const scores = masked(b, scoresOf(b, q, k), masks, MASKED, block.first);
    const greatest = b.max(scores, { axes: [3], keep: true });
    const e = b.exp(b.sub(scores, greatest));
    const inverse = b.div(1, b.sum(e, { axes: [3], keep: true }));
    outputs.push(b.mul(b.matmul(e, v), inverse));
    statistics.push(b.stack([greatest, inverse]));
  }
  return { output: b.concat(outputs, 2), statistics: b.concat(statistics, 3) };
}

/**
 * With P = softmax(S) and dP = G V^T: dS = P (dP - rowsum(G O)), dV = P^T G, dQ = dS K, dK = dS^T Q, by blocks of queries, where P is made
 * again from the statistics (Dao et al., FlashAttention, 2022).
 */
function backward(b: GraphBuilder, operands: Operands, output: Value, attributes: AttentionAttributes, g: Value) {
  const statistics = b.op('attention_statistics', operands, attributes);
  const [greatest, inverse] = [0, 1].map(n => b.squeeze(b.sliceAxis(statistics, 0, n, 1), [0])) as [Value, Value];
  const correction = b.sum(b.mul(g, output), { axes: [3], keep: true });
  const dq: Value[] = [];
  let dk: Value | undefined;
  let dv: Value | undefined;
  for (const block of blocksOf(operands, attributes)) {
    const { q, k, v, masks } = part(b, operands, attributes, block, dk ?? g);
    const scores = masked(b, scoresOf(b, q, k), masks, MASKED, block.first);
    const p = b.mul(b.exp(b.sub(scores, rowsOf(b, greatest, block))), rowsOf(b, inverse, block));
    const own = rowsOf(b, g, block);
    const dp = b.matmul(own, v, { transposeB: true });
    const slope = b.mul(b.mul(p, b.sub(dp, rowsOf(b, correction, block))), scaleOf(q));
    // P is 0 where a key is hidden, but in rows that see no key at all, which padding alone can make.
    const ds = masks.mask === undefined ? slope : masked(b, slope, masks, 0, block.first);
    dq.push(b.matmul(ds, k));
    dv = accumulated(b, b.matmul(p, own, { transposeA: true }), dv);
    dk = accumulated(b, b.matmul(ds, q, { transposeA: true }), dk);
  }
  const keys = operands[1].type.shape[2]!;
  return [b.concat(dq, 2), extended(b, dk!, keys), extended(b, dv!, keys)];
}

/** x [N, H, keys, D] with zeros for the keys that follow. */
function extended(b: GraphBuilder, x: Value, keys: Dim): Value {
  return b.pad(x, [0, 0, 0, 0], [0, 0, Number(keys) - Number(x.type.shape[2]), 0]);
}

const accumulated = (b: GraphBuilder, x: Value, before: Value | undefined): Value =>
  before === undefined ? x : b.add(x, extended(b, before, x.type.shape[2]!));

/** By element of the scores' rows: what softmax makes of them, in double precision. */
function weightsOf([q, k, , mask]: readonly Tensor[], causal: boolean, [n, h, t]: readonly number[]) {
  const [size, keys] = [q!.shape[3]!, k!.shape[2]!];
  const scores = Float64Array.from({ length: keys }, (_, s) => {
    if ((causal && s > t!) || (mask && mask.data[n! * keys + s] === 0)) return MASKED;
    let total = 0;
    for (let d = 0; d < size; d++)
      total += q!.data[offsetOf([n!, h!, t!, d], q!.shape)]! * k!.data[offsetOf([n!, h!, s, d], k!.shape)]!;
    return total / Math.sqrt(size);
  });
  const greatest = scores.reduce((a, x) => Math.max(a, x));
  const e = scores.map(x => Math.exp(x - greatest));
  return { greatest, e, sum: e.reduce((a, x) => a + x) };
}

const f32 = (...shape: number[]): TensorType => ({ dtype: 'f32', shape });
const bool = (...shape: number[]): TensorType => ({ dtype: 'bool', shape });
const inputs = [f32(2, 2, 5, 4), f32(2, 2, 3, 4), f32(2, 2, 3, 2)];
const samples: Primitive<AttentionAttributes>['samples'] = [
  { inputs, attributes: { causal: false } },
  {
    inputs: [...inputs, bool(2, 3)],
    attributes: { causal: false },
    domain: [
      [-2, 2],
      [-2, 2],
      [-2, 2],
      [0, 1],
    ],
  },
  { inputs: [f32(1, 1, 66, 2), f32(1, 1, 66, 2), f32(1, 1, 66, 1)], attributes: { causal: true } },
];

const asOperands = (values: readonly Value[]): Operands => values as unknown as Operands;

export const attention = define<AttentionAttributes>({
  name: 'attention',
  doc: 'softmax(Q K^T / sqrt(D)) V of q [N, H, T, D], k [N, H, S, D], v [N, H, S, E] and perhaps bool [N, S], the keys that may be seen; `causal` hides those behind the query.',
  type: types => {
    const [q, , v] = checked('attention', types);
    return { dtype: 'f32', shape: [...q.slice(0, 3), v[3]!] };
  },
  vjp: (b, { inputs: operands, output, attributes }, g) => backward(b, asOperands(operands), output, attributes, g),
  lowering: { kind: 'expand', build: (b, operands, attributes) => forward(b, asOperands(operands), attributes).output },
  evaluate: (tensors, { causal }, { shape }) => {
    const v = tensors[2]!;
    let row: ReturnType<typeof weightsOf>;
    return tabulate(shape, index => {
      if (index[3] === 0) row = weightsOf(tensors, causal, index);
      const { e, sum } = row;
      return e.reduce((a, x, s) => a + x * v.data[offsetOf([index[0]!, index[1]!, s, index[3]!], v.shape)]!, 0) / sum;
    });
  },
  flops: ([q, k], _, output) => {
    const scores = mulDim(sizeOf(q!.shape.slice(0, 3)), k!.shape[2]!);
    return mulDim(mulDim(2, scores), addDim(q!.shape[3]!, output.shape[3]!));
  },
  samples,
});

/** Computed along with the output of `attention`, and shared with it. */
export const attentionStatistics = define<AttentionAttributes>({
  name: 'attention_statistics',
  doc: 'Of the scores that `attention` has for each query: the greatest, and 1 / sum(exp(score - greatest)), as [2, N, H, T, 1].',
  type: types => ({
    dtype: 'f32',
    shape: [2, ...checked('attention_statistics', types)[0].slice(0, 3), 1],
  }),
  vjp: () => [],
  lowering: {
    kind: 'expand',
    build: (b, operands, attributes) => forward(b, asOperands(operands), attributes).statistics,
  },
  evaluate: (tensors, { causal }, { shape }) =>
    tabulate(shape, ([which, ...query]) => {
      const { greatest, sum } = weightsOf(tensors, causal, query);
      return which === 0 ? greatest : 1 / sum;
    }),
  samples: samples.map(sample => ({ ...sample, noGradient: 'only the gradient of attention asks for it' })),
});
