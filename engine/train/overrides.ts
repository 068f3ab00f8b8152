/** What the command line and the editor may change of a Program for one run. */
import type { Program, RunPlan } from '../ir/program.ts';

export interface Overrides {
  readonly epochs?: number;
  readonly steps?: number;
  readonly seed?: number;
  readonly device?: RunPlan['device'];
}

/** The Program with the run's own length, seed and device; of `epochs` and `steps` the one that is given replaces both (steps where both are). */
export function applyOverrides(program: Program, { epochs, steps, seed, device }: Overrides): Program {
  const { epochs: plannedEpochs, steps: plannedSteps, ...rest } = program.run;
  const length =
    steps !== undefined
      ? { steps }
      : epochs !== undefined
        ? { epochs }
        : {
            ...(plannedEpochs !== undefined && { epochs: plannedEpochs }),
            ...(plannedSteps !== undefined && { steps: plannedSteps }),
          };
  const run = { ...rest, ...length, ...(seed !== undefined && { seed }), ...(device !== undefined && { device }) };
  return { ...program, run };
}
