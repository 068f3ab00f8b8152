/** The graphs of a train block: its statements walked once for training and once for evaluation, building nodes. */
import type { Graph, GraphNode } from '../../../engine/ir/graph.ts';
import type { Choice, Objective, ParameterSpec, Prediction } from '../../../engine/ir/program.ts';
import { isUnder } from '../../../engine/ir/weightNames.ts';
import type { OutputSpec } from '../../../engine/ops/builder.ts';
import type { ScanAttributes } from '../../../engine/ops/primitives/scanParts.ts';
import { ShapeError } from '../../../engine/ops/shapeError.ts';
import { dce } from '../../../engine/passes/dce.ts';
import { type Context, type EmissionListener, maxTurns, type Rules, report } from '../check/context.ts';
import type { Meaning } from '../check/meaning.ts';
import { emptySheet, type Sheet } from '../check/records.ts';
import { Naming, Scope } from '../check/scope.ts';
import type { Shown } from '../check/show.ts';
import { batched, checkTrain, type TrainFace } from '../check/train.ts';
import type { Entry, World } from '../check/world.ts';
import type { TrainDeclaration } from '../syntax/ast.ts';
import type { DataUse } from './data.ts';
import { type Builder, builder, type FitSpec } from './emission.ts';
import { loweringRules } from './rules.ts';
import { inferGraph, inputNames } from './views.ts';

export interface TrainGraphs {
  readonly face: TrainFace;
  readonly sheet: Sheet;
  readonly train: Graph;
  readonly evaluate: Graph;
  readonly parameters: readonly ParameterSpec[];
  readonly objectives: readonly Objective[];
  readonly use: DataUse;
  /** Where mistakes are reported. */
  readonly context: Context;
  readonly shown: readonly Shown[];
  readonly infer: Graph;
  readonly predictions: readonly Prediction[];
  readonly layers: Builder['layers'];
}

/** Who wants to see what lowering does. */
export interface Onlookers {
  /** In place of those of lowering. */
  readonly rules?: Rules;
  /** Hears what the evaluation graph is built of. */
  readonly listener?: EmissionListener | undefined;
}

export function trainGraphs(
  world: World,
  entry: Entry,
  node: TrainDeclaration,
  fields: ReadonlyMap<string, Meaning>,
  choice: Choice = {},
  { rules = loweringRules(world), listener }: Onlookers = {},
): TrainGraphs {
  const training = emit(world, entry, node, fields, { training: true, choice, rules });
  const evaluating = emit(world, entry, node, fields, { training: false, choice, rules, listener });
  const { face, sheet, emission } = training;
  const whole = emission.b.finish('train', [...outputs(face), ...emission.statistics.assigned()]);
  // Fields that nothing reads must be neither prepared nor held on the device.
  const train = dce(whole);
  const evaluate = dce(evaluating.emission.b.finish('evaluate', outputs(evaluating.face)));
  const inference = inferGraph(evaluating.emission, evaluating.face);
  const read = [train, evaluate, inference.infer].flatMap(graph => [...inputNames(graph)]);
  // What is shown alone may have weights too; they come last, so that they change nothing of the others.
  const every = new Map([...emission.parameters, ...evaluating.emission.parameters]);
  const parameters = [...every.values()].map(p => (isFrozen(p, face) ? { ...p, trainable: false } : p));
  return {
    face,
    sheet,
    train,
    evaluate,
    parameters,
    layers: emission.layers,
    objectives: objectives(whole, face, parameters, training.context, node),
    use: {
      fields: new Set(read.filter(name => fields.has(name))),
      fits: emission.fits.map(fit => fieldFit(whole, fit)),
    },
    context: training.context,
    shown: evaluating.face.shown,
    ...inference,
  };
}

/** What is shown and predicted alone: the walk of evaluation. */
export function inferenceOf(
  world: World,
  entry: Entry,
  node: TrainDeclaration,
  fields: ReadonlyMap<string, Meaning>,
): Pick<TrainGraphs, 'context' | 'shown' | 'infer' | 'predictions'> {
  const { context, face, emission } = emit(world, entry, node, fields, {
    training: false,
    choice: {},
    rules: loweringRules(world),
  });
  return { context, shown: face.shown, ...inferGraph(emission, face) };
}

/** What a train block learns from the data, it learns from a field. */
function fieldFit({ nodes }: Graph, { name, statistic, values }: FitSpec): DataUse['fits'][number] {
  const node = nodes[values.id];
  if (node?.op === 'input') return { name, statistic, field: String(node.attributes.name) };
  const found = 'a computed tensor';
  throw new ShapeError({ code: 'bad-attribute', op: name, expected: 'a field of the data block', found });
}

interface Emitted {
  readonly face: TrainFace;
  readonly sheet: Sheet;
  readonly emission: Builder;
  readonly context: Context;
}

interface EmitOptions {
  readonly training: boolean;
  readonly choice: Choice;
  readonly rules: Rules;
  readonly listener?: EmissionListener | undefined;
}

function emit(
  world: World,
  entry: Entry,
  node: TrainDeclaration,
  fields: ReadonlyMap<string, Meaning>,
  { training, choice, rules, listener }: EmitOptions,
): Emitted {
  const emission = builder(training, { listener });
  const sheet = emptySheet();
  const context: Context = {
    ...world.context(entry, sheet, new Map()),
    rules,
    budget: { turns: maxTurns },
    scope: new Scope(),
    naming: new Naming(''),
    emission,
    choice,
  };
  const inputs = new Map([...fields].map(([name, m]) => [name, fieldInput(emission, name, m)]));
  const face = checkTrain(context, node, inputs);
  return { face, sheet, emission, context };
}

/** A field as an `input` node of the batch. The meaning stays that of one sample: checkTrain adds the batch. */
function fieldInput({ b }: Builder, name: string, m: Meaning): Meaning {
  const whole = batched(m);
  if (m.kind !== 'tensor' || whole.kind !== 'tensor') return m;
  return { ...m, node: b.input(name, { dtype: whole.dtype, shape: whole.shape }) };
}

/** `loss`, or `loss_1`, `loss_2` … when there are several. */
function lossName(face: TrainFace, i: number): string {
  return face.objectives.length === 1 ? 'loss' : `loss_${i + 1}`;
}

function outputs(face: TrainFace): readonly OutputSpec[] {
  const losses = face.objectives.map(({ loss }, i) => ({ name: lossName(face, i), loss }));
  const reports = face.reports.map(({ name, meaning }) => ({ name, loss: meaning }));
  return [...losses, ...reports].flatMap(({ name, loss }) =>
    loss.kind === 'tensor' && loss.node ? [{ name, value: loss.parts?.means ?? loss.node }] : [],
  );
}

function isFrozen({ name }: ParameterSpec, face: TrainFace): boolean {
  return face.frozen.some(({ path }) => isUnder(name, path));
}

function objectives(
  train: Graph,
  face: TrainFace,
  parameters: readonly ParameterSpec[],
  context: Context,
  node: TrainDeclaration,
): readonly Objective[] {
  return face.objectives.flatMap(({ loss, over, optimizer }, i) => {
    // Reported by the same walk, even where the check of a damaged model stays silent.
    if (!optimizer) return [];
    const reached = loss.kind === 'tensor' && loss.node ? statesBehind(train, loss.node.id) : new Set<string>();
    const chosen = parameters.filter(
      p => p.trainable && reached.has(p.name) && (!over || over.some(o => p.name.startsWith(`${o}.`))),
    );
    if (chosen.length === 0) report(context, 'no-gradient', node.name, {});
    return { loss: lossName(face, i), over: chosen.map(p => p.name), optimizer };
  });
}

/** The inputs of a loop that gradients of its results reach. */
function inputsBehind({ inputs, attributes }: GraphNode): readonly number[] {
  const { body, carries, sequences } = attributes as ScanAttributes;
  const first: Readonly<Record<string, number>> = { carry: 0, sequence: carries, constant: carries + sequences };
  const names = new Set(body.outputs.flatMap(({ value }) => [...leavesBehind(body, value)]));
  return [...names].map(name => inputs[first[name.replace(/\d+$/, '')]! + Number(/\d+$/.exec(name)![0])]!);
}

/** Names of the states that gradients of a node reach: not through `detach`. */
function statesBehind(graph: Graph, from: number): ReadonlySet<string> {
  return leavesBehind(graph, from, 'state');
}

function leavesBehind({ nodes }: Graph, from: number, op: 'state' | 'input' = 'input'): ReadonlySet<string> {
  const seen = new Set<number>();
  const names = new Set<string>();
  const open = [from];
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    const node = nodes[id];
    if (node === undefined || seen.has(id) || node.op === 'detach') continue;
    seen.add(id);
    if (node.op === op) names.add(String(node.attributes.name));
    open.push(...(node.op === 'scan' ? inputsBehind(node) : node.inputs));
  }
  return names;
}
