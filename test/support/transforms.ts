/** Runs one transform of the library on a batch, with the oracle's arithmetic. */
import { evaluateGraph } from '../../engine/backend/reference/evaluateGraph.ts';
import type { DType } from '../../engine/ir/graph.ts';
import type { Arguments } from '../../engine/ops/library/function.ts';
import type { Tensor } from '../../engine/ops/primitive.ts';
import { applyAll, testContext } from './macros.ts';

export interface Batch {
  /** The first axis is the samples. */
  readonly shape: readonly number[];
  readonly data: ArrayLike<number>;
  readonly dtype?: DType;
}

/** All results of transform `name` on the field `x`; other tensors by name. Random ones draw with seed 9 at `step`. */
export function transformAll(
  name: string,
  x: Batch,
  args: Arguments = {},
  step = 0,
  others: Readonly<Record<string, Batch>> = {},
): readonly Tensor[] {
  const context = testContext();
  const fields = { x, ...others };
  const inputs = Object.fromEntries(
    Object.entries(fields).map(([field, { shape, dtype = 'f32' }]) => [
      field,
      context.b.input(field, { dtype, shape }),
    ]),
  );
  const results = applyAll(context, name, { ...inputs, ...args }, 'transform');
  const graph = context.b.finish(
    't',
    results.map((value, i) => ({ name: `y${i}`, value })),
  );
  const scalar = (value: number): Tensor => ({ dtype: 'i32', shape: [], data: Float64Array.of(value) });
  const leaves = Object.entries(fields).map(([field, { shape, data, dtype = 'f32' }]) => {
    const tensor: Tensor = { dtype, shape, data: Float64Array.from(data) };
    return [field, tensor] as const;
  });
  const found = evaluateGraph(graph, { ...Object.fromEntries(leaves), seed: scalar(9), step: scalar(step) });
  return results.map((_, i) => found[`y${i}`]!);
}

/** The elements of the first result. */
export function transformed(name: string, x: Batch, args: Arguments = {}, step = 0): number[] {
  return [...transformAll(name, x, args, step)[0]!.data];
}
