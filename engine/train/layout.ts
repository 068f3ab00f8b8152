/** StepLayout: the one table of every persistent buffer of the step graphs, which the loop, checkpoints and benches read. */
import type { DType, Graph } from '../ir/graph.ts';
import type { Call, CallArgument, Objective, ParameterSpec, Program } from '../ir/program.ts';
import type { Settings } from '../ops/library/function.ts';
import { findFunction } from '../ops/library/library.ts';
import { EngineError, never } from '../util/errors.ts';
import { SCALING_SHAPE } from './scaling.ts';

/** Samples in each split; `validation` and `test` may be 0. */
export interface Counts {
  readonly train: number;
  readonly validation: number;
  readonly test: number;
}
export type SplitName = keyof Counts;

/** One persistent buffer. `initial` says what the host writes before the first step; `zero` may be skipped where buffers start cleared. */
export interface BufferSpec {
  readonly name: string;
  readonly kind: 'input' | 'state';
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly initial: 'zero' | 'parameters' | 'host';
  /** What it holds, for `--emit plan`. */
  readonly doc: string;
}

/** Where a parameter lies: `length` elements of the f32 state `buffer`, row-major, from `offset`. */
export interface ParameterPlace {
  readonly spec: ParameterSpec;
  readonly buffer: string;
  readonly offset: number;
  readonly length: number;
}

/**
 * Parameters that the same objectives update in the same way, in one flat f32 buffer: `params` (and `params2` … where objectives differ in
 * what they are over, or their optimisers in what they do), `frozen` for those nothing updates, `statistics` for those the train graph
 * assigns itself.
 */
export interface Group {
  readonly buffer: string;
  readonly length: number;
  /** Positions in `Program.objectives`. */
  readonly objectives: readonly number[];
  readonly places: readonly ParameterPlace[];
  readonly role: 'trained' | 'frozen' | 'statistics';
  /** Hyperparameters of each objective's optimiser for these parameters, without `lr`. */
  readonly settings: readonly Settings[];
  /** State of the moving average of the weights, which evaluation uses in their place. */
  readonly average?: string;
}

/**
 * One flat f32 state of a group beside its parameters, of the group's length: `params.m` of an objective's optimiser, `params.gradient`
 * that accumulates over batches, `params.average`.
 */
export interface MomentSpec {
  readonly buffer: string;
  readonly group: Group;
  readonly objective: number;
  readonly role: 'optimizer' | 'gradient' | 'average';
  /** The optimiser's own name for it, `m`. */
  readonly name: string;
}

/** Columns `at` to `at + width` of `ring` and `sums` hold the means of this metric. */
export interface MetricPlace {
  readonly name: string;
  readonly at: number;
  readonly width: number;
  readonly finish?: Graph;
}

export interface StepLayout {
  readonly batch: number;
  readonly counts: Counts;
  /** Full batches and the partial one, if there is one. */
  readonly stepsPerEpoch: number;
  /** Planned steps of the whole run. */
  readonly steps: number;
  /** Batches whose gradients make one update; the last batches of an epoch make one too, however few. */
  readonly accumulate: number;
  /** Mixed precision: `scaling` is there, and the last column of the ring is the loss scale. */
  readonly mixed: boolean;
  /** Schedules that follow a metric, in the order of `BUFFERS.plateau`. */
  readonly plateaus: readonly Call[];
  readonly groups: readonly Group[];
  /** By parameter name. */
  readonly parameters: Readonly<Record<string, ParameterPlace>>;
  readonly moments: readonly MomentSpec[];
  /** What is reported: the loss, each objective where there are several, the reports. */
  readonly metrics: readonly MetricPlace[];
  /** State `ring` f32 [rows, columns]: step s (from 0) writes row s % rows. */
  readonly ring: { readonly rows: number; readonly columns: readonly string[] };
  /** State `sums` f32 [columns]: count-weighted sums that the evaluation entries add to; divide by the split's size. */
  readonly sums: { readonly columns: readonly string[] };
  readonly buffers: readonly BufferSpec[];
}

/** Names of the buffers that are not parameters, moments or data. */
export const BUFFERS = {
  /** i32 [] input: the run's seed. */
  seed: 'seed',
  /** i32 [] state: steps done. Batch, epoch, schedules and random numbers follow from it. */
  step: 'step',
  /** i32 [] state: 0, or the step (from 1) whose loss or gradient was not finite; from then on nothing is updated any more. */
  bad: 'bad',
  /** i32 [] state: batches evaluated; the host sets it to 0 before a pass over a split. */
  evaluated: 'evaluated',
  /** f32 [plateaus] input: what each schedule that follows a metric multiplies its lr by; the host rewrites it between epochs. */
  plateau: 'plateau',
  /** f32 [3] state: the loss scale of mixed precision, good steps since it changed, updates skipped. */
  scaling: 'scaling',
  ring: 'ring',
  sums: 'sums',
} as const;

export const RING_ROWS = 4096;

/** Input buffer of field `field` of a split, [samples, ...]. */
export function fieldBuffer(split: SplitName, field: string): string {
  return `${split}.${field}`;
}

/** i32 [train] input: the order of the training samples in this epoch; the host rewrites it between epochs. */
export const ORDER = 'train.order';

/** What is shown while training is of validation samples, and of training samples where there are none. */
export function shownSplit(counts: Counts): SplitName {
  return counts.validation > 0 ? 'validation' : 'train';
}

/** Fields that `graph` reads: inputs that are neither seed nor step, with their types per sample. */
export function fieldsOf(graph: Graph): readonly { name: string; dtype: DType; shape: readonly number[] }[] {
  return graph.nodes
    .filter(node => node.op === 'input' && node.attributes.name !== 'seed' && node.attributes.name !== 'step')
    .map(node => ({
      name: String(node.attributes.name),
      dtype: node.type.dtype,
      shape: node.type.shape.slice(1).map(d => {
        if (typeof d !== 'number') throw never('a field with a symbolic size', String(node.attributes.name));
        return d;
      }),
    }));
}

/** Numbers, flags and lists of numbers of an optimiser's or schedule's call, without `lr`. */
export function settings(args: Readonly<Record<string, CallArgument>>): Settings {
  const kept: Record<string, Settings[string]> = {};
  for (const [name, value] of Object.entries(args)) {
    if (name !== 'lr' && (typeof value === 'number' || typeof value === 'boolean' || isNumbers(value)))
      kept[name] = value;
  }
  return kept;
}

function isNumbers(value: CallArgument): value is readonly number[] {
  return Array.isArray(value) && value.every(item => typeof item === 'number');
}

/** The optimiser an objective names. Throws `program-malformed`. */
export function optimizerOf(objective: Objective) {
  const found = findFunction(objective.optimizer.name, 'optimizer');
  if (found) return found;
  throw new EngineError('program-malformed', `expected an optimizer, found ${objective.optimizer.name}`);
}

/** The schedules of all objectives that follow a metric, outermost first. */
function plateausOf({ objectives }: Program): readonly Call[] {
  const within = (lr: CallArgument | undefined): readonly Call[] => {
    if (typeof lr !== 'object' || !('name' in lr)) return [];
    return [...(findFunction(lr.name, 'schedule')?.observed ? [lr] : []), ...within(lr.args.lr)];
  };
  return objectives.flatMap(({ optimizer }) => within(optimizer.args.lr));
}

/** What each of the objectives `over` does with a parameter of this shape. */
function settingsFor(program: Program, over: readonly number[], shape: readonly number[]): readonly Settings[] {
  return over.map(at => {
    const objective = program.objectives[at]!;
    const args = settings(objective.optimizer.args);
    return optimizerOf(objective).apart?.(shape, args) ?? args;
  });
}

/** Assigns every parameter its group and place, in the order of the program within each group. */
function groupParameters(program: Program): readonly Group[] {
  const assigned = new Set(program.train.outputs.filter(o => o.kind === 'assign').map(o => o.name));
  const members = new Map<string, { over: readonly number[]; how: readonly Settings[]; specs: ParameterSpec[] }>();
  for (const spec of program.parameters) {
    const over = program.objectives.flatMap((o, at) => (spec.trainable && o.over.includes(spec.name) ? [at] : []));
    const how = settingsFor(program, over, spec.shape);
    const key = over.length > 0 ? JSON.stringify([over, how]) : assigned.has(spec.name) ? 'statistics' : 'frozen';
    const member = members.get(key) ?? { over, how, specs: [] };
    member.specs.push(spec);
    members.set(key, member);
  }
  let trained = 0;
  return [...members].map(([key, { over, how, specs }]): Group => {
    const role = key === 'statistics' || key === 'frozen' ? key : 'trained';
    const buffer = role === 'trained' ? `params${++trained > 1 ? trained : ''}` : role;
    const average = role === 'trained' && program.run.average !== undefined;
    let length = 0;
    const places = specs.map(spec => {
      const place = { spec, buffer, offset: length, length: spec.shape.reduce((n, d) => n * d, 1) };
      length += place.length;
      return place;
    });
    return {
      buffer,
      length,
      places,
      role,
      objectives: over,
      settings: how,
      ...(average && { average: `${buffer}.average` }),
    };
  });
}

function momentsOf(program: Program, groups: readonly Group[]): readonly MomentSpec[] {
  const accumulates = (program.run.accumulate ?? 1) > 1;
  return groups.flatMap(group => [
    ...group.objectives.flatMap((objective, turn): MomentSpec[] => {
      const names = optimizerOf(program.objectives[objective]!).state(group.settings[turn]!);
      const suffix = turn > 0 ? `.${turn + 1}` : '';
      const moment = (name: string, role: MomentSpec['role']): MomentSpec => ({
        buffer: `${group.buffer}.${name}${suffix}`,
        group,
        objective,
        role,
        name,
      });
      return [
        ...names.map(name => moment(name, 'optimizer')),
        ...(accumulates ? [moment('gradient', 'gradient')] : []),
      ];
    }),
    ...(group.average === undefined
      ? []
      : [
          {
            buffer: group.average,
            group,
            objective: group.objectives.at(-1)!,
            role: 'average',
            name: 'average',
          } as const,
        ]),
  ]);
}

/** Sums of losses come first, under the name `loss`; each objective by itself only where there are several. */
function placeMetrics(program: Program): readonly MetricPlace[] {
  const several = program.objectives.length > 1 ? program.objectives.map(o => o.loss) : [];
  const losses = ['loss', ...several].map((name, at) => ({ name, at, width: 1 }));
  let at = losses.length;
  const reports = program.reports.map(({ name, finish }) => {
    const means = finish?.nodes.find(node => node.op === 'input')?.type.shape[0] ?? 1;
    if (typeof means !== 'number') throw never('a metric of symbolic size', name);
    const place = { name, at, width: means, ...(finish && { finish }) };
    at += means;
    return place;
  });
  return [...losses, ...reports];
}

function columnsOf(metrics: readonly MetricPlace[]): readonly string[] {
  return metrics.flatMap(({ name, width, finish }) =>
    finish === undefined ? [name] : Array.from({ length: width }, (_, i) => `${name}.${i}`),
  );
}

/** Lays out the buffers of a program over splits of the given sizes. Throws `batch-too-large`, `program-malformed`. */
export function layOut(program: Program, counts: Counts): StepLayout {
  const { batch } = program.data;
  if (counts.train < batch) {
    throw new EngineError(
      'batch-too-large',
      `expected a batch of at most ${counts.train} training samples, found ${batch}; lower \`batch\` or add data`,
    );
  }
  const groups = groupParameters(program);
  const stepsPerEpoch = Math.ceil(counts.train / batch);
  const metrics = placeMetrics(program);
  const columns = columnsOf(metrics);
  const rates = program.objectives.map((_, at) => (at === 0 ? 'lr' : `lr_${at + 1}`));
  const moments = momentsOf(program, groups);
  const mixed = program.run.precision === 'mixed';
  const table = {
    batch,
    counts,
    stepsPerEpoch,
    steps: program.run.steps ?? (program.run.epochs ?? 1) * stepsPerEpoch,
    accumulate: Math.min(program.run.accumulate ?? 1, stepsPerEpoch),
    mixed,
    plateaus: plateausOf(program),
    groups,
    parameters: Object.fromEntries(groups.flatMap(g => g.places.map(p => [p.spec.name, p]))),
    moments,
    metrics,
    ring: { rows: RING_ROWS, columns: [...columns, ...rates, ...(mixed ? ['scale'] : [])] },
    sums: { columns },
  };
  return { ...table, buffers: bufferTable(program, table) };
}

function bufferTable(program: Program, layout: Omit<StepLayout, 'buffers'>): readonly BufferSpec[] {
  const state = (name: string, dtype: DType, shape: readonly number[], doc: string): BufferSpec => ({
    name,
    kind: 'state',
    dtype,
    shape,
    initial: 'zero',
    doc,
  });
  return [
    ...layout.groups.map(g => ({
      ...state(g.buffer, 'f32', [g.length], `${g.role} parameters`),
      initial: 'parameters' as const,
    })),
    ...layout.moments.map(m => state(m.buffer, 'f32', [m.group.length], momentDoc(m))),
    ...(layout.mixed
      ? [state(BUFFERS.scaling, 'f32', SCALING_SHAPE, 'loss scale, good steps since it changed, updates skipped')]
      : []),
    state(BUFFERS.step, 'i32', [], 'steps done'),
    state(BUFFERS.bad, 'i32', [], 'step whose loss or gradient was not finite, or 0'),
    state(BUFFERS.ring, 'f32', [layout.ring.rows, layout.ring.columns.length], layout.ring.columns.join(', ')),
    state(BUFFERS.evaluated, 'i32', [], 'batches evaluated'),
    state(BUFFERS.sums, 'f32', [layout.sums.columns.length], layout.sums.columns.join(', ')),
    ...inputTable(program, layout),
  ];
}

function momentDoc({ role, name }: MomentSpec): string {
  if (role === 'optimizer') return `${name} of the optimizer`;
  return role === 'gradient' ? 'mean gradient of the batches since the last update' : 'moving average of the weights';
}

function inputTable(
  program: Program,
  { counts, plateaus }: Pick<StepLayout, 'counts' | 'plateaus'>,
): readonly BufferSpec[] {
  const input = (name: string, dtype: DType, shape: readonly number[], doc: string): BufferSpec => ({
    name,
    kind: 'input',
    dtype,
    shape,
    initial: 'host',
    doc,
  });
  const fields = (split: SplitName, graphs: readonly Graph[]): BufferSpec[] => {
    const specs = graphs.flatMap(fieldsOf).map(f => {
      const name = fieldBuffer(split, f.name);
      return input(name, f.dtype, [counts[split], ...f.shape], `${f.name} of the ${split} split`);
    });
    return [...new Map(specs.map(s => [s.name, s])).values()];
  };
  const shown = (split: SplitName) => (program.infer && split === shownSplit(counts) ? [program.infer] : []);
  return [
    input(BUFFERS.seed, 'i32', [], 'seed of the run'),
    ...(plateaus.length > 0 ? [input(BUFFERS.plateau, 'f32', [plateaus.length], 'factors of plateau schedules')] : []),
    input(ORDER, 'i32', [counts.train], 'order of the training samples in this epoch'),
    ...fields('train', [program.train, ...(program.data.augment ? [program.data.augment] : []), ...shown('train')]),
    ...(['validation', 'test'] as const).flatMap(split =>
      counts[split] > 0 ? fields(split, [program.evaluate, ...shown(split)]) : [],
    ),
  ];
}
