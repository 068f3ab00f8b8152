/** Dynamic loss scaling of mixed precision: gradients of f16 are computed of the loss times a scale that follows what overflows. */
import type { GraphBuilder, Value } from '../ops/builder.ts';

/** The scale at the start; after this many good steps in a row it doubles. They are torch.amp.GradScaler's, and so are the factors. */
export const FIRST_SCALE = 65536;
const GROWTH_STEPS = 2000;
/** It is halved down to this: gradients that overflow unscaled are none that a scale could help. */
const LEAST_SCALE = 1;
/** Far from the ends of f32, so that the inverse is exact. */
const LARGEST_SCALE = 2 ** 64;

/** State `scaling` f32 [3]: the scale, good steps since it changed, updates that were skipped so far. Whole numbers and powers of two, exact in f32. */
export const SCALING_SHAPE = [3] as const;
/** What it is before the first step. */
export const FIRST_SCALING = [FIRST_SCALE, 0, 0] as const;

/** The scaling of a step, f32 [] each. */
export interface Scaling {
  readonly scale: Value;
  readonly good: Value;
  readonly skipped: Value;
}

export function scalingOf(b: GraphBuilder, state: Value): Scaling {
  const at = (place: number) => b.reshape(b.slice(state, [place], [1]), []);
  return { scale: at(0), good: at(1), skipped: at(2) };
}

/** bool []: a gradient that isn't finite may become so under a smaller scale. */
export function canShrink(b: GraphBuilder, { scale }: Scaling): Value {
  return b.greater(scale, LEAST_SCALE);
}

/**
 * The state after a step: a good one counts, and the last of many doubles the scale; another halves it. `due` (bool []) tells whether a step
 * that is skipped would have moved the weights.
 */
export function nextScaling(b: GraphBuilder, { scale, good, skipped }: Scaling, isGood: Value, due: Value): Value {
  const counted = b.add(good, 1);
  const grows = b.greaterEqual(counted, GROWTH_STEPS);
  const grown = b.select(grows, b.minimum(b.mul(scale, 2), LARGEST_SCALE), scale);
  const next = [
    b.select(isGood, grown, b.mul(scale, 0.5)),
    b.select(b.logicalAnd(isGood, b.logicalNot(grows)), counted, 0),
    b.add(skipped, b.cast(b.logicalAnd(b.logicalNot(isGood), due), 'f32')),
  ];
  return b.concat(next.map(value => b.reshape(value, [1])));
}
