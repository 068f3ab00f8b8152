/** Which bytes a part of a product touches: some of its rows, or some panels of its columns. */
import type { Scalar } from '../../ir/scalar.ts';
import type { MatmulKernel, Store } from '../../kernel/kernel.ts';
import type { Place } from './access.ts';
import { B, N } from './operands.ts';
import { accessesOf, movedTo, shareOf, spanOf, type Touches, type TouchesOf, touchesOf } from './touches.ts';

export interface ProductMemory {
  readonly kernel: MatmulKernel;
  readonly places: readonly Place[];
  /** Operands that are read as their scalars say. */
  readonly scalars: readonly Scalar[];
  /** The kernel's, and what else a part writes at the points of its own. */
  readonly stores: readonly Store[];
  /** Buffers of which any part may read all, and places, of `places` too, of which every thread has its share. */
  readonly whole: readonly number[];
  readonly tables: readonly Place[];
  readonly shares: readonly Place[];
  readonly threads: number;
}

type Part = (extents: readonly number[], starts: readonly number[], thread: number) => Touches;

/** A point is `unit` rows, in each batch. */
export function touchesByRows(memory: ProductMemory, unit: number): (own: readonly Place[]) => TouchesOf {
  const { batch, m, n, k } = memory.kernel;
  const part = partOf(memory);
  return own => (from, to, thread) => part(own)([batch, Math.min(m, to * unit), n, k], [0, from * unit], thread);
}

/** A point is a panel of `width` columns, batch after batch; where there are several of these, a part counts as all of their columns. */
export function touchesByColumns(memory: ProductMemory, width: number): (own: readonly Place[]) => TouchesOf {
  const { batch, m, n, k } = memory.kernel;
  const panels = Math.ceil(n / width);
  const part = partOf(memory);
  return own => (from, to, thread) => {
    const [first, last] = [Math.floor(from / panels), Math.floor((to - 1) / panels)];
    const [start, end] = first === last ? [(from % panels) * width, (((to - 1) % panels) + 1) * width] : [0, n];
    const extents = [batch, m, n, k].with(B, last + 1).with(N, Math.min(n, end));
    return part(own)(extents, [first, 0, start], thread);
  };
}

function partOf({
  places,
  scalars,
  stores,
  whole,
  tables,
  shares,
  threads,
}: ProductMemory): (own: readonly Place[]) => Part {
  const accesses = accessesOf(scalars, stores);
  return own => {
    const moved = movedTo(own, places);
    const read = [...whole.map(buffer => moved[buffer]!), ...tables].map(spanOf);
    return (extents, starts, thread) => {
      const { reads, writes } = touchesOf(accesses, moved, extents, starts);
      const mine = shares.map(place => shareOf(place, thread, threads));
      return { reads: [...reads, ...read], writes: [...writes, ...mine] };
    };
  };
}
