/** What a primitive op declares. Everything the checker, autodiff, schedulers, tests and reference manual need derives from it. */
import type { Dim } from '../dim/dim.ts';
import type { Attributes, Graph, TensorType } from '../ir/graph.ts';
import type { Reducer, Scalar } from '../ir/scalar.ts';
import type { GraphBuilder, Value } from './builder.ts';

/** A host tensor in double precision, row-major: the currency of the reference backend and of the tests. */
export interface Tensor {
  readonly dtype: TensorType['dtype'];
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

/** How the scheduler turns the op into kernels. Index scalars are i32; `input(i, at)` loads input `i` at a multi-index. */
export type Lowering<A extends Attributes> =
  /** Same shape in and out: one scalar from one scalar an input. */
  | {
      readonly kind: 'elementwise';
      readonly scalar: (args: readonly Scalar[], attributes: A, output: TensorType) => Scalar;
    }
  /** Element `index` of the output is element `source(index)` of input 0, or `fill` where `inside` is false. */
  | {
      readonly kind: 'view';
      readonly source: (
        index: readonly Scalar[],
        attributes: A,
        input: readonly number[],
        output: readonly number[],
      ) => { readonly index: readonly Scalar[]; readonly inside?: Scalar; readonly fill?: number };
    }
  /** Reduces the axes `attributes.axes` of input 0 away (kept as 1 if `attributes.keep`). */
  | { readonly kind: 'reduce'; readonly reducer: Reducer }
  /** Output element computed from its own index and arbitrary loads of the inputs (take, iota, random bits). */
  | {
      readonly kind: 'generate';
      readonly scalar: (
        index: readonly Scalar[],
        load: (input: number, index: readonly Scalar[]) => Scalar,
        attributes: A,
        inputs: readonly (readonly number[])[],
        output: readonly number[],
      ) => Scalar;
    }
  | { readonly kind: 'matmul' }
  | { readonly kind: 'concat' }
  | { readonly kind: 'scatter' }
  /** Becomes other primitives once gradients are taken: an op that has a better gradient than theirs would give, but needs no kernel of its own. */
  | {
      readonly kind: 'expand';
      readonly build: (b: GraphBuilder, inputs: readonly Value[], attributes: A) => Value;
    }
  /** A loop: its body's kernels, once for each step. */
  | { readonly kind: 'scan' }
  | { readonly kind: 'leaf' };

/** The gradient of a function of several values, given their adjoints, with respect to each of `wrt`: zeros where there is none. For ops that hold a graph. */
export type Backpropagate = (
  b: GraphBuilder,
  seeds: readonly { readonly value: Value; readonly adjoint: Value }[],
  wrt: readonly Value[],
) => readonly Value[];

/** The outputs of a graph by name, given its leaves by name. */
export type EvaluateGraph = (
  graph: Graph,
  leaves: Readonly<Record<string, Tensor>>,
) => Readonly<Record<string, Tensor>>;

/** One generated test case: concrete inputs (drawn from `seed` within `domain` unless given), checked for shape, value and gradient. */
export interface Sample<A extends Attributes> {
  readonly inputs: readonly TensorType[];
  readonly attributes: A;
  /** Interval the random inputs are drawn from, by input. Default [-2, 2]; integers are drawn from whole numbers in it. */
  readonly domain?: readonly (readonly [number, number])[];
  /** Values to plant: zeros, ties, edges. */
  readonly special?: readonly number[];
  /** Skip the gradient check (kinks at planted points), saying why. */
  readonly noGradient?: string;
}

/**
 * `product`: reads f16, accumulates in f32, and is kept in f16. `pointwise`: kept in f16 where its operands are. `carries`: hands on
 * elements of its operands, which may be f16. It is the division of torch.autocast (its lists of ops for CUDA), made on primitives.
 */
export type HalfRole = 'product' | 'pointwise' | 'carries';

export interface Primitive<A extends Attributes = Attributes> {
  readonly name: string;
  /** One sentence for hover and the manual; formula and source included. */
  readonly doc: string;
  /** Output type; throws ShapeError with the inputs' shapes and what was expected. Symbolic dims allowed. */
  readonly type: (inputs: readonly TensorType[], attributes: A) => TensorType;
  /** Adjoint of each input given the adjoint of the output; undefined where there is none (integers, leaves). */
  readonly vjp: (
    b: GraphBuilder,
    node: { inputs: readonly Value[]; output: Value; attributes: A },
    adjoint: Value,
    backpropagate: Backpropagate,
  ) => readonly (Value | undefined)[];
  readonly lowering: Lowering<A>;
  /** Plain, slow, right: the oracle of every other backend. */
  readonly evaluate: (
    inputs: readonly Tensor[],
    attributes: A,
    output: { dtype: TensorType['dtype']; shape: readonly number[] },
    run: EvaluateGraph,
  ) => Float64Array;
  /** What `precision mixed` may keep in f16; without a role it reads and makes f32, as sums, exponentials, logarithms and powers must. */
  readonly half?: HalfRole;
  readonly flops?: (inputs: readonly TensorType[], attributes: A, output: TensorType) => Dim;
  readonly samples: readonly Sample<A>[];
}
