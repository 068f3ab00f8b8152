/** The type of what is learnt from the training samples. */
import type { TensorType } from '../../ir/graph.ts';
import { type Statistic, statisticShape } from '../../ir/program.ts';
import type { Value } from '../builder.ts';

/** f32 [groups, ...] for values [B, groups, ...]; values [B] are one group. */
export function fittedType(statistic: Statistic, values: Value): TensorType {
  return { dtype: 'f32', shape: [values.type.shape[1] ?? 1, ...statisticShape(statistic)] };
}
