/** Keeps choosing between two ways of running the same steps by how long they have lately taken. */

/** Runs `times` steps; both ways give the same bits. */
export type Way = (times: number) => void;

export interface Pace {
  /** Runs the steps, the greater part of them in the way that is faster at present. */
  run(times: number): void;
  /** 0 or 1. */
  readonly preferred: number;
}

/** The slower way gets a chance this often: what else the machine does changes. */
const TRIAL_EVERY = 8;
const TRIAL_STEPS = 8;
/** Weight of the newest measurement of the preferred way. */
const NEWEST = 0.4;

/** Allocates nothing while running. `now` is in milliseconds. */
export function createPace(ways: readonly [Way, Way], now: () => number = () => performance.now()): Pace {
  const cost = new Float64Array(2).fill(Number.NaN);
  let preferred = 0;
  let runs = 0;
  const measure = (way: number, times: number): number => {
    const start = now();
    ways[way]!(times);
    return (now() - start) / times;
  };
  return {
    get preferred() {
      return preferred;
    },
    run(times) {
      let left = times;
      if (runs++ % TRIAL_EVERY === 0) {
        const trial = Math.min(left, TRIAL_STEPS);
        // What was measured the last time is long ago.
        cost[1 - preferred] = measure(1 - preferred, trial);
        left -= trial;
      }
      if (left > 0) {
        const ms = measure(preferred, left);
        const before = cost[preferred]!;
        cost[preferred] = Number.isNaN(before) ? ms : before * (1 - NEWEST) + ms * NEWEST;
      }
      // A way that has not been measured yet compares as false: it is tried before it is chosen.
      if (cost[1 - preferred]! < cost[preferred]!) preferred = 1 - preferred;
    },
  };
}
