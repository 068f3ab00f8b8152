/** The first stage of preparation: what transforms learn from the training samples. */
import type { Backend } from '../backend/backend.ts';
import { concreteShape } from '../ir/bind.ts';
import { type DataPlan, type Fit, statisticShape } from '../ir/program.ts';
import { dce } from '../passes/dce.ts';
import { EngineError, never } from '../util/errors.ts';
import { columnsOf, type Pass, runPass, widthOf } from './batches.ts';
import type { DataSet } from './schema.ts';
import { learn } from './statistics.ts';

/** What one fit gave, row-major: [groups, ...] as `statisticShape` says. */
export interface FittedNumbers {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}
/** By the name of the fit. */
export type Fitted = Readonly<Record<string, FittedNumbers>>;

/**
 * Learns `plan.fits` from the samples `train` of `set`, one pass over them each, later ones with the numbers of earlier ones. Means and spreads
 * are summed in double precision in the order of the samples, so they don't depend on the backend's threads. Throws `data-not-finite` where there
 * is nothing to learn from.
 */
export async function fitNumbers(
  plan: DataPlan,
  set: DataSet,
  train: Int32Array,
  { backend, seed, place }: { readonly backend: Backend; readonly seed: number; readonly place: string },
): Promise<Fitted> {
  const fitted: Record<string, FittedNumbers> = {};
  for (const fit of plan.fits ?? []) {
    const { graph, shape } = valuesOf(plan, fit);
    const groups = shape[0] ?? 1;
    const learner = learn(fit.statistic, groups, widthOf(shape));
    const constants = constantsOf(fitted);
    const pass: Pass = { graph, set, rows: train, backend, constants, seed, firstStep: 0 };
    await runPass(pass, outputs => learner.add(outputs[fit.name]!));
    const numbers = learner.finish();
    if (typeof numbers === 'number') throw nothingToLearn(fit, pass, numbers, groups, place);
    fitted[fit.name] = { shape: [groups, ...statisticShape(fit.statistic)], data: numbers };
  }
  return fitted;
}

/** What the preparation graph reads under the names of the fits. */
export function constantsOf(fitted: Fitted): Readonly<Record<string, Float32Array>> {
  return Object.fromEntries(Object.entries(fitted).map(([name, { data }]) => [name, data]));
}

function nothingToLearn(fit: Fit, { graph, set }: Pass, group: number, groups: number, place: string): EngineError {
  const names = columnsOf(graph, set).map(column => `"${column.name}"`);
  const which = groups > 1 ? `, number ${group} of ${groups}` : '';
  const what = fit.statistic.kind === 'moments' ? 'mean' : fit.statistic.kind;
  return new EngineError(
    'data-not-finite',
    `${place}: expected values in ${names.join(', ')}${which} to learn a ${what} from, found none in the training samples; leave the column out`,
  );
}

/** The part of the plan's graph that leads to the values of `fit`, and their shape per sample. */
function valuesOf({ prepare }: DataPlan, fit: Fit) {
  const output = prepare.outputs.find(each => each.name === fit.name);
  if (output === undefined) throw never('a fit of values that are not prepared', fit.name);
  const type = prepare.nodes[output.value]!.type;
  const shape = concreteShape({ ...type, shape: type.shape.slice(1) });
  return { graph: dce({ ...prepare, outputs: [output] }), shape };
}
