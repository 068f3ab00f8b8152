/** Which buffers of f16 WGSL stores in two bytes: where the device can, all but those that are reached through the arena. */
import type { Schedule } from '../../kernel/kernel.ts';
import { loadedBuffers, storedBuffers } from '../../kernel/memory.ts';
import { widened } from '../../kernel/widen.ts';
import { fitsBindings, type WgslOptions } from './shader.ts';

/**
 * The schedule as a device with these options holds it: what of f16 it can't store is rounded in f32, and memory planned anew. A kernel
 * with more buffers than bindings sees all temporaries as words of one arena, of which two threads can't write the halves.
 */
export function storable(schedule: Schedule, options: WgslOptions): Schedule {
  if (options.halves === undefined) return widened(schedule);
  const crowded = schedule.kernels.filter(kernel => !fitsBindings(kernel, options));
  const throughArena = new Set(crowded.flatMap(kernel => [...storedBuffers(kernel), ...loadedBuffers(kernel)]));
  return widened(schedule, id => throughArena.has(id) && schedule.buffers[id]!.kind === 'temporary');
}
