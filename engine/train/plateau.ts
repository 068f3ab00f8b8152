/** Schedules that follow a metric: what the host counts between epochs, by the rules of torch.optim.lr_scheduler.ReduceLROnPlateau. */
import type { Call, Program } from '../ir/program.ts';
import type { Metrics } from './events.ts';
import { monitored, preferenceOf } from './stopping.ts';

export interface PlateauState {
  readonly best: number | null;
  /** Epochs in a row that were not better. */
  readonly stale: number;
  /** Epochs left in which nothing is counted. */
  readonly cooling: number;
  /** What lr is multiplied by. */
  readonly factor: number;
}

export const UNREDUCED: PlateauState = { best: null, stale: 0, cooling: 0, factor: 1 };

/** Counts one epoch of the schedule; `better` tells which way its monitor is to go. */
export function follow(state: PlateauState, value: number, better: 'lower' | 'higher', { args }: Call): PlateauState {
  const won = improves(state.best, value, better, Number(args.threshold));
  const best = won ? value : state.best;
  const cooling = Math.max(0, state.cooling - 1);
  const stale = won || state.cooling > 0 ? 0 : state.stale + 1;
  if (stale <= Number(args.patience)) return { best, stale, cooling, factor: state.factor };
  return { best, stale: 0, cooling: Number(args.cooldown), factor: state.factor * Number(args.factor) };
}

/** Better than the best by the part `threshold` of it. */
function improves(best: number | null, value: number, better: 'lower' | 'higher', threshold: number): boolean {
  if (best === null) return Number.isFinite(value);
  return better === 'lower' ? value < best * (1 - threshold) : value > best * (1 + threshold);
}

/** All schedules of a run after an epoch. Throws `program-malformed` where there is no such metric. */
export function followAll(
  states: readonly PlateauState[],
  schedules: readonly Call[],
  program: Program,
  train: Metrics,
  validation: Metrics | undefined,
): readonly PlateauState[] {
  return schedules.map((schedule, at) => {
    const monitor = String(schedule.args.monitor);
    const value = monitored(monitor, train, validation);
    return follow(states[at] ?? UNREDUCED, value, preferenceOf(program, monitor), schedule);
  });
}
