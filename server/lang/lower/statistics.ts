/** Running statistics while a graph is built: what each of them is by now, in the step and within the turns of loops. */
import type { OutputSpec, Value } from '../../../engine/ops/builder.ts';
import type { DeclareCarry } from '../../../engine/ops/scan.ts';
import type { LoopTurn } from '../check/context.ts';

export interface RunningStatistics {
  /** What the statistic is here; `initial`: before the step. */
  value(name: string, initial: () => Value): Value;
  update(name: string, next: Value): void;
  /** What the step leaves of those that it changes. */
  assigned(): readonly OutputSpec[];
  /** `make` as one turn of a loop, to which its statistics are carries; those outside change when the loop has `left` them. */
  turn<T>(declare: DeclareCarry, make: () => T): LoopTurn<T>;
}

/** Where statements stand: in the step, or in the body of a loop within another place. */
interface Place {
  readonly declare?: DeclareCarry;
  /** Asked anew each time: a leaf of a loop is another node once the loop inside it is made. */
  readonly now: Map<string, () => Value>;
}

export function runningStatistics(): RunningStatistics {
  const places: Place[] = [{ now: new Map() }];
  /** What the statistic is in the place of that number; a loop has to carry what is asked for within. */
  const within = (at: number, name: string, initial: () => Value): (() => Value) => {
    const { declare, now } = places[at]!;
    if (declare === undefined) return () => (now.get(name) ?? initial)();
    if (!now.has(name)) now.set(name, declare(within(at - 1, name, initial)));
    return () => now.get(name)!();
  };
  const set = (place: Place, name: string, value: Value) => place.now.set(name, () => value);
  return {
    value: (name, initial) => within(places.length - 1, name, initial)(),
    update: (name, next) => set(places.at(-1)!, name, next),
    assigned: () => [...places[0]!.now].map(([name, now]) => ({ name, value: now(), kind: 'assign' })),
    turn(declare, make) {
      const outside = places.at(-1)!;
      const now = new Map<string, () => Value>();
      places.push({ declare, now });
      try {
        const made = make();
        const names = [...now.keys()];
        const left = (last: readonly Value[]) => {
          for (const [i, name] of names.entries()) set(outside, name, last[i]!);
        };
        return { made, carries: names.map(name => now.get(name)!()), left };
      } finally {
        places.pop();
      }
    },
  };
}
