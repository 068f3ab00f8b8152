/** Row-major index walking for the plain evaluators. */

export function sizeOfShape(shape: readonly number[]): number {
  return shape.reduce((n, d) => n * d, 1);
}

/** Fills a new array of `shape` with `value(index, flat)`; `index` is reused between calls. */
export function tabulate(
  shape: readonly number[],
  value: (index: readonly number[], flat: number) => number,
): Float64Array {
  const out = new Float64Array(sizeOfShape(shape));
  const index = shape.map(() => 0);
  for (let flat = 0; flat < out.length; flat++) {
    out[flat] = value(index, flat);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      index[axis] = index[axis]! + 1;
      if (index[axis]! < shape[axis]!) break;
      index[axis] = 0;
    }
  }
  return out;
}

/** Row-major position of a multi-index. */
export function offsetOf(index: readonly number[], shape: readonly number[]): number {
  let flat = 0;
  for (let axis = 0; axis < shape.length; axis++) flat = flat * shape[axis]! + index[axis]!;
  return flat;
}
