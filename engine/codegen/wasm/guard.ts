/** Makes loads in the arms of a `select` safe to evaluate always: where an index may leave memory, it is set to 0 while its arm is not taken. */
import type { Scalar } from '../../ir/scalar.ts';
import { add, apply, axis, constant, linear, load, mapScalar, mul, rangeOf, walkScalar } from '../../kernel/scalar.ts';
import { fromLinear } from '../../kernel/simplify.ts';
import { bytesOf, dependsOn, MARGIN_BYTES, type Place, strideOf } from './access.ts';

/** `s` (interned) with guarded loads. `lane` is the axis whose stride should survive. */
export function guardLoads(
  s: Scalar,
  places: readonly Place[],
  extents: readonly number[],
  lane: number | undefined,
): Scalar {
  const isRisky = (x: Scalar) => x.kind === 'load' && mayLeave(x.at, places[x.buffer]!, extents);
  let any = false;
  walkScalar(s, x => {
    any ||= isRisky(x);
  });
  if (!any) return s;
  const guard = (arm: Scalar, condition: Scalar, taken: boolean) =>
    mapScalar(arm, x =>
      x.kind === 'load' && isRisky(x) ? load(x.buffer, guarded(x.at, condition, taken, lane), x.type) : x,
    );
  return mapScalar(s, x => {
    if (x.kind !== 'apply' || x.op !== 'select') return x;
    const [condition, yes, no] = [x.args[0]!, x.args[1]!, x.args[2]!];
    return apply('select', [condition, guard(yes, condition, true), guard(no, condition, false)], x.type);
  });
}

/** True if the index may lie outside of what may be loaded and thrown away. */
export function mayLeave(at: Scalar, place: Place, extents: readonly number[]): boolean {
  const margin = MARGIN_BYTES / 2 / bytesOf(place.dtype);
  const [low, high] = rangeOf(at, extents);
  return !(low >= -margin && high < place.length + margin);
}

function guarded(at: Scalar, condition: Scalar, taken: boolean, lane: number | undefined): Scalar {
  const pick = (index: Scalar) =>
    apply('select', taken ? [condition, index, constant(0)] : [condition, constant(0), index], 'i32');
  const stride = lane === undefined ? undefined : strideOf(at, lane);
  if (lane === undefined || stride === undefined || stride < 0 || dependsOn(condition, lane)) return pick(at);
  const { offset, terms } = linear(at);
  const rest = fromLinear({ offset, terms: new Map([...terms].filter(([atom]) => atom !== axis(lane))) });
  return stride === 0 ? pick(rest) : add(pick(rest), mul(axis(lane), constant(stride)));
}
