/** Gives back to the system what compilation has left behind, before a run's own memory is touched: the two need not add up. */
import v8 from 'node:v8';
import vm from 'node:vm';
import { resetScalars } from '../../kernel/scalar.ts';

/** Buffers below which the peak of compilation stays the peak, whatever is collected. */
const LEAST_BYTES = 32 * 2 ** 20;
/** What the process may hold; up to there, nothing is to be gained by tens of milliseconds of collecting. */
const ROOM_BYTES = 176 * 2 ** 20;

/** To be called between compilation and the first step of an executable whose buffers have that many bytes, not yet touched. */
export function collectGarbage(bytes: number): void {
  if (bytes < LEAST_BYTES || process.memoryUsage.rss() + bytes < ROOM_BYTES) return;
  resetScalars();
  v8.setFlagsFromString('--expose-gc');
  const collect = vm.runInNewContext('gc') as (options: Record<string, string>) => void;
  // An ordinary collection keeps the pages that it has emptied; the last resort before running out of memory does not.
  collect({ type: 'major', execution: 'sync', flavor: 'last-resort' });
}
