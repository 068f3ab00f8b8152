/** V8's flags, which are process-wide: set for a piece of synchronous work, and set back before anything else can run. */
import v8 from 'node:v8';

/** Runs `work` with boolean flags as given. */
export function withFlags<T>(flags: Readonly<Record<string, boolean>>, work: () => T): T {
  const set = (name: string, on: boolean) => v8.setFlagsFromString(`--${on ? '' : 'no-'}${name}`);
  for (const [name, on] of Object.entries(flags)) set(name, on);
  try {
    return work();
  } finally {
    for (const [name, on] of Object.entries(flags)) set(name, !on);
  }
}

/** V8's middle compiler is on by default from version 12 (Node 22) on. */
const hasMaglev = Number(process.versions.v8?.split('.')[0] ?? 0) >= 12;

/**
 * Runs `work`, which is over within a second, without V8's last compiler (TurboFan): what that takes, and what is thrown away again when
 * its guesses turn out wrong, is a third of the time of a run's compilation, and the middle compiler's code is nearly as fast.
 */
export function briefly<T>(work: () => T): T {
  return hasMaglev ? withFlags({ opt: false }, work) : work();
}
