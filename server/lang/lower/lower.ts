/** A checked train block to a Program: the graphs, the parameters, and the plans for data and run. */
import { type Choice, PROGRAM_VERSION, type Program, type RunPlan } from '../../../engine/ir/program.ts';
import { ShapeError } from '../../../engine/ops/shapeError.ts';
import { snapshotOf } from '../analyze.ts';
import type { Analysis, LowerResult, MadeLayer } from '../api.ts';
import type { EmissionListener } from '../check/context.ts';
import type { DataFace } from '../check/data.ts';
import type { Meaning } from '../check/meaning.ts';
import type { LayerSite, Sheet } from '../check/records.ts';
import { choicesOf } from '../check/sweep.ts';
import type { TrainFace } from '../check/train.ts';
import type { DiagnosticFact } from '../facts.ts';
import { isError } from '../facts.ts';
import { dependencies } from '../snapshot/outline.ts';
import { absolute, locate, type Part, parts, type Snapshot } from '../snapshot/snapshot.ts';
import type { TrainDeclaration } from '../syntax/ast.ts';
import { shiftSpan } from '../text.ts';
import { dataPlan } from './data.ts';
import { type TrainGraphs, trainGraphs } from './train.ts';
import { viewsOf } from './views.ts';

/**
 * The program of a train block (the first where no name is given), or the errors in it and in what it uses. Of a sweep it is the program of
 * `choice`, the first one where it is left out. A `listener` hears what its evaluation is made of.
 */
export function lower(analysis: Analysis, train?: string, choice?: Choice, listener?: EmissionListener): LowerResult {
  const snapshot = snapshotOf(analysis);
  const trains = snapshot ? parts(snapshot).filter(p => p.entry.node.kind === 'train') : [];
  const part = train === undefined ? trains[0] : trains.find(p => p.entry.node.name.name === train);
  if (!snapshot || !part) return { kind: 'unknown-train', names: trains.map(p => p.entry.node.name.name) };
  const errors = errorsOf(snapshot, analysis, part);
  if (errors.length > 0) return { kind: 'errors', facts: errors };
  const { node } = part.entry;
  const data = node.kind === 'train' ? snapshot.world.dataOf(node.on.name) : undefined;
  if (node.kind !== 'train' || !data?.source || !data.fields) return { kind: 'errors', facts: [pending(part)] };
  try {
    return lowered(snapshot, part, node, data, data.fields, choice, listener);
  } catch (error) {
    return refused(snapshot, part, error);
  }
}

function lowered(
  snapshot: Snapshot,
  part: Part,
  node: TrainDeclaration,
  data: DataFace,
  fields: ReadonlyMap<string, Meaning>,
  choice: Choice | undefined,
  listener: EmissionListener | undefined,
): LowerResult {
  const { train } = snapshot.world.check(part.entry);
  const choices = train ? choicesOf(train.sweep, train.seed) : [];
  const chosen = choice ?? choices[0];
  const graphs = trainGraphs(snapshot.world, part.entry, node, fields, chosen, { listener });
  const views = viewsOf(graphs, data.source!, data.columns);
  if (graphs.sheet.facts.some(isError)) return { kind: 'errors', facts: placedFacts(snapshot, part, graphs.sheet) };
  const whole = { ...program(snapshot, node.name.name, node.on.name, data, graphs), ...views };
  const layers = madeLayers(snapshot, graphs);
  return { kind: 'program', program: { ...whole, ...(chosen && { choice: chosen }) }, choices, layers };
}

function madeLayers({ world }: Snapshot, { layers }: TrainGraphs): ReadonlyMap<string, readonly MadeLayer[]> {
  const made = ({ uri, declaration, span, kind }: LayerSite): readonly MadeLayer[] => {
    const home = world.worldOf(uri)?.find(declaration);
    return home ? [{ kind, location: { uri, ...shiftSpan(span, home.placed.offset) } }] : [];
  };
  return new Map([...layers].map(([path, sites]) => [path, sites.flatMap(made)]));
}

/** A type rule of the graph refused what only the sizes of this program show; anything else is our mistake. */
function refused(snapshot: Snapshot, part: Part, error: unknown): LowerResult {
  const span = absolute(part.entry.node.name, part);
  if (!(error instanceof ShapeError)) {
    snapshot.world.internalError(error);
    const what = `this program (${error instanceof Error ? error.message : String(error)})`;
    return { kind: 'errors', facts: [{ code: 'unsupported', span, data: { what }, related: [] }] };
  }
  const { op, expected, found } = error.problem;
  const data = { role: 'operands', subject: op, expected, found } as const;
  return { kind: 'errors', facts: [{ code: 'shape-mismatch', span, data, related: [] }] };
}

/** Within what the block uses, imported files included. */
function errorsOf(snapshot: Snapshot, analysis: Analysis, part: Part): readonly DiagnosticFact[] {
  const uses = dependencies(snapshot, part).map(p => absolute(p.entry.node, p));
  const inUse = (f: DiagnosticFact) => uses.some(u => u.start <= f.span.start && f.span.end <= u.end);
  return analysis.facts.filter(f => isError(f) && (inUse(f) || f.code === 'limit-exceeded'));
}

/** The data's schema is not known yet. */
function pending(part: Part): DiagnosticFact {
  const { node } = part.entry;
  const name = node.kind === 'train' ? node.on : node.name;
  return {
    code: 'unsupported',
    span: absolute(name, part),
    data: { what: `training before the data of ${name.name} is known` },
    related: [],
  };
}

function placedFacts(snapshot: Snapshot, part: Part, sheet: Sheet): readonly DiagnosticFact[] {
  return sheet.facts.filter(isError).map(f => {
    const related = f.related.flatMap(({ target, role, text }) => {
      const location = locate(snapshot, target, part);
      return location ? [{ location, role, text }] : [];
    });
    return { code: f.code, span: absolute(f.span, part), data: f.data, related } as DiagnosticFact;
  });
}

function program(snapshot: Snapshot, name: string, dataName: string, data: DataFace, graphs: TrainGraphs): Program {
  const { face } = graphs;
  return {
    version: PROGRAM_VERSION,
    name,
    data: dataPlan(snapshot.world, dataName, data, graphs.use),
    parameters: graphs.parameters,
    train: graphs.train,
    evaluate: graphs.evaluate,
    objectives: graphs.objectives,
    reports: face.reports.map(({ name, better, meaning }) => {
      const { finish, classesOf } = (meaning.kind === 'tensor' ? meaning.parts : undefined) ?? {};
      return { name, better, ...(finish && { finish }), ...(classesOf !== undefined && { classesOf }) };
    }),
    run: runPlan(face),
  };
}

function runPlan(face: TrainFace): RunPlan {
  const { epochs, steps, seed, device, clip, clipValue, accumulate, average, precision, checkpoint, inits, stop } =
    face;
  return {
    ...(steps !== undefined ? { steps } : { epochs: epochs ?? 1 }),
    seed,
    device,
    ...(clip !== undefined && { clip }),
    ...(clipValue !== undefined && { clipValue }),
    ...(accumulate !== undefined && { accumulate }),
    ...(average !== undefined && { average }),
    ...(precision === 'mixed' && { precision }),
    ...(checkpoint && { checkpoint }),
    ...(inits.length > 0 && { init: inits.map(({ path, from }) => ({ over: path, from })) }),
    ...(stop && {
      stop: {
        monitor: String(stop.args.monitor),
        patience: Number(stop.args.patience),
        minDelta: Number(stop.args.min_delta),
      },
    }),
  };
}
