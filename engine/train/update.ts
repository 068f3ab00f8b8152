/** One objective's part of the train step: gradient, clipping, learning rate, optimiser. */
import type { Call, CallArgument, Objective, RunPlan } from '../ir/program.ts';
import type { GraphBuilder, Value } from '../ops/builder.ts';
import { findFunction } from '../ops/library/library.ts';
import { gradients } from '../passes/autodiff.ts';
import { EngineError } from '../util/errors.ts';
import { BUFFERS, type Group, type MomentSpec, optimizerOf, type StepLayout, settings } from './layout.ts';
import { SCALING_SHAPE, type Scaling, scalingOf } from './scaling.ts';

/** Where the run stands, as values of the graph. */
export interface Progress {
  /** i32 [], steps done. */
  readonly step: Value;
  readonly layout: StepLayout;
  /** i32 [], the step that schedules count: the first of the batches that make an update together. */
  readonly counted: Value;
  /** f32 [], updates of the weights, from 1; skipped ones don't count. */
  readonly updates: Value;
  /** Of the loss, in mixed precision. */
  readonly scaling?: Scaling;
  /** Where gradients of several batches make an update. */
  readonly turn?: Turn;
}

/** A batch among those of one update. */
interface Turn {
  /** bool []: the last of them, after which the weights move. */
  readonly due: Value;
  /** f32 []: its samples over those of all of them. */
  readonly share: Value;
}

/** The progress of a step over `size` samples. With `accumulate`, updates don't reach over the end of an epoch. */
export function progressOf(b: GraphBuilder, layout: StepLayout, step: Value, size: number): Progress {
  const { accumulate, stepsPerEpoch, mixed } = layout;
  const scaling = mixed ? scalingOf(b, b.state(BUFFERS.scaling, { dtype: 'f32', shape: SCALING_SHAPE })) : undefined;
  const scaled = scaling && { scaling };
  /** The number of the update that follows so many planned ones. */
  const made = (before: Value) => {
    const planned = b.cast(b.add(before, 1), 'f32');
    return scaling === undefined ? planned : b.sub(planned, scaling.skipped);
  };
  if (accumulate === 1) return { step, layout, counted: step, updates: made(step), ...scaled };
  const batch = b.mod(step, stepsPerEpoch);
  const turn = b.mod(batch, accumulate);
  const first = b.sub(batch, turn);
  const left = b.sub(layout.counts.train, b.mul(first, layout.batch));
  const samples = b.cast(b.minimum(left, accumulate * layout.batch), 'f32');
  const before = b.add(
    b.mul(b.div(step, stepsPerEpoch), Math.ceil(stepsPerEpoch / accumulate)),
    b.div(batch, accumulate),
  );
  return {
    step,
    layout,
    counted: b.sub(step, turn),
    updates: made(before),
    ...scaled,
    turn: {
      due: b.logicalOr(b.equal(turn, accumulate - 1), b.equal(batch, stepsPerEpoch - 1)),
      share: b.div(size, samples),
    },
  };
}

export interface Update {
  /** The group's new contents, f32 [length]. */
  readonly next: Value;
  readonly group: Group;
  /** New contents of the moments by buffer name. */
  readonly moments: Readonly<Record<string, Value>>;
  /** What is in their place where the gradient overflowed; the others stay as they are. */
  readonly skipped: Readonly<Record<string, Value>>;
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

/** The largest a gradient may be: the global norm over all of an objective's parameters, and the size of an element. */
export type Limits = Pick<RunPlan, 'clip' | 'clipValue'>;

/**
 * Minimises `loss` over the groups of objective number `at`. `flat` holds the groups' current contents, `views` the parameters
 * that the loss was built from.
 */
export function minimize(
  b: GraphBuilder,
  objective: Objective,
  at: number,
  loss: Value,
  progress: Progress,
  flat: Readonly<Record<string, Value>>,
  views: Readonly<Record<string, Value>>,
  limits: Limits,
): ObjectiveStep {
  const groups = progress.layout.groups.filter(g => g.objectives.includes(at));
  const moments = momentsOf(b, progress.layout, at);
  const raw = accumulated(b, flatGradients(b, loss, groups, views, progress), groups, moments, progress);
  const { gradients, finite } = limited(b, raw, limits);
  const lr = learningRate(b, objective.optimizer.args.lr, progress);
  const updates = groups.map((group, i): Update => {
    const own = moments.filter(m => m.spec.group === group && m.spec.role === 'optimizer');
    const state = Object.fromEntries(own.map(({ spec, value }) => [spec.name, value]));
    const p = flat[group.buffer]!;
    const places = group.places.map(({ spec, offset, length }) => ({ shape: spec.shape, offset, length }));
    const values = { p, g: gradients[i]!, lr, step: progress.updates, state, places };
    const result = optimizerOf(objective).update(b, values, group.settings[group.objectives.indexOf(at)]!);
    const next = own.map(({ spec, value }) => [spec.buffer, whenDue(b, progress, result.state[spec.name]!, value)]);
    const sum = moments.find(m => m.spec.group === group && m.spec.role === 'gradient');
    const carried = sum === undefined ? [] : [[sum.spec.buffer, whenDue(b, progress, b.mul(raw[i]!, 0), raw[i]!)]];
    return {
      next: whenDue(b, progress, result.p, p),
      group,
      moments: Object.fromEntries([...next, ...carried]),
      // A batch that overflows is lost, and with the last one all that its update had gathered.
      skipped: sum === undefined ? {} : { [sum.spec.buffer]: whenDue(b, progress, b.fill(0, sum.value), sum.value) },
    };
  });
  return { updates, lr, finite };
}

/** `next` in a step that updates the weights, `old` in one that only gathers gradients. */
function whenDue(b: GraphBuilder, { turn }: Progress, next: Value, old: Value): Value {
  return turn === undefined ? next : b.select(turn.due, next, old);
}

interface Moment {
  readonly spec: MomentSpec;
  readonly value: Value;
}

function momentsOf(b: GraphBuilder, { moments }: StepLayout, objective: number): readonly Moment[] {
  return moments
    .filter(m => m.objective === objective && m.role !== 'average')
    .map(spec => ({ spec, value: b.state(spec.buffer, { dtype: 'f32', shape: [spec.group.length] }) }));
}

/** The mean gradient of the samples since the last update, this batch included. */
function accumulated(
  b: GraphBuilder,
  gradients: readonly Value[],
  groups: readonly Group[],
  moments: readonly Moment[],
  { turn }: Progress,
): readonly Value[] {
  if (turn === undefined) return gradients;
  return gradients.map((g, i) => {
    const sum = moments.find(m => m.spec.group === groups[i] && m.spec.role === 'gradient');
    return sum === undefined ? g : b.add(sum.value, b.mul(g, turn.share));
  });
}

/**
 * The moving average of a group's weights once they are `next`: decay * average + (1 - decay) * next, from the first update's
 * weights on, as torch.optim.swa_utils.AveragedModel.
 */
export function averaged(b: GraphBuilder, progress: Progress, { average, length }: Group, next: Value, decay: number) {
  if (average === undefined) return {};
  const old = b.state(average, { dtype: 'f32', shape: [length] });
  const moved = b.add(old, b.mul(b.sub(next, old), 1 - decay));
  return { [average]: whenDue(b, progress, b.select(b.equal(progress.updates, 1), next, moved), old) };
}

/** The gradient of each group, laid out as its buffer; unscaled. */
function flatGradients(
  b: GraphBuilder,
  loss: Value,
  groups: readonly Group[],
  views: Readonly<Record<string, Value>>,
  { scaling }: Progress,
): readonly Value[] {
  const places = groups.flatMap(g => g.places);
  const found = gradients(
    b,
    scaling === undefined ? loss : b.mul(loss, scaling.scale),
    places.map(p => views[p.spec.name]!),
  );
  const flat = new Map(places.map((p, i) => [p.spec.name, b.reshape(found[i]!, [p.length])]));
  const all = groups.map(g => b.concat(g.places.map(p => flat.get(p.spec.name)!)));
  return scaling === undefined ? all : all.map(g => b.mul(g, b.div(1, scaling.scale)));
}

function total(b: GraphBuilder, values: readonly Value[]): Value {
  return values.reduce(b.add);
}

/** Gradients within the limits, elements first. Whether they are finite is told before anything is cut off. */
function limited(b: GraphBuilder, raw: readonly Value[], { clip, clipValue }: Limits) {
  if (clipValue === undefined) return clip === undefined ? unclipped(b, raw) : clippedTo(b, raw, clip);
  const cut = raw.map(g => b.maximum(b.minimum(g, clipValue), -clipValue));
  const { finite } = unclipped(b, raw);
  return { gradients: clip === undefined ? cut : clippedTo(b, cut, clip).gradients, finite };
}

/** A sum is finite only if every term is. */
function unclipped(b: GraphBuilder, raw: readonly Value[]) {
  const sums = raw.map(g => b.sum(g));
  return { gradients: raw, finite: b.isfinite(total(b, sums)) };
}

/** Scales by min(1, clip / (norm + 1e-6)), as torch.nn.utils.clip_grad_norm_. */
function clippedTo(b: GraphBuilder, raw: readonly Value[], clip: number) {
  const squares = raw.map(g => b.sum(b.square(g)));
  const norm = b.sqrt(total(b, squares));
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
  const { layout, counted } = progress;
  const at = {
    step: b.cast(counted, 'f32'),
    epoch: b.cast(b.div(counted, layout.stepsPerEpoch), 'f32'),
    total: layout.steps,
    base: learningRate(b, lr.args.lr, progress),
    factor: schedule.observed ? observedFactor(b, layout, lr) : b.constant(1),
  };
  return schedule.value(b, at, settings(lr.args));
}

/** What the host has set for a schedule that follows a metric, f32 []. */
function observedFactor(b: GraphBuilder, { plateaus }: StepLayout, schedule: Call): Value {
  const all = b.input(BUFFERS.plateau, { dtype: 'f32', shape: [plateaus.length] });
  return b.reshape(b.slice(all, [plateaus.indexOf(schedule)], [1]), []);
}
