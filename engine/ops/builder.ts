/** Builds graphs: one method a primitive, with numpy-style broadcasting made explicit. */
import { type Dim, floorDivDim, mulDim, sameDim, sameShape, showShape, sizeOf, subDim } from '../dim/dim.ts';
import type { DType, Graph, Shape } from '../ir/graph.ts';
import { never } from '../util/errors.ts';
import { broadcastShapes } from './broadcasting.ts';
import { isValue, NodeBuilder, type Value } from './nodes.ts';
import { windowCount } from './primitives/rules.ts';
import type { PrimitiveName } from './registry.ts';
import { ShapeError } from './shapeError.ts';

export { isValue, type OutputSpec, type Value } from './nodes.ts';

/** A number stands for a constant of the other operand's dtype. */
export type Operand = Value | number;

export interface ReduceOptions {
  /** Negative axes count from the end. Default: all. */
  readonly axes?: readonly number[];
  /** Keep reduced axes as 1. Default false. */
  readonly keep?: boolean;
}

export interface WindowOptions {
  readonly axes: readonly number[];
  readonly sizes: Shape;
  readonly strides?: readonly number[];
  readonly dilations?: readonly number[];
}

/** One entry a spatial axis; `after` is `before` unless given. */
export interface ConvOptions {
  readonly strides?: readonly number[];
  readonly dilations?: readonly number[];
  readonly before?: readonly number[];
  readonly after?: readonly number[];
  readonly groups?: number;
}

export class GraphBuilder extends NodeBuilder {
  /** A builder that goes on where `graph` ends: its node ids stay what they are. */
  static from(graph: Graph): GraphBuilder {
    const b = new GraphBuilder();
    for (const node of graph.nodes) b.adopt(node);
    return b;
  }

  /** An empty builder: for the body of a loop. */
  fresh(): GraphBuilder {
    return new GraphBuilder();
  }

  /** A builder that knows all nodes of this one, by the same ids, and goes its own way from there. */
  fork(): GraphBuilder {
    const b = new GraphBuilder();
    b.follow(this);
    return b;
  }

  /** i32 of `shape`: the index along `axis`. */
  iota(shape: Shape, axis = 0): Value {
    return this.op('iota', [], { shape, axis });
  }

  // Elementwise

  neg = (x: Value): Value => this.op('neg', [x]);
  abs = (x: Value): Value => this.op('abs', [x]);
  sign = (x: Value): Value => this.op('sign', [x]);
  floor = (x: Value): Value => this.op('floor', [x]);
  ceil = (x: Value): Value => this.op('ceil', [x]);
  /** Ties to even. */
  round = (x: Value): Value => this.op('round', [x]);
  sqrt = (x: Value): Value => this.op('sqrt', [x]);
  exp = (x: Value): Value => this.op('exp', [x]);
  log = (x: Value): Value => this.op('log', [x]);
  tanh = (x: Value): Value => this.op('tanh', [x]);
  sigmoid = (x: Value): Value => this.op('sigmoid', [x]);
  erf = (x: Value): Value => this.op('erf', [x]);
  sin = (x: Value): Value => this.op('sin', [x]);
  cos = (x: Value): Value => this.op('cos', [x]);
  logicalNot = (x: Value): Value => this.op('logical_not', [x]);
  isfinite = (x: Value): Value => this.op('isfinite', [x]);
  /** The same value, through which no gradient flows. */
  detach = (x: Value): Value => this.op('detach', [x]);
  /** The same value, which no kernel reads before `turn` is computed. */
  after = (x: Value, turn: Value): Value => this.op('after', [x, turn]);
  square = (x: Value): Value => this.op('mul', [x, x]);

  /** Value conversion; f32 to integers truncates. */
  cast(x: Value, dtype: DType): Value {
    return x.type.dtype === dtype ? x : this.op('cast', [x], { dtype });
  }

  add = (x: Operand, y: Operand): Value => this.binary('add', x, y);
  sub = (x: Operand, y: Operand): Value => this.binary('sub', x, y);
  mul = (x: Operand, y: Operand): Value => this.binary('mul', x, y);
  div = (x: Operand, y: Operand): Value => this.binary('div', x, y);
  /** The remainder of truncated division, of the sign of x. */
  mod = (x: Operand, y: Operand): Value => this.binary('mod', x, y);
  minimum = (x: Operand, y: Operand): Value => this.binary('minimum', x, y);
  maximum = (x: Operand, y: Operand): Value => this.binary('maximum', x, y);
  less = (x: Operand, y: Operand): Value => this.binary('less', x, y);
  lessEqual = (x: Operand, y: Operand): Value => this.binary('less_equal', x, y);
  greater = (x: Operand, y: Operand): Value => this.binary('less', y, x);
  greaterEqual = (x: Operand, y: Operand): Value => this.binary('less_equal', y, x);
  equal = (x: Operand, y: Operand): Value => this.binary('equal', x, y);
  notEqual = (x: Operand, y: Operand): Value => this.binary('not_equal', x, y);
  logicalAnd = (x: Value, y: Value): Value => this.binary('logical_and', x, y);
  logicalOr = (x: Value, y: Value): Value => this.binary('logical_or', x, y);

  /** x to the power y. Small constant powers become products and roots: exact, and right for negative x on every device. */
  pow(x: Operand, y: Operand): Value {
    if (typeof y === 'number' && isValue(x)) {
      if (y === 1) return x;
      if (y === 2) return this.square(x);
      if (y === 3) return this.mul(this.square(x), x);
      if (y === 0.5) return this.sqrt(x);
      if (y === -1) return this.div(1, x);
    }
    return this.binary('pow', x, y);
  }

  /** `yes` where `condition`, else `no`; all three broadcast together. */
  select(condition: Value, yes: Operand, no: Operand): Value {
    const [a, b] = this.operands('select', yes, no);
    const shape = broadcastShapes('select', [condition.type.shape, a.type.shape, b.type.shape]);
    return this.op('select', [this.broadcast(condition, shape), this.broadcast(a, shape), this.broadcast(b, shape)]);
  }

  // Views

  /** Numpy-style: missing leading axes are added, axes of size 1 are repeated. */
  broadcast(x: Value, shape: Shape): Value {
    return sameShape(x.type.shape, shape) ? x : this.op('broadcast', [x], { shape });
  }

  /** Row-major reshape; one entry may be -1, which is inferred. */
  reshape(x: Value, shape: Shape): Value {
    const hole = shape.indexOf(-1);
    if (hole < 0) return sameShape(x.type.shape, shape) ? x : this.op('reshape', [x], { shape });
    const rest = sizeOf(shape.filter((_, i) => i !== hole));
    const size = floorDivDim(sizeOf(x.type.shape), rest);
    if (!sameDim(mulDim(size, rest), sizeOf(x.type.shape))) {
      const expected = `a size that ${showShape(shape)} divides`;
      throw new ShapeError({ code: 'shape-mismatch', op: 'reshape', expected, found: showShape(x.type.shape) });
    }
    return this.reshape(x, shape.with(hole, size));
  }

  /** Permutes the axes: axis i of the result is axis `permutation[i]` of x. By default the last two are swapped. */
  transpose(x: Value, permutation?: readonly number[]): Value {
    const rank = x.type.shape.length;
    const order =
      permutation?.map(a => this.axis(x, a, 'transpose')) ??
      [...Array(rank).keys()].map(i => (i < rank - 2 ? i : 2 * rank - 3 - i));
    return order.every((a, i) => a === i) ? x : this.op('transpose', [x], { permutation: order });
  }

  /** The box of `sizes` from `starts`, one entry an axis; with `steps`, every so many elements. */
  slice(x: Value, starts: Shape, sizes: Shape, steps?: readonly number[]): Value {
    const plain = steps === undefined || steps.every(s => s === 1);
    if (plain && sameShape(x.type.shape, sizes) && starts.every(s => s === 0)) return x;
    return this.op('slice', [x], plain ? { starts, sizes } : { starts, sizes, steps });
  }

  /** Elements `start` .. `start + size - 1` along one axis. */
  sliceAxis(x: Value, axis: number, start: Dim, size: Dim): Value {
    const at = this.axis(x, axis, 'slice');
    return this.slice(
      x,
      x.type.shape.map((_, i) => (i === at ? start : 0)),
      x.type.shape.with(at, size),
    );
  }

  /** Adds `before` and `after` elements of `value` along each axis, and `interior` ones between neighbours. */
  pad(x: Value, before: Shape, after: Shape, value = 0, interior?: readonly number[]): Value {
    const plain = interior === undefined || interior.every(n => n === 0);
    if (plain && before.every(n => n === 0) && after.every(n => n === 0)) return x;
    return this.op('pad', [x], plain ? { before, after, value } : { before, after, value, interior });
  }

  /** As `pad` with zeros, where negative numbers cut elements off instead. */
  resize(x: Value, before: Shape, after: Shape, interior: readonly number[]): Value {
    const grown = (sizes: Shape): Dim[] => sizes.map(n => (typeof n === 'number' ? Math.max(n, 0) : n));
    const cut = (sizes: Shape): number[] => sizes.map(n => (typeof n === 'number' ? Math.max(-n, 0) : 0));
    const padded = this.pad(x, grown(before), grown(after), 0, interior);
    const starts = cut(before);
    const ends = cut(after);
    return this.slice(
      padded,
      starts,
      padded.type.shape.map((d, i) => subDim(d, starts[i]! + ends[i]!)),
    );
  }

  /**
   * Windows of `sizes` along `axes`: the axes become positions, and the offsets within the window are new last axes. A view, so that what
   * reads it (a product, a reduction) reads x itself. Default strides and dilations are 1.
   */
  windows(x: Value, options: WindowOptions): Value {
    const { axes, sizes, strides = axes.map(() => 1), dilations = axes.map(() => 1) } = options;
    const counts = axes.map((axis, i) => windowCount(x.type.shape[axis]!, sizes[i]!, strides[i]!, dilations[i]!));
    if (axes.every((_, i) => strides[i] === sizes[i] && dilations[i] === 1)) return this.tiles(x, axes, sizes, counts);
    const spread = this.reshape(x, [...x.type.shape, ...axes.map(() => 1)]);
    const repeated = this.broadcast(spread, [...x.type.shape, ...sizes]);
    return this.op('window', [repeated], { axes, strides, dilations, counts });
  }

  /** Windows that neither overlap nor leave gaps: a reordering, whose gradient goes straight back to each element. */
  private tiles(x: Value, axes: readonly number[], sizes: Shape, counts: Shape): Value {
    const { shape } = x.type;
    const covered = shape.map((d, a) =>
      axes.includes(a) ? mulDim(counts[axes.indexOf(a)]!, sizes[axes.indexOf(a)]!) : d,
    );
    const whole = this.slice(
      x,
      shape.map(() => 0),
      covered,
    );
    const split = shape.flatMap((d, a) =>
      axes.includes(a) ? [counts[axes.indexOf(a)]!, sizes[axes.indexOf(a)]!] : [d],
    );
    // Where axis a of x begins among the axes that were split in two.
    const at = (a: number) => a + axes.filter(b => b < a).length;
    const positions = [...shape.keys()].map(at);
    return this.transpose(this.reshape(whole, split), [...positions, ...axes.map(a => at(a) + 1)]);
  }

  flip(x: Value, axes: readonly number[]): Value {
    return axes.length === 0 ? x : this.op('flip', [x], { axes: axes.map(a => this.axis(x, a, 'flip')) });
  }

  /** Removes axes of size 1. */
  squeeze(x: Value, axes: readonly number[]): Value {
    const gone = axes.map(a => this.axis(x, a, 'squeeze'));
    return this.reshape(
      x,
      x.type.shape.filter((_, i) => !gone.includes(i)),
    );
  }

  /** Inserts an axis of size 1 before `axis` (of the result). */
  unsqueeze(x: Value, axis: number): Value {
    const at = axis < 0 ? x.type.shape.length + 1 + axis : axis;
    return this.reshape(x, x.type.shape.toSpliced(at, 0, 1));
  }

  concat(values: readonly Value[], axis = 0): Value {
    const first = values[0];
    if (first === undefined) throw never('concat of nothing');
    return values.length === 1 ? first : this.op('concat', values, { axis: this.axis(first, axis, 'concat') });
  }

  /** Joins values of one shape along a new axis. */
  stack(values: readonly Value[], axis = 0): Value {
    return this.concat(
      values.map(v => this.unsqueeze(v, axis)),
      axis,
    );
  }

  // Reductions

  sum = (x: Value, options?: ReduceOptions): Value => this.reduce('sum', x, options);
  max = (x: Value, options?: ReduceOptions): Value => this.reduce('max', x, options);
  min = (x: Value, options?: ReduceOptions): Value => this.reduce('min', x, options);
  /** i32 position of the first greatest along the (flattened) axes. */
  argmax = (x: Value, options?: ReduceOptions): Value => this.reduce('argmax', x, options);

  // Contractions and gathers

  /**
   * [..., M, K] x [..., K, N] -> [..., M, N], batch axes broadcast. A matrix on the right folds the batch axes of the left
   * into its rows, so that one product runs instead of many.
   */
  matmul(x: Value, y: Value, options: { readonly transposeA?: boolean; readonly transposeB?: boolean } = {}): Value {
    const { transposeA = false, transposeB = false } = options;
    const a = x.type.shape;
    const c = y.type.shape;
    if (a.length > 2 && c.length === 2 && !transposeA) {
      const rows = sizeOf(a.slice(0, -1));
      const product = this.op('matmul', [this.reshape(x, [rows, a.at(-1)!]), y], { transposeA, transposeB });
      return this.reshape(product, [...a.slice(0, -1), product.type.shape[1]!]);
    }
    if (a.length < 2 || c.length < 2) return this.op('matmul', [x, y], { transposeA, transposeB });
    const batch = broadcastShapes('matmul', [a.slice(0, -2), c.slice(0, -2)]);
    const left = this.broadcast(x, [...batch, ...a.slice(-2)]);
    const right = this.broadcast(y, [...batch, ...c.slice(-2)]);
    return this.op('matmul', [left, right], { transposeA, transposeB });
  }

  /** Cross-correlation of x [N, G * C, ...spatial] with w [O, C, ...kernel]; per spatial axis, strides and dilations of 1 and no padding unless given. */
  conv(x: Value, w: Value, options: ConvOptions = {}): Value {
    const each = (value: number): number[] => x.type.shape.slice(2).map(() => value);
    const { strides = each(1), dilations = each(1), before = each(0), after = before, groups = 1 } = options;
    return this.op('conv', [x, w], { strides, dilations, before, after, groups });
  }

  /** exp(x - max) / Σ exp(x - max) along `axis`. */
  softmax(x: Value, axis = -1): Value {
    return this.op('softmax', [x], { axis: this.axis(x, axis, 'softmax') });
  }

  /** (x - mean) / sqrt(variance + eps) over `axes`; unless `centered`, x / sqrt(mean of squares + eps). */
  normalize(x: Value, axes: readonly number[], eps: number, centered = true): Value {
    return this.op('normalize', [x], { axes: axes.map(axis => this.axis(x, axis, 'normalize')), eps, centered });
  }

  /** Sums of the elements up to each along `axis`, or from each on if `reverse`. */
  cumsum(x: Value, axis: number, reverse = false): Value {
    return this.op('cumsum', [x], { axis: this.axis(x, axis, 'cumsum'), reverse });
  }

  /** i32 positions that sort the last axis; equal elements keep their order. */
  argsort(x: Value, descending = false): Value {
    return this.op('argsort', [x], { descending });
  }

  /** Elements of the last axis at `positions` [..., K] i32, whose leading axes are those of x. */
  takeLast(x: Value, positions: Value): Value {
    const size = x.type.shape.at(-1)!;
    const rows = sizeOf(x.type.shape.slice(0, -1));
    const { shape } = positions.type;
    if (typeof size !== 'number') throw never('takeLast along a symbolic axis');
    const first = this.mul(this.iota([rows, 1]), size);
    const flat = this.add(this.reshape(positions, [rows, shape.at(-1)!]), first);
    return this.reshape(this.take(this.reshape(x, [-1]), flat), shape);
  }

  /** The k greatest of the last axis in descending order, and their i32 positions; at ties the first come first. */
  topK(x: Value, k: number): { readonly values: Value; readonly positions: Value } {
    const positions = this.sliceAxis(this.argsort(x, true), -1, 0, k);
    return { values: this.takeLast(x, positions), positions };
  }

  /** Rows of `table` [N, ...rest] at i32 `indices` [...I]: [...I, ...rest]; zeros where an index is out of range. */
  take(table: Value, indices: Value): Value {
    return this.op('take', [table, indices]);
  }

  /** Sums rows of `updates` [...I, ...rest] into [rows, ...rest] at `indices` [...I]; those out of range are dropped. */
  scatterAdd(indices: Value, updates: Value, rows: Dim): Value {
    return this.op('scatter_add', [indices, updates], { rows: [rows] });
  }

  /** u32 of `shape` from the i32 scalars `seed` and `step`; different streams are independent. */
  randomBits(seed: Value, step: Value, shape: Shape, stream: number): Value {
    return this.op('random_bits', [seed, step], { shape, stream });
  }

  /** f32 in [0, 1): the upper 24 of the random bits, exact in single precision. */
  uniform(seed: Value, step: Value, shape: Shape, stream: number): Value {
    const upper = this.div(this.randomBits(seed, step, shape, stream), 256);
    return this.mul(this.cast(upper, 'f32'), 2 ** -24);
  }

  /** `axis` counted from the front; ShapeError, in the name of `op`, where it lies outside. */
  axis(x: Value, axis: number, op = 'axis'): number {
    const rank = x.type.shape.length;
    const at = axis < 0 ? axis + rank : axis;
    if (Number.isInteger(at) && at >= 0 && at < rank) return at;
    const expected = `an axis from ${-rank} to ${rank - 1} for ${showShape(x.type.shape)}`;
    throw new ShapeError({ code: 'axis-out-of-range', op, expected, found: String(axis), axis });
  }

  private reduce(name: PrimitiveName, x: Value, options: ReduceOptions = {}): Value {
    const axes = (options.axes?.map(a => this.axis(x, a, name)) ?? [...x.type.shape.keys()]).toSorted((a, b) => a - b);
    if (axes.length === 0 && name !== 'argmax') return x;
    return this.op(name, [x], { axes, keep: options.keep ?? false });
  }

  private binary(name: PrimitiveName, x: Operand, y: Operand): Value {
    const [a, b] = this.operands(name, x, y);
    const shape = broadcastShapes(name, [a.type.shape, b.type.shape]);
    return this.op(name, [this.broadcast(a, shape), this.broadcast(b, shape)]);
  }

  /** Numbers become constants of the other operand's type, so that they fold into it. */
  private operands(name: string, x: Operand, y: Operand): readonly [Value, Value] {
    if (isValue(x)) return [x, isValue(y) ? y : this.fill(y, x)];
    if (isValue(y)) return [this.fill(x, y), y];
    throw never(`${name} of two numbers`);
  }
}
