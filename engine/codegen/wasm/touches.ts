/** Which bytes a part of a kernel reads and writes: what tells whether threads have to wait for each other. */
import type { Scalar } from '../../ir/scalar.ts';
import { ranges, walkScalar } from '../../kernel/scalar.ts';
import { bytesOf, type Place } from './access.ts';

/** Bytes from `start` up to but not including `end`. */
export type Span = readonly [start: number, end: number];

export interface Touches {
  readonly reads: readonly Span[];
  readonly writes: readonly Span[];
}

/** What the points from `from` up to but not including `to`, on that thread, touch at most. */
export type TouchesOf = (from: number, to: number, thread: number) => Touches;

interface Access {
  readonly buffer: number;
  readonly at: Scalar;
}

/** Indices at which a kernel loads and stores. */
export interface Accesses {
  readonly loads: readonly Access[];
  readonly stores: readonly Access[];
}

/** Stores as given, and every distinct load of `scalars` and of the stores. */
export function accessesOf(
  scalars: readonly Scalar[],
  stores: readonly (Access & { readonly value: Scalar })[],
): Accesses {
  const loads: Access[] = [];
  const seen = new Set<Scalar>();
  const note = (s: Scalar) => {
    if (s.kind === 'load') loads.push(s);
  };
  for (const s of [...scalars, ...stores.flatMap(({ at, value }) => [at, value])]) walkScalar(s, note, seen);
  return { loads, stores };
}

/** The hull of each access when axis `n` runs over starts[n]..extents[n]-1. Outside of its buffer nothing is used that is read. */
export function touchesOf(
  { loads, stores }: Accesses,
  places: readonly Place[],
  extents: readonly number[],
  starts: readonly number[],
): Touches {
  const range = ranges(extents, starts);
  const span = ({ buffer, at }: Access): Span => {
    const { base, dtype, length } = places[buffer]!;
    const [low, high] = range(at);
    const bytes = bytesOf(dtype);
    return [base + Math.max(low, 0) * bytes, base + Math.min(high + 1, length) * bytes];
  };
  return { reads: loads.map(span), writes: stores.map(span) };
}

/** The places that a function was compiled for, those of a call in front. */
export function movedTo(own: readonly Place[], compiled: readonly Place[]): readonly Place[] {
  return [...own, ...compiled.slice(own.length)];
}

/** All bytes of a place. */
export function spanOf({ base, dtype, length }: Place): Span {
  return [base, base + length * bytesOf(dtype)];
}

/** A thread's share of a place that has one for each of them. */
export function shareOf(place: Place, thread: number, threads: number): Span {
  const [start, end] = spanOf(place);
  const bytes = (end - start) / threads;
  return [start + thread * bytes, start + (thread + 1) * bytes];
}
