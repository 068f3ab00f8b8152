/** Where buffers lie in the linear memory: persistent ones by name, then one arena for the temporaries of all entries. */
import type { Buffer, Schedule } from '../../kernel/kernel.ts';
import { never } from '../../util/errors.ts';
import { bytesOf, MARGIN_BYTES, type Place } from './access.ts';

/** Cache lines, so that threads don't share one at the borders of buffers. */
const ALIGNMENT = 64;
const ARENA_ALIGNMENT = 256;

export interface Layout {
  /** Buffers that the host knows by name. */
  readonly persistent: ReadonlyMap<string, Place>;
  /** Places of each entry's buffers, by BufferId. */
  readonly entries: ReadonlyMap<string, readonly Place[]>;
  /** First byte behind all buffers. */
  readonly end: number;
}

export function align(value: number, to: number): number {
  return Math.ceil(value / to) * to;
}

export function layoutBuffers(entries: readonly Schedule[]): Layout {
  const persistent = new Map<string, Place>();
  let end = MARGIN_BYTES;
  for (const buffer of entries.flatMap(e => e.buffers)) {
    if (buffer.kind === 'temporary') continue;
    const known = persistent.get(buffer.name);
    if (known !== undefined) {
      if (known.dtype !== buffer.dtype || known.length !== buffer.length) throw never('one buffer, two types', buffer);
      continue;
    }
    persistent.set(buffer.name, { base: end, dtype: buffer.dtype, length: buffer.length });
    end = align(end + buffer.length * bytesOf(buffer.dtype), ALIGNMENT);
  }
  const arena = align(end, ARENA_ALIGNMENT);
  const placeOf = (buffer: Buffer): Place => {
    if (buffer.kind !== 'temporary') return persistent.get(buffer.name)!;
    return { base: arena + (buffer.offset ?? 0), dtype: buffer.dtype, length: buffer.length };
  };
  const places = new Map(entries.map(entry => [entry.name, entry.buffers.map(placeOf)]));
  const arenaBytes = Math.max(0, ...entries.map(entry => entry.arenaBytes));
  return { persistent, entries: places, end: align(arena + arenaBytes, ARENA_ALIGNMENT) };
}
