/** Scatters whose updates are whole rows, which both code generators make use of. */
import type { Scalar } from '../ir/scalar.ts';
import type { ScatterKernel } from './kernel.ts';
import { children, linear } from './scalar.ts';
import { fromLinear } from './simplify.ts';

/**
 * The row r where the index is r n + last axis, n being the size of that axis: then an update goes to a whole row of n elements, or to none.
 */
export function rowIndex({ at, axes }: ScatterKernel): Scalar | undefined {
  const last = axes.length - 1;
  const size = axes[last];
  if (size === undefined) return undefined;
  const { offset, terms } = linear(at);
  if (offset !== 0) return undefined;
  const row = new Map<Scalar, number>();
  let unit = false;
  for (const [atom, factor] of terms) {
    if (atom.kind === 'axis' && atom.axis === last) unit = factor === 1;
    else if (factor % size === 0 && !mentions(atom, last)) row.set(atom, factor / size);
    else return undefined;
  }
  return unit ? fromLinear({ offset: 0, terms: row }) : undefined;
}

function mentions(s: Scalar, axis: number): boolean {
  return s.kind === 'axis' ? s.axis === axis : children(s).some(part => mentions(part, axis));
}
