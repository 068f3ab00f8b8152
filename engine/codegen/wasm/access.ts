/** How a scalar's indices become memory addresses: axes, strides, and byte addresses split into what can be hoisted and what is constant. */
import type { DType } from '../../ir/graph.ts';
import type { Scalar } from '../../ir/scalar.ts';
import { add, axis, children, constant, linear, mul, rangeOf } from '../../kernel/scalar.ts';
import { fromLinear } from '../../kernel/simplify.ts';

/** Where a buffer lies in the linear memory. */
export interface Place {
  /** Byte address, or, with a pointer, what is added to that. */
  readonly base: number;
  readonly dtype: DType;
  /** Length in elements. */
  readonly length: number;
  /** Number of the function's parameter, among its last ones, that holds the address. */
  readonly pointer?: number;
}

/** Readable bytes before and behind all buffers: an index that is off by less than this may be loaded and thrown away. */
export const MARGIN_BYTES = 65536;

/** Axes from this number on stand for parameters of the function: known before any loop, at least 0. */
export const PARAMETER_AXIS = 20;

/** The axis that stands for the number of the thread. */
export const THREAD_AXIS = 30;

/** Axes from this number on stand for pointers. */
const POINTER_AXIS = 32;

/** The address that a place's pointer holds, if it has one. */
export function pointerOf({ pointer }: Place): Scalar | undefined {
  return pointer === undefined ? undefined : axis(POINTER_AXIS + pointer);
}

/** How many pointers a function over `places` takes. */
export function pointerCount(places: readonly Place[]): number {
  return places.filter(place => place.pointer !== undefined).length;
}

export function bytesOf(dtype: DType): number {
  if (dtype === 'f16') return 2;
  return dtype === 'u8' ? 1 : 4;
}

export const REDUCED_BIT = 1 << 31;
const axesMemo = new WeakMap<Scalar, number>();

/** Bit `a` is set where the value depends on axis `a`, bit 31 where it depends on an accumulator. */
export function axesOf(s: Scalar): number {
  const known = axesMemo.get(s);
  if (known !== undefined) return known;
  // Pointers don't count: they are the same everywhere.
  const own = s.kind === 'axis' ? (s.axis < POINTER_AXIS ? 1 << s.axis : 0) : s.kind === 'reduced' ? REDUCED_BIT : 0;
  const axes = children(s).reduce((mask, child) => mask | axesOf(child), own);
  axesMemo.set(s, axes);
  return axes;
}

export function dependsOn(s: Scalar, n: number): boolean {
  return (axesOf(s) & (1 << n)) !== 0;
}

/** How much the i32 value grows when axis `n` grows by 1, if that is a constant. */
export function strideOf(s: Scalar, n: number): number | undefined {
  if (!dependsOn(s, n)) return 0;
  let stride = 0;
  for (const [atom, factor] of linear(s).terms) {
    if (atom.kind === 'axis' && atom.axis === n) stride += factor;
    else if (dependsOn(atom, n)) return undefined;
  }
  return stride;
}

/** One element's place: `address` (an i32 scalar in bytes) plus `offset` bytes, which fits an instruction's immediate. */
export interface Access {
  readonly address: Scalar;
  readonly offset: number;
  /** Elements between neighbours along the lane axis; undefined where they are scattered. */
  readonly stride: number | undefined;
}

/**
 * The access of element `at`. The lane axis' part of the address is added last, so that the rest can be computed outside its loop.
 * Immediates are added without wrapping, so a sum that may be negative takes the base into its arithmetic instead.
 */
export function accessOf(at: Scalar, place: Place, lane: number | undefined, extents: readonly number[]): Access {
  const bytes = bytesOf(place.dtype);
  const stride = lane === undefined ? 0 : strideOf(at, lane);
  const { offset, terms } = linear(at);
  const scaled = new Map([...terms].map(([atom, factor]) => [atom, factor * bytes]));
  const alongLane = lane === undefined || stride === undefined ? 0 : (scaled.get(axis(lane)) ?? 0);
  if (alongLane !== 0) scaled.delete(axis(lane!));
  const pointer = pointerOf(place);
  if (pointer !== undefined) scaled.set(pointer, 1);
  const rest = fromLinear({ offset: 0, terms: scaled });
  const immediate = place.base + offset * bytes;
  const low = rangeOf(rest, extents)[0] + Math.min(0, alongLane * ((extents[lane ?? -1] ?? 1) - 1));
  const split = low >= 0 && immediate >= 0;
  const start = split ? rest : add(rest, constant(immediate));
  const laneBytes = alongLane === 0 ? undefined : mul(axis(lane!), constant(alongLane));
  const address = laneBytes === undefined ? start : isZero(start) ? laneBytes : add(start, laneBytes);
  return { address, offset: split ? immediate : 0, stride };
}

function isZero(s: Scalar): boolean {
  return s.kind === 'constant' && s.value === 0;
}
