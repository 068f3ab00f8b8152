/** Kernels: what the scheduler makes of a graph and what both code generators turn into WGSL and WASM. Plain data. */
import type { DType } from '../ir/graph.ts';
import type { Reducer, Scalar } from '../ir/scalar.ts';

/** Index into `Schedule.buffers`; a kernel's scalars name buffers by it. */
export type BufferId = number;

export interface Store {
  readonly buffer: BufferId;
  readonly at: Scalar;
  readonly value: Scalar;
}

/**
 * Phases run in order for every point of `axes`. Axis numbers 0..axes.length-1 are the outer axes,
 * axes.length.. are the inner axes, which only `reduce` phases and `store` phases with `over: 'inner'` iterate.
 * Within a point, every value of a store phase is evaluated before the first is written: the optimiser loads and
 * stores the same element. A kernel that stores to a buffer it loads from reads each element before the one point that writes it.
 */
export type Phase =
  | { readonly kind: 'reduce'; readonly slots: readonly { readonly reducer: Reducer; readonly value: Scalar }[] }
  | { readonly kind: 'store'; readonly over: 'outer' | 'inner'; readonly stores: readonly Store[] };

/** Elementwise chains (no inner axes), reductions with producers and consumers, softmax, norms: all loops over independent outer points. */
export interface LoopKernel {
  readonly kind: 'loop';
  readonly name: string;
  readonly axes: readonly number[];
  readonly inner: readonly number[];
  /** Slots are numbered through all reduce phases in order. */
  readonly phases: readonly Phase[];
}

/**
 * C[b, m, n] = sum over k of A[b, m, k] * B[b, k, n], then the stores. Axes: 0 = b, 1 = m, 2 = n, 3 = k.
 * `a` uses axes 0, 1, 3 and `b` axes 0, 3, 2; they may be any scalar (strided load, gather, im2col with a mask),
 * which is evaluated while a panel is packed. The stores use axes 0, 1, 2 and `reduced` slot 0.
 */
export interface MatmulKernel {
  readonly kind: 'matmul';
  readonly name: string;
  readonly batch: number;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly a: Scalar;
  readonly b: Scalar;
  readonly stores: readonly Store[];
}

/** buffer[at] += value for every point of `axes`, after the buffer has been cleared; `at` outside the buffer is skipped. Deterministic order on the CPU. */
export interface ScatterKernel {
  readonly kind: 'scatter';
  readonly name: string;
  readonly axes: readonly number[];
  readonly buffer: BufferId;
  readonly at: Scalar;
  readonly value: Scalar;
}

export type Kernel = LoopKernel | MatmulKernel | ScatterKernel;

/** A buffer of the schedule. Persistent ones (`input`, `state`, `result`) are known to the host by name; temporaries live in one arena. */
export interface Buffer {
  readonly name: string;
  readonly kind: 'input' | 'state' | 'result' | 'temporary';
  readonly dtype: DType;
  /** Length in elements. */
  readonly length: number;
  /** Whether all elements of what is f32 are numbers of f16. */
  readonly isRounded?: boolean;
  /** Byte offset within the arena (temporaries), 256-byte aligned; buffers with disjoint lifetimes share bytes. */
  readonly offset?: number;
}

/** One compiled entry point: kernels in order. */
export interface Schedule {
  readonly name: string;
  readonly buffers: readonly Buffer[];
  readonly kernels: readonly Kernel[];
  /** Bytes of the arena for temporaries. */
  readonly arenaBytes: number;
  /** Where values are computed a second time instead of being held: the operations that takes, and the arena without. */
  readonly again?: { readonly flops: number; readonly arenaBytes: number };
}
