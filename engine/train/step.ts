/** Assembles the static step graphs of a Program: training on full and partial batches, evaluation of the other splits. */
import { bindGraph } from '../ir/bind.ts';
import type { Graph, TensorType } from '../ir/graph.ts';
import type { Program } from '../ir/program.ts';
import { withoutPassingRoundings } from '../kernel/roundings.ts';
import { GraphBuilder, type OutputSpec, type Value } from '../ops/builder.ts';
import { optimize } from '../passes/pipeline.ts';
import { halve, withoutIdleRoundings } from '../passes/precision.ts';
import {
  BUFFERS,
  type Counts,
  fieldBuffer,
  fieldsOf,
  layOut,
  ORDER,
  type SplitName,
  type StepLayout,
} from './layout.ts';
import { canShrink, nextScaling, SCALING_SHAPE } from './scaling.ts';
import { averaged, minimize, type Progress, progressOf, type Update, viewsOf } from './update.ts';

export type { BufferSpec, Counts, ParameterPlace, SplitName, StepLayout } from './layout.ts';
export { BUFFERS, fieldBuffer, ORDER } from './layout.ts';

/** Names of entries: full batches, and the partial one that ends a pass. */
export type EntryName = SplitName | `${SplitName}Last`;

export interface Steps {
  /** `train`, `trainLast`, `validation` … as far as such batches exist; names are those of `entriesOf`. */
  readonly entries: readonly Graph[];
  readonly layout: StepLayout;
}

export type Values = Readonly<Record<string, Value>>;

const scalar: TensorType = { dtype: 'i32', shape: [] };

/** Streams of `augment` are moved here, away from those of the model, which count from the same start. */
const AUGMENT_STREAM = 0x10000;

/** The runs of a pass over `split`: how many full batches, and whether a partial one follows. */
export function passOf(layout: StepLayout, split: SplitName): { readonly full: number; readonly rest: number } {
  const count = layout.counts[split];
  return { full: Math.floor(count / layout.batch), rest: count % layout.batch };
}

/** The entry that makes training step `step` (steps done so far). */
export function trainEntry(layout: StepLayout, step: number): 'train' | 'trainLast' {
  const { full } = passOf(layout, 'train');
  return step % layout.stepsPerEpoch < full ? 'train' : 'trainLast';
}

/** All step graphs of `program` for splits of the given sizes. Throws EngineError (`batch-too-large`, `program-malformed`). */
export function buildSteps(program: Program, counts: Counts): Steps {
  const layout = layOut(program, counts);
  const entries = (['train', 'validation', 'test'] as const).flatMap(split => {
    const { full, rest } = passOf(layout, split);
    const build = split === 'train' ? trainStep : evaluateStep;
    return [
      ...(full > 0 ? [finished(layout, build(program, layout, split, layout.batch, false))] : []),
      ...(rest > 0 ? [finished(layout, build(program, layout, split, rest, true))] : []),
    ];
  });
  return { entries, layout };
}

/** Optimised; in mixed precision with those roundings alone that something is stored after. */
function finished({ mixed }: StepLayout, graph: Graph): Graph {
  return mixed ? optimize(withoutPassingRoundings(optimize(withoutIdleRoundings(graph)))) : optimize(graph);
}

/**
 * One training step on `size` samples: gather, augment, then each objective in order. The forward pass of an objective sees what the
 * objectives before it have updated, as in a PyTorch loop that steps one optimiser after the other; shared parts are computed once.
 */
function trainStep(program: Program, layout: StepLayout, _: SplitName, size: number, last: boolean): Graph {
  const b = new GraphBuilder();
  const step = b.state(BUFFERS.step, scalar);
  const progress = progressOf(b, layout, step, size);
  const fields = trainBatch(b, program, progress, size, last);
  const flat = parameterBuffers(b, layout);
  const bound = bindGraph(program.train, { B: size });
  const forward = layout.mixed ? halve(bound) : bound;
  const leaves = { ...fields, seed: b.input(BUFFERS.seed, scalar), step };
  let views = allViews(b, layout, flat);
  const first = b.inline(forward, { ...leaves, ...views });
  let outputs = first;
  const updates: Update[] = [];
  const rates: Value[] = [];
  const losses: Value[] = [];
  const finite: Value[] = [];
  const current: Record<string, Value> = { ...flat };
  for (const [at, objective] of program.objectives.entries()) {
    if (at > 0) outputs = b.inline(forward, { ...leaves, ...views });
    const loss = outputs[objective.loss]!;
    const result = minimize(b, objective, at, loss, progress, current, views, program.run);
    for (const { group, next } of result.updates) {
      current[group.buffer] = next;
      // The update is a step taken, not a function to differentiate: the next gradient must not flow back through it.
      views = { ...views, ...viewsOf(b, group, b.detach(next)) };
    }
    updates.push(...result.updates);
    rates.push(result.lr);
    losses.push(loss);
    finite.push(result.finite);
  }
  const total = losses.reduce(b.add);
  const verdict = judged(b, progress, finite.reduce(b.logicalAnd), b.isfinite(total));
  const scale = progress.scaling === undefined ? [] : [progress.scaling.scale];
  const row = [...metricRow(program, losses, total, first), ...rates, ...scale];
  const statistics = nextStatistics(b, layout, first);
  const moments = Object.assign(
    {},
    ...updates.map(u => u.moments),
    ...layout.groups.map(g => averaged(b, progress, g, current[g.buffer]!, program.run.average ?? 0)),
  );
  const skipped = Object.assign({}, ...updates.map(u => u.skipped));
  return b.finish(
    last ? 'trainLast' : 'train',
    guarded(b, progress, verdict, flat, { ...current, ...statistics }, moments, skipped, row),
  );
}

/** The fields of batch `step % stepsPerEpoch` of the epoch's order, augmented. */
function trainBatch(b: GraphBuilder, program: Program, progress: Progress, size: number, last: boolean): Values {
  const { layout, step } = progress;
  const order = b.input(ORDER, { dtype: 'i32', shape: [layout.counts.train] });
  const batch = b.mod(step, layout.stepsPerEpoch);
  const at = positions(b, layout, 'train', batch, size, last);
  const graphs = [program.train, ...(program.data.augment ? [program.data.augment] : [])];
  const fields = gathered(b, graphs, layout, 'train', b.take(order, at));
  if (program.data.augment === undefined) return fields;
  const augment = moveStreams(bindGraph(program.data.augment, { B: size }), AUGMENT_STREAM);
  return { ...fields, ...b.inline(augment, { ...fields, seed: b.input(BUFFERS.seed, scalar), step }) };
}

/** i32 [size]: positions of the samples of a batch within its split; the partial batch is the tail. */
function positions(
  b: GraphBuilder,
  layout: StepLayout,
  split: SplitName,
  batch: Value,
  size: number,
  last: boolean,
): Value {
  const start = last ? layout.counts[split] - size : b.mul(batch, layout.batch);
  return b.add(b.iota([size]), start);
}

/** The rows of every field that `graphs` read. */
export function gathered(
  b: GraphBuilder,
  graphs: readonly Graph[],
  layout: StepLayout,
  split: SplitName,
  rows: Value,
): Values {
  return Object.fromEntries(
    graphs.flatMap(fieldsOf).map(({ name, dtype, shape }) => {
      const all = b.input(fieldBuffer(split, name), { dtype, shape: [layout.counts[split], ...shape] });
      return [name, b.take(all, rows)];
    }),
  );
}

function moveStreams(graph: Graph, by: number): Graph {
  const nodes = graph.nodes.map(node =>
    node.op === 'random_bits'
      ? { ...node, attributes: { ...node.attributes, stream: Number(node.attributes.stream) + by } }
      : node,
  );
  return { ...graph, nodes };
}

/** The flat state of each group. */
function parameterBuffers(b: GraphBuilder, layout: StepLayout): Values {
  return Object.fromEntries(layout.groups.map(g => [g.buffer, b.state(g.buffer, { dtype: 'f32', shape: [g.length] })]));
}

function allViews(b: GraphBuilder, layout: StepLayout, flat: Values): Values {
  return Object.assign({}, ...layout.groups.map(g => viewsOf(b, g, flat[g.buffer]!)));
}

/** Scalars and vectors as one vector. */
function flatRow(b: GraphBuilder, row: readonly Value[]): Value {
  return b.concat(row.map(v => (v.type.shape.length === 0 ? b.unsqueeze(v, 0) : v)));
}

/** Scalars and vectors in the order of `layout.sums.columns`. */
function metricRow(program: Program, losses: readonly Value[], total: Value, outputs: Values): readonly Value[] {
  return [total, ...(losses.length > 1 ? losses : []), ...program.reports.map(r => outputs[r.name]!)];
}

/** New contents of the running statistics, from the assignments of the train graph. */
function nextStatistics(b: GraphBuilder, layout: StepLayout, outputs: Values): Values {
  const group = layout.groups.find(g => g.role === 'statistics');
  if (group === undefined) return {};
  const parts = group.places.map(({ spec, length }) => b.reshape(outputs[spec.name]!, [length]));
  return { [group.buffer]: b.concat(parts) };
}

/** What becomes of a step, bool [] each: weights are written, or it is skipped, or else the run ends. */
interface Verdict {
  readonly good: Value;
  /** Only in mixed precision. */
  readonly skip?: Value;
}

/** A gradient that overflows is skipped while a smaller scale may help; for the loss itself none does. */
function judged(b: GraphBuilder, { scaling }: Progress, finite: Value, loss: Value): Verdict {
  const good = b.logicalAnd(finite, loss);
  if (scaling === undefined) return { good };
  return { good, skip: [b.logicalNot(finite), loss, canShrink(b, scaling)].reduce(b.logicalAnd) };
}

/** Writes nothing but the metrics where the step was not good, or an earlier one wasn't: the last good weights stay. */
function guarded(
  b: GraphBuilder,
  progress: Progress,
  { good, skip }: Verdict,
  before: Values,
  after: Values,
  moments: Values,
  skipped: Values,
  row: readonly Value[],
): readonly OutputSpec[] {
  const { step, layout } = progress;
  const bad = b.state(BUFFERS.bad, scalar);
  const alive = b.equal(bad, 0);
  const go = b.logicalAnd(good, alive);
  const skips = skip && b.logicalAnd(skip, alive);
  const moves = skips === undefined ? go : b.logicalOr(go, skips);
  const keep = (name: string, next: Value, old: Value): OutputSpec => {
    const otherwise = skipped[name];
    const kept = skips === undefined || otherwise === undefined ? old : b.select(skips, otherwise, old);
    return { name, value: b.select(go, next, kept), kind: 'assign' };
  };
  const ring = layout.ring;
  b.state(BUFFERS.ring, { dtype: 'f32', shape: [ring.rows, ring.columns.length] });
  const at = b.mul(b.mod(step, ring.rows), ring.columns.length);
  const failed = b.select(alive, b.add(step, 1), bad);
  const passes = skip === undefined ? good : b.logicalOr(good, skip);
  return [
    ...Object.entries(after)
      .filter(([name, next]) => next.id !== before[name]!.id)
      .map(([name, next]) => keep(name, next, before[name]!)),
    ...Object.entries(moments).map(([name, next]) => keep(name, next, b.state(name, next.type))),
    { name: BUFFERS.ring, value: flatRow(b, row), kind: 'write', at },
    ...rescaled(b, progress, good, moves),
    { name: BUFFERS.bad, value: b.select(passes, bad, failed), kind: 'assign' },
    { name: BUFFERS.step, value: b.select(moves, b.add(step, 1), step), kind: 'assign' },
  ];
}

/** The loss scale of the next step. */
function rescaled(b: GraphBuilder, { scaling, turn }: Progress, good: Value, moves: Value): readonly OutputSpec[] {
  if (scaling === undefined) return [];
  const old = b.state(BUFFERS.scaling, { dtype: 'f32', shape: SCALING_SHAPE });
  const due = turn?.due ?? b.constant(1, { dtype: 'bool', shape: [] });
  return [{ name: BUFFERS.scaling, value: b.select(moves, nextScaling(b, scaling, good, due), old), kind: 'assign' }];
}

/** The weights that the model is used with, by name: their moving average where there is one. */
export function usedWeights(b: GraphBuilder, layout: StepLayout): Values {
  const buffers = layout.groups.map(g => [
    g.buffer,
    b.state(g.average ?? g.buffer, { dtype: 'f32', shape: [g.length] }),
  ]);
  return allViews(b, layout, Object.fromEntries(buffers));
}

/** Adds the metrics of the next batch of `split`, times its size, to `sums`. */
function evaluateStep(program: Program, layout: StepLayout, split: SplitName, size: number, last: boolean): Graph {
  const b = new GraphBuilder();
  const evaluated = b.state(BUFFERS.evaluated, scalar);
  const rows = positions(b, layout, split, evaluated, size, last);
  const leaves = {
    ...gathered(b, [program.evaluate], layout, split, rows),
    ...usedWeights(b, layout),
    seed: b.input(BUFFERS.seed, scalar),
    step: b.state(BUFFERS.step, scalar),
  };
  const outputs = b.inline(bindGraph(program.evaluate, { B: size }), leaves);
  const losses = program.objectives.map(o => outputs[o.loss]!);
  const metrics = flatRow(b, metricRow(program, losses, losses.reduce(b.add), outputs));
  const sums = b.state(BUFFERS.sums, metrics.type);
  return b.finish(last ? `${split}Last` : split, [
    { name: BUFFERS.sums, value: b.add(sums, b.mul(metrics, size)), kind: 'assign' },
    { name: BUFFERS.evaluated, value: b.add(evaluated, 1), kind: 'assign' },
  ]);
}
