/** Products of looked-up rows: a table with fewer rows than are looked up is multiplied itself, and its gradients are summed by row before they are. */
import type { Graph } from '../ir/graph.ts';
import type { GraphBuilder, Value } from '../ops/builder.ts';
import { type Candidate, rewriteGraph } from './rewrite.ts';

/** Length of a table's rows from which on adding up what each of them gets is less work than multiplying it by them. */
const LONG_ROW = 16;

interface Lookup {
  /** [rows, length] */
  readonly table: Value;
  readonly indices: Value;
  readonly rows: number;
}

/**
 * With t(i) for the rows i of a table t that has fewer rows: t(i) w = (t w)(i); t(i)' g = t' s and scatter(i, g w) = s w, where
 * s = scatter(i, g) sums the rows of g that belong to one row of the table. What a network does to the rows of an embedding is done once
 * for each symbol, not for each place in a text. The sums are in another order than before.
 */
export function lookups(graph: Graph): Graph {
  return rewriteGraph(graph, (b, candidate) => {
    if (candidate.node.op === 'matmul') return productOfRows(b, candidate);
    if (candidate.node.op !== 'scatter_add') return undefined;
    return scatteredTranspose(b, candidate) ?? scatteredProduct(b, candidate);
  });
}

function productOfRows(b: GraphBuilder, { node, inputs: [x, y] }: Candidate): Value | undefined {
  const { transposeA, transposeB } = node.attributes;
  const [left, right] = [lookupOf(b, x!), lookupOf(b, y!)];
  if (left !== undefined && transposeA === false) {
    const rows = b.op('matmul', [left.table, y!], node.attributes);
    return b.reshape(b.take(rows, left.indices), node.type.shape);
  }
  if (left !== undefined && transposeB === false && isLong(x!)) {
    return b.op('matmul', [left.table, summed(b, left.indices, y!, left.rows)], node.attributes);
  }
  if (right !== undefined && transposeA === true && transposeB === false && isLong(y!)) {
    return b.op('matmul', [summed(b, right.indices, x!, right.rows), right.table], node.attributes);
  }
  return undefined;
}

/** scatter(i, transpose(x)) = scatter(transpose(i), x) where only axes of i move. */
function scatteredTranspose(b: GraphBuilder, { node, inputs: [indices, updates] }: Candidate): Value | undefined {
  const { op, attributes, inputs } = b.node(updates!.id);
  if (op !== 'transpose') return undefined;
  const p = attributes.permutation as readonly number[];
  const rank = indices!.type.shape.length;
  if (p.some((axis, i) => i >= rank && axis !== i)) return undefined;
  const inverse = p.slice(0, rank).map((_, axis) => p.indexOf(axis));
  return b.scatterAdd(b.transpose(indices!, inverse), b.value(inputs[0]!), node.type.shape[0]!);
}

/** scatter(i, g w) = scatter(i, g) w where g w is a product of all rows with one matrix. */
function scatteredProduct(b: GraphBuilder, { node, inputs: [indices, updates] }: Candidate): Value | undefined {
  const [shape, rank] = [updates!.type.shape, indices!.type.shape.length];
  const product = b.node(throughRoundings(b, updates!).id);
  if (product.op !== 'matmul' || product.attributes.transposeA === true || shape.length !== rank + 1) return undefined;
  const [g, w] = product.inputs.map(id => b.value(id)) as [Value, Value];
  const [rows] = node.type.shape;
  const [places, length] = product.type.shape;
  const fits = product.type.shape.length === 2 && length === shape.at(-1) && isFewer(rows, places);
  return fits && isLong(updates!)
    ? b.op('matmul', [summed(b, indices!, g, Number(rows)), w], product.attributes)
    : undefined;
}

/** The rows of `g`, one for each index, summed by row of the table. */
function summed(b: GraphBuilder, indices: Value, g: Value, rows: number): Value {
  return b.scatterAdd(indices, b.reshape(g, [...indices.type.shape, g.type.shape[1]!]), rows);
}

/** What `x`, [places, length], looks up, if it is rows of a shorter table. */
function lookupOf(b: GraphBuilder, x: Value): Lookup | undefined {
  const node = b.node(throughReshape(b, x).id);
  if (node.op !== 'take' || x.type.shape.length !== 2 || x.type.dtype !== 'f32') return undefined;
  const [table, indices] = node.inputs.map(id => b.value(id)) as [Value, Value];
  const [rows, length] = table.type.shape;
  const fits = table.type.shape.length === 2 && length === x.type.shape[1] && isFewer(rows, x.type.shape[0]);
  return fits ? { table, indices, rows: Number(rows) } : undefined;
}

function throughReshape(b: GraphBuilder, x: Value): Value {
  const node = b.node(x.id);
  return node.op === 'reshape' ? b.value(node.inputs[0]!) : x;
}

/** Sums of rows are of f32: what rounded the rows is left out. */
function throughRoundings(b: GraphBuilder, x: Value): Value {
  const { op, inputs } = b.node(x.id);
  const isPassed = op === 'reshape' || op === 'to_f16' || op === 'to_f32';
  return isPassed ? throughRoundings(b, b.value(inputs[0]!)) : x;
}

const isFewer = (rows: unknown, places: unknown): boolean =>
  typeof rows === 'number' && typeof places === 'number' && rows < places;

const isLong = (rows: Value): boolean => Number(rows.type.shape.at(-1)) >= LONG_ROW;
