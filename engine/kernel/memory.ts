/** The static memory plan: temporaries whose lifetimes are disjoint share bytes of one arena. */
import type { DType } from '../ir/graph.ts';
import type { Scalar } from '../ir/scalar.ts';
import type { Buffer, BufferId, Kernel, LoopKernel, MatmulKernel, Schedule, Store } from './kernel.ts';
import { walkScalar } from './scalar.ts';

/** WebGPU's `minStorageBufferOffsetAlignment`; also a multiple of any cache line. */
const ALIGNMENT = 256;

/** Bytes an element occupies in a device buffer; bool is stored as u32. */
export function bytesOf(dtype: DType): number {
  if (dtype === 'f16') return 2;
  return dtype === 'u8' ? 1 : 4;
}

/** Scalars of a kernel that are evaluated: operands, values and indices. */
export function scalarsOf(kernel: Kernel): readonly Scalar[] {
  switch (kernel.kind) {
    case 'loop':
      return kernel.phases.flatMap(p =>
        p.kind === 'reduce' ? p.slots.map(s => s.value) : p.stores.flatMap(s => [s.at, s.value]),
      );
    case 'matmul':
      return [kernel.a, kernel.b, ...kernel.stores.flatMap(s => [s.at, s.value])];
    case 'scatter':
      return [kernel.at, kernel.value];
  }
}

/** Buffers that a kernel loads from. */
export function loadedBuffers(kernel: Kernel): ReadonlySet<BufferId> {
  const found = new Set<BufferId>();
  const seen = new Set<Scalar>();
  for (const s of scalarsOf(kernel)) walkScalar(s, x => x.kind === 'load' && found.add(x.buffer), seen);
  return found;
}

/** Stores of a loop or a product; a scatter has none but its additions. */
export function storesOf(kernel: LoopKernel | MatmulKernel): readonly Store[] {
  return kernel.kind === 'matmul' ? kernel.stores : kernel.phases.flatMap(p => (p.kind === 'store' ? p.stores : []));
}

/** Buffers that a kernel stores to. */
export function storedBuffers(kernel: Kernel): ReadonlySet<BufferId> {
  return new Set(kernel.kind === 'scatter' ? [kernel.buffer] : storesOf(kernel).map(s => s.buffer));
}

/** Sizes of the axes that the kernel's scalars name, in order. */
export function extentsOf(kernel: Kernel): readonly number[] {
  if (kernel.kind === 'matmul') return [kernel.batch, kernel.m, kernel.n, kernel.k];
  return kernel.kind === 'loop' ? [...kernel.axes, ...kernel.inner] : kernel.axes;
}

/** First and last kernel (by number) that touch each buffer. */
export function lifetimes(kernels: readonly Kernel[]): ReadonlyMap<BufferId, readonly [first: number, last: number]> {
  const found = new Map<BufferId, readonly [number, number]>();
  for (const [n, kernel] of kernels.entries()) {
    for (const buffer of [...loadedBuffers(kernel), ...storedBuffers(kernel)])
      found.set(buffer, [found.get(buffer)?.[0] ?? n, n]);
  }
  return found;
}

interface Placed {
  readonly life: readonly [number, number];
  readonly start: number;
  readonly end: number;
}

/**
 * Gives each temporary its offset in the arena, greatest first, each into the tightest gap among those that live at the same time
 * (Pisarchyk and Lee, "Efficient memory management for deep neural net inference", 2020: greedy by size). Where it can, it takes the very
 * place of another one of its size: threads that share both by rows then have their own rows in the same bytes, and needn't wait.
 */
export function planMemory(schedule: Schedule): Schedule {
  const lives = lifetimes(schedule.kernels);
  const bytes = (b: Buffer) => Math.ceil((b.length * bytesOf(b.dtype)) / ALIGNMENT) * ALIGNMENT;
  const order = [...schedule.buffers.entries()]
    .filter(([id, b]) => b.kind === 'temporary' && lives.has(id))
    .sort((a, b) => bytes(b[1]) - bytes(a[1]) || a[0] - b[0]);
  const placed: Placed[] = [];
  /** Where buffers of each size stand, the first placed first. */
  const starts = new Map<number, Set<number>>();
  const offsets = new Map<BufferId, number>();
  for (const [id, buffer] of order) {
    const life = lives.get(id)!;
    const neighbours = placed.filter(p => p.life[0] <= life[1] && life[0] <= p.life[1]);
    const size = bytes(buffer);
    const taken = union(neighbours);
    const known = starts.get(size) ?? new Set();
    const start = [...known].find(from => isFree(taken, from, size)) ?? bestFit(taken, size);
    starts.set(size, known.add(start));
    placed.push({ life, start, end: start + size });
    offsets.set(id, start);
  }
  const buffers = schedule.buffers.map((b, id) => (offsets.has(id) ? { ...b, offset: offsets.get(id)! } : b));
  return { ...schedule, buffers, arenaBytes: Math.max(0, ...placed.map(p => p.end)) };
}

interface Span {
  readonly start: number;
  end: number;
}

/** The bytes that `placed` take, in order, as spans that don't touch. */
function union(placed: readonly Placed[]): readonly Span[] {
  const spans: Span[] = [];
  for (const { start, end } of [...placed].sort((a, b) => a.start - b.start)) {
    const last = spans.at(-1);
    if (last !== undefined && start <= last.end) last.end = Math.max(last.end, end);
    else spans.push({ start, end });
  }
  return spans;
}

/** Does no span of `taken` reach into the `size` bytes from `start`? */
function isFree(taken: readonly Span[], start: number, size: number): boolean {
  let [low, high] = [0, taken.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (taken[middle]!.end <= start) low = middle + 1;
    else high = middle;
  }
  return low === taken.length || start + size <= taken[low]!.start;
}

/** The tightest gap, or the place behind all. */
function bestFit(taken: readonly Span[], size: number): number {
  let best = Number.POSITIVE_INFINITY;
  let start = 0;
  let cursor = 0;
  for (const { start: from, end } of taken) {
    const gap = from - cursor;
    if (gap >= size && gap < best) [best, start] = [gap, cursor];
    cursor = end;
  }
  return best === Number.POSITIVE_INFINITY ? cursor : start;
}

/** Bytes of the persistent buffers and of the arena: all that the schedule holds on a device. */
export function peakBytes({ buffers, arenaBytes }: Schedule): { readonly persistent: number; readonly arena: number } {
  const persistent = buffers.filter(b => b.kind !== 'temporary').reduce((n, b) => n + b.length * bytesOf(b.dtype), 0);
  return { persistent, arena: arenaBytes };
}

/** Bytes that entries which run on one device hold together: persistent buffers, known by their names, once, and the largest arena. */
export function plannedBytes(entries: readonly Schedule[]): number {
  const persistent = new Map<string, number>();
  for (const { name, kind, length, dtype } of entries.flatMap(entry => entry.buffers)) {
    if (kind !== 'temporary') persistent.set(name, length * bytesOf(dtype));
  }
  const arena = Math.max(0, ...entries.map(entry => entry.arenaBytes));
  return [...persistent.values()].reduce((sum, bytes) => sum + bytes, arena);
}
