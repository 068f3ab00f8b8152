/** A look inside: what Strata makes of a program, with the same printers as the tests. For `--emit` and for editors. */
import { CPU_MEMORY } from '../../engine/backend/backend.ts';
import { scheduleShaders } from '../../engine/codegen/wgsl/beside.ts';
import { defaultOptions } from '../../engine/codegen/wgsl/shader.ts';
import { storable } from '../../engine/codegen/wgsl/storable.ts';
import { splitSamples } from '../../engine/data/splits.ts';
import { printGraph } from '../../engine/ir/print.ts';
import type { Program } from '../../engine/ir/program.ts';
import type { Schedule } from '../../engine/kernel/kernel.ts';
import { printPlan, printSchedule } from '../../engine/kernel/print.ts';
import { scheduleWithin } from '../../engine/kernel/rematerialize.ts';
import { withShown } from '../../engine/train/show.ts';
import { buildSteps, type Counts } from '../../engine/train/step.ts';
import { modelOutline, printOutline } from '../ide/modelOutline.ts';
import type { Analysis } from '../lang/api.ts';
import { lower } from '../lang/lower/lower.ts';

/** What each emission prints of one train block; `shapes` prints the whole file, `outline` the layers. */
const emissions = {
  graph: ({ data: { prepare, augment }, train, evaluate, infer }) =>
    [prepare, ...(augment ? [augment] : []), train, evaluate, ...(infer ? [infer] : [])].map(printGraph).join('\n'),
  kernels: (program, counts) => schedules(program, counts).map(printSchedule).join('\n'),
  plan: (program, counts) =>
    schedules(program, counts)
      .map(schedule => `${printPlan(schedule)}${dispatchesOf(schedule)} dispatches on a GPU\n`)
      .join('\n'),
} as const satisfies Record<string, (program: Program, counts: Counts) => string>;

export type Emission = 'shapes' | 'outline' | keyof typeof emissions;
export const emissionNames: readonly Emission[] = [
  'shapes',
  'outline',
  ...(Object.keys(emissions) as (keyof typeof emissions)[]),
];

/** Of one train block where one is named, else of all. */
export function emit(what: Emission, analysis: Analysis, train?: string): string {
  if (what === 'shapes') return shapes(analysis);
  const names = train === undefined ? analysis.trains.map(block => block.name) : [train];
  return names.map(name => emitBlock(what, analysis, name)).join('\n');
}

function emitBlock(what: Exclude<Emission, 'shapes'>, analysis: Analysis, name: string): string {
  const nothing = `// train ${name}: nothing to show while it has errors\n`;
  if (what === 'outline') {
    const outline = modelOutline(analysis, name);
    return outline === undefined ? nothing : printOutline(outline);
  }
  const lowered = lower(analysis, name);
  if (lowered.kind !== 'program') return nothing;
  const { program } = lowered;
  return `// train ${name}\n${emissions[what](program, countsOf(program, analysis))}`;
}

/** The source as it is, each line with the shapes of its bindings and stages behind it. */
function shapes(analysis: Analysis): string {
  const inlays = analysis.inlays();
  const lines = analysis.text.split(/\r?\n/).map((line, number) => {
    const here = inlays.filter(
      inlay => inlay.kind !== 'parameter' && analysis.lines.position(inlay.offset).line === number,
    );
    return here.length === 0 ? line : `${line.padEnd(48)} // ${here.map(inlay => inlay.text).join(' -> ')}`;
  });
  return lines.join('\n');
}

/** By the rule that holds for a GPU nothing was measured on. */
function dispatchesOf(schedule: Schedule): number {
  return scheduleShaders(storable(schedule, defaultOptions)).length;
}

/** As the CPU backend of a machine with enough memory would run them. */
function schedules(program: Program, counts: Counts): ReturnType<typeof scheduleWithin> {
  return scheduleWithin(withShown(program, buildSteps(program, counts)).entries, CPU_MEMORY);
}

/** Sizes of the splits, from the data's headers. A test source of its own is read when training, not here. */
function countsOf(program: Program, analysis: Analysis): Counts {
  const samples = analysis.data.find(data => data.name === program.data.name)?.samples ?? program.data.batch;
  const split = splitSamples(samples, program.data.split, program.run.seed);
  return { train: split.train.length, validation: split.validation.length, test: split.test.length };
}
