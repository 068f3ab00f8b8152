/** Scalar expressions: what a kernel computes for one element. Both code generators and the printer walk this one form. */

export type ScalarType = 'f32' | 'i32' | 'u32' | 'bool';

/**
 * Operations on scalars. Operands share one type unless the comment says otherwise.
 * `div` and `mod` on i32 truncate; indices are never negative. `philox`: (seed u32, stream u32, step u32, index u32) -> u32,
 * word `index % 4` of Philox4x32-10 with key (seed, stream) and counter (index / 4, step, 0, 0) (Salmon et al., SC 2011).
 */
export type ScalarOp =
  | 'neg'
  | 'abs'
  | 'sign'
  | 'floor'
  | 'ceil'
  | 'round'
  | 'sqrt'
  | 'exp'
  | 'log'
  | 'tanh'
  | 'erf'
  | 'sin'
  | 'cos'
  | 'not'
  | 'add'
  | 'sub'
  | 'mul'
  | 'div'
  | 'mod'
  | 'pow'
  | 'min'
  | 'max'
  | 'lt'
  | 'le'
  | 'eq'
  | 'ne' // -> bool
  | 'and'
  | 'or'
  | 'xor'
  | 'shl'
  | 'shr' // bool or integers
  | 'select' // (bool, a, b) -> a where true, else b
  | 'cast' // value conversion to `type`; f32 -> i32 truncates
  | 'bitcast'
  | 'isfinite' // f32 -> bool, by bit pattern
  | 'round_f16' // f32 to the nearest value of f16, ties to even; infinity from 65520 on
  | 'philox';

/** Made by the constructors of `interning.ts` alone. */
export type Scalar = {
  /** Equal for equal scalars, in the order in which they were first made. */
  readonly id: number;
} & (
  | { readonly kind: 'constant'; readonly type: ScalarType; readonly value: number }
  /** The i32 loop variable of axis `axis` of the kernel. */
  | { readonly kind: 'axis'; readonly axis: number; readonly type: 'i32' }
  /** Element `at` (i32, counted in elements) of the kernel's buffer `buffer`. A u8 buffer loads as i32, an f16 buffer as f32. */
  | { readonly kind: 'load'; readonly buffer: number; readonly at: Scalar; readonly type: ScalarType }
  /** The result of accumulator `slot` of an earlier reduce phase (LoopKernel), or of the product (MatmulKernel, slot 0). */
  | { readonly kind: 'reduced'; readonly slot: number; readonly type: ScalarType }
  | { readonly kind: 'apply'; readonly op: ScalarOp; readonly args: readonly Scalar[]; readonly type: ScalarType }
);

/** `argmax` keeps the first greatest: its slot holds the i32 index along the (flattened) inner axes. */
export type Reducer = 'sum' | 'max' | 'min' | 'argmax';
