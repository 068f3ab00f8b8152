/** Memory that kernels need beside their buffers: gaps that the arena has while they run, and bytes behind all buffers. */
import type { Schedule } from '../../kernel/kernel.ts';
import { lifetimes } from '../../kernel/memory.ts';
import { bytesOf, type Place } from './access.ts';
import { align } from './layout.ts';
import type { Span } from './touches.ts';

/** A cache line. */
const ALIGNMENT = 64;

export interface Scratch {
  /** Bytes behind the buffers that all entries so far need at most. */
  readonly most: number;
  /** Bytes that are the entry's own. */
  readonly kept: number;
  /** Starts over; with `kept` bytes that have been found to be the entry's own. */
  openEntry(kept?: number): void;
  /** The address of bytes that are the entry's own. */
  keep(bytes: number): number;
  /** Starts over with the bytes that kernels share; `gaps` are free while this one runs. */
  openKernel(gaps: readonly Span[]): void;
  /** The address of bytes for the kernel at hand. */
  take(bytes: number): number;
}

/** `end`: the first byte behind all buffers. */
export function createScratch(end: number): Scratch {
  let [most, kept, used] = [0, 0, 0];
  let gaps: Span[] = [];
  const behind = (at: number) => {
    most = Math.max(most, kept + used);
    return end + at;
  };
  return {
    get most() {
      return most;
    },
    get kept() {
      return kept;
    },
    openEntry(own = 0) {
      [kept, used] = [own, 0];
    },
    keep(bytes) {
      const at = kept;
      kept += align(bytes, ALIGNMENT);
      return behind(at);
    },
    openKernel(free) {
      used = 0;
      gaps = [...free];
    },
    take(bytes) {
      const size = align(bytes, ALIGNMENT);
      const found = gaps.findIndex(([start, stop]) => stop - start >= size);
      if (found >= 0) {
        const [start, stop] = gaps[found]!;
        gaps[found] = [start + size, stop];
        return start;
      }
      const at = kept + used;
      used += size;
      return behind(at);
    },
  };
}

/** Parts of the arena that no temporary lives in while a kernel, given by its number, runs. */
export function arenaGaps(
  { buffers, kernels }: Schedule,
  places: readonly Place[],
): (kernel: number) => readonly Span[] {
  const lives = lifetimes(kernels);
  const temporaries = buffers.flatMap(({ kind }, id) => {
    const life = lives.get(id);
    const { base, length, dtype } = places[id]!;
    const end = align(base + length * bytesOf(dtype), ALIGNMENT);
    return kind === 'temporary' && life !== undefined ? [{ life, span: [base, end] as Span }] : [];
  });
  temporaries.sort((a, b) => a.span[0] - b.span[0]);
  const end = Math.max(0, ...temporaries.map(({ span }) => span[1]));
  return kernel => {
    const gaps: Span[] = [];
    let free = temporaries[0]?.span[0] ?? 0;
    for (const { life, span } of temporaries) {
      if (kernel < life[0] || kernel > life[1]) continue;
      if (span[0] > free) gaps.push([free, span[0]]);
      free = Math.max(free, span[1]);
    }
    return end > free ? [...gaps, [free, end]] : gaps;
  };
}
