/** Growable columns of numbers: appending is amortised constant and never touches what is there. */

export interface Column {
  values: Float64Array;
  length: number;
}

export function column(capacity = 1024): Column {
  return { values: new Float64Array(capacity), length: 0 };
}

/** Doubles the room when it is full, so 100,000 points cost 7 copies. */
export function push(target: Column, value: number): void {
  if (target.length === target.values.length) {
    const wider = new Float64Array(2 * target.values.length);
    wider.set(target.values);
    target.values = wider;
  }
  target.values[target.length++] = value;
}

/** Index of the first of the ascending values that is at least `bound`; `length` when there is none. */
export function lowerBound(source: Column, bound: number): number {
  let low = 0;
  let high = source.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (source.values[middle]! < bound) low = middle + 1;
    else high = middle;
  }
  return low;
}

export function last(source: Column): number | undefined {
  return source.length === 0 ? undefined : source.values[source.length - 1];
}
