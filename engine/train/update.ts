/** One objective's part of the train step: gradient, clipping, learning rate, optimiser. */
import type { CallArgument, Objective } from '../ir/program.ts';
import type { GraphBuilder, Value } from '../ops/builder.ts';
import { findFunction } from '../ops/library/library.ts';
import { gradients } from '../passes/autodiff.ts';
import { EngineError } from '../util/errors.ts';
import { type Group, optimizerOf, type StepLayout, settings } from './layout.ts';

/** Where the run stands, as values of the graph. */
export interface Progress {
  /** i32 [], steps done. */
  readonly step: Value;
  readonly layout: StepLayout;
}

export interface Update {
  /** The group's new contents, f32 [length]. */
  readonly next: Value;
  readonly group: Group;
  /** New contents of the moments by buffer name. */
  readonly moments: Readonly<Record<string, Value>>;
}

export interface ObjectiveStep {
  readonly updates: readonly Update[];
  readonly lr: Value;
  /** bool []: the gradient holds no NaN and no infinity. */
  readonly finite: Value;
}

/** The parameters of a group as views of its flat buffer. */
export function viewsOf(b: GraphBuilder, group: Group, flat: Value): Readonly<Record<string, Value>> {
  return Object.fromEntries(
    group.places.map(({ spec, offset, length }) => [
      spec.name,
      b.reshape(b.slice(flat, [offset], [length]), spec.shape),
    ]),
  );
}

/**
 * Minimises `loss` over the groups of objective number `at`. `flat` holds the groups' current contents, `views` the parameters
 * that the loss was built from; `clip` is the largest global norm over all of the objective's parameters.
 */
export function minimize(
  b: GraphBuilder,
  objective: Objective,
  at: number,
  loss: Value,
  progress: Progress,
  flat: Readonly<Record<string, Value>>,
  views: Readonly<Record<string, Value>>,
  clip: number | undefined,
): ObjectiveStep {
  const groups = progress.layout.groups.filter(g => g.objectives.includes(at));
  const raw = flatGradients(b, loss, groups, views);
  const clipped = clip === undefined ? unclipped(b, raw) : clippedTo(b, raw, clip);
  const lr = learningRate(b, objective.optimizer.args.lr, progress);
  const step = b.cast(b.add(progress.step, 1), 'f32');
  const args = settings(objective.optimizer.args);
  const updates = groups.map((group, i): Update => {
    const own = progress.layout.moments.filter(m => m.group === group && m.objective === at);
    const state = Object.fromEntries(
      own.map(m => [m.name, b.state(m.buffer, { dtype: 'f32', shape: [group.length] })]),
    );
    const p = flat[group.buffer]!;
    const result = optimizerOf(objective).update(b, { p, g: clipped.gradients[i]!, lr, step, state }, args);
    return { next: result.p, group, moments: Object.fromEntries(own.map(m => [m.buffer, result.state[m.name]!])) };
  });
  return { updates, lr, finite: clipped.finite };
}

/** The gradient of each group, laid out as its buffer. */
function flatGradients(
  b: GraphBuilder,
  loss: Value,
  groups: readonly Group[],
  views: Readonly<Record<string, Value>>,
): readonly Value[] {
  const places = groups.flatMap(g => g.places);
  const found = gradients(
    b,
    loss,
    places.map(p => views[p.spec.name]!),
  );
  const flat = new Map(places.map((p, i) => [p.spec.name, b.reshape(found[i]!, [p.length])]));
  return groups.map(g => b.concat(g.places.map(p => flat.get(p.spec.name)!)));
}

function total(b: GraphBuilder, values: readonly Value[]): Value {
  return values.reduce(b.add);
}

/** A sum is finite only if every term is. */
function unclipped(b: GraphBuilder, raw: readonly Value[]) {
  return {
    gradients: raw,
    finite: b.isfinite(
      total(
        b,
        raw.map(g => b.sum(g)),
      ),
    ),
  };
}

/** Scales by min(1, clip / (norm + 1e-6)), as torch.nn.utils.clip_grad_norm_. */
function clippedTo(b: GraphBuilder, raw: readonly Value[], clip: number) {
  const norm = b.sqrt(
    total(
      b,
      raw.map(g => b.sum(b.square(g))),
    ),
  );
  const factor = b.minimum(b.div(clip, b.add(norm, 1e-6)), 1);
  return { gradients: raw.map(g => b.mul(g, factor)), finite: b.isfinite(norm) };
}

/** The value of `lr` at this step, f32 []: a number, or a schedule over a value of `lr`. */
export function learningRate(b: GraphBuilder, lr: CallArgument | undefined, progress: Progress): Value {
  if (typeof lr === 'number') return b.constant(lr);
  const schedule = typeof lr === 'object' && 'name' in lr ? findFunction(lr.name, 'schedule') : undefined;
  if (schedule === undefined || typeof lr !== 'object' || !('name' in lr)) {
    throw new EngineError('program-malformed', `expected a number or a schedule for lr, found ${JSON.stringify(lr)}`);
  }
  const { layout, step } = progress;
  const at = {
    step: b.cast(step, 'f32'),
    epoch: b.cast(b.div(step, layout.stepsPerEpoch), 'f32'),
    total: layout.steps,
    base: learningRate(b, lr.args.lr, progress),
  };
  return schedule.value(b, at, settings(lr.args));
}
