/** The part of compilation that is the same for every device: a Program's step graphs, and their schedules. */
import { briefly } from '../backend/flags.ts';
import type { Program } from '../ir/program.ts';
import type { Schedule } from '../kernel/kernel.ts';
import { type DeviceMemory, scheduleWithin } from '../kernel/rematerialize.ts';
import { withShown } from './show.ts';
import { buildSteps, type Counts, type Steps } from './step.ts';

/** All entries of a run: training, evaluation, what is shown. Throws as `buildSteps` does. */
export function stepsOf(program: Program, counts: Counts): Steps {
  return briefly(() => withShown(program, buildSteps(program, counts)));
}

/** Their kernels, in the same order, for a device with so much memory. */
export function schedulesOf({ entries }: Steps, memory: DeviceMemory): readonly Schedule[] {
  return briefly(() => scheduleWithin(entries, memory));
}
