/** Checkpoints: a safetensors file with the parameters by their PyTorch names, the optimiser's state, and where the run stands. */
import * as v from 'valibot';
import type { Fitted } from '../data/fit.ts';
import { type DataPlan, statisticShape } from '../ir/program.ts';
import { EngineError } from '../util/errors.ts';
import { type Files, writeAtomic } from './atomicFile.ts';
import type { Tables } from './events.ts';
import { BUFFERS, type Group } from './layout.ts';
import type { PlateauState } from './plateau.ts';
import { encodeSafetensors, type NamedTensor, readSafetensors } from './safetensors.ts';
import { SCALING_SHAPE } from './scaling.ts';
import type { Weights } from './session.ts';
import type { Counts, StepLayout } from './step.ts';
import type { Patience } from './stopping.ts';

/** Key of the JSON text in the file's metadata. */
const STATE_KEY = 'strata';
const OPTIMIZER = 'optimizer.';
const SCALING = `${OPTIMIZER}scaling`;
/** Before the names of what transforms learnt: `data.features.standardize_1.moments`. */
const FITTED = 'data.';
const TRAINING = 'training.';

/**
 * Where a run stands after `step` steps, beside its weights. Random numbers, the order of samples, schedules and the cursor follow from
 * seed and step, so this is all that a resumed run needs to go on with the same bits.
 */
export interface TrainingState {
  readonly step: number;
  readonly seed: number;
  readonly backend: string;
  readonly counts: Counts;
  /** Step at which the last epoch event was made; 0 before the first. */
  readonly closedAt: number;
  /** Sums over the training samples of the epoch under way, a column each, and their number. */
  readonly sums: readonly number[];
  readonly summed: number;
  /** Metrics of the last closed epoch, under the names of `done`. */
  readonly metrics: Readonly<Record<string, number>>;
  readonly tables?: Tables;
  readonly patience: Patience;
  /** Monitored value of the best checkpoint. */
  readonly best: Patience;
  /** Of each schedule that follows a metric. */
  readonly plateaus?: readonly PlateauState[];
}

export interface Checkpoint {
  readonly state: TrainingState;
  readonly tensors: ReadonlyMap<string, NamedTensor>;
}

const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
/** JSON has no NaN and no infinity; a sum that isn't finite stays so. */
const real = v.pipe(
  v.nullable(v.number()),
  v.transform(value => value ?? Number.NaN),
);
const patience = v.object({ best: v.nullable(v.number()), stale: count });
const stateSchema = v.object({
  step: count,
  seed: v.pipe(v.number(), v.safeInteger()),
  backend: v.string(),
  counts: v.object({ train: count, validation: count, test: count }),
  closedAt: count,
  sums: v.array(real),
  summed: count,
  metrics: v.record(v.string(), v.number()),
  tables: v.exactOptional(v.record(v.string(), v.array(v.array(v.number())))),
  patience,
  best: patience,
  plateaus: v.exactOptional(
    v.array(v.object({ best: v.nullable(v.number()), stale: count, cooling: count, factor: v.number() })),
  ),
});

/** Writes a checkpoint in one piece; the one before stays until then. Throws `disk-full`. */
export async function writeCheckpoint(
  path: string,
  layout: StepLayout,
  state: TrainingState,
  weights: Weights,
  fitted: Fitted,
  files?: Files,
): Promise<void> {
  const tensors = new Map<string, NamedTensor>();
  for (const { name, buffer, shape, offset, length } of piecesOf(layout)) {
    tensors.set(name, { shape, data: weights.buffers[buffer]!.subarray(offset, offset + length) });
  }
  for (const [name, numbers] of Object.entries(fitted)) tensors.set(FITTED + name, numbers);
  const metadata = { format: 'pt', [STATE_KEY]: JSON.stringify(state) };
  await writeAtomic(path, encodeSafetensors({ tensors, metadata }), files);
}

/** Reads a checkpoint of ours. Throws `checkpoint-missing`, `checkpoint-malformed`. */
export async function readCheckpoint(path: string): Promise<Checkpoint> {
  const { tensors, metadata } = await readSafetensors(path);
  const parsed = v.safeParse(stateSchema, parseJson(metadata[STATE_KEY] ?? ''));
  if (parsed.success) return { state: parsed.output, tensors };
  throw new EngineError(
    'checkpoint-malformed',
    `${path}: expected where the run stood in its metadata, found none; it is not a checkpoint of a run`,
  );
}

/** The flat buffers that a checkpoint stands for. Throws `checkpoint-mismatch` with the first name or shape that differs. */
export function restoreWeights(checkpoint: Checkpoint, layout: StepLayout, path: string): Weights {
  const pieces = piecesOf(layout);
  const buffers: Record<string, Float32Array> = {};
  for (const { buffer, length } of layout.groups) buffers[buffer] = new Float32Array(length);
  for (const { buffer, group } of layout.moments) buffers[buffer] = new Float32Array(group.length);
  if (layout.mixed) buffers[BUFFERS.scaling] = new Float32Array(SCALING_SHAPE[0]);
  for (const { name, buffer, shape, offset } of pieces) {
    const found = checkpoint.tensors.get(name);
    if (found === undefined)
      throw mismatch(path, `expected "${name}" [${shape.join(', ')}], found no tensor of that name`);
    if (found.shape.join() !== shape.join() || !(found.data instanceof Float32Array)) {
      throw mismatch(path, `expected "${name}" f32 [${shape.join(', ')}], found [${found.shape.join(', ')}]`);
    }
    buffers[buffer]!.set(found.data, offset);
  }
  const known = new Set(pieces.map(piece => piece.name));
  const extra = [...checkpoint.tensors.keys()].find(name => !known.has(name) && !name.startsWith(FITTED));
  if (extra !== undefined) throw mismatch(path, `expected no tensor "${extra}", which the model lacks`);
  return { step: checkpoint.state.step, buffers };
}

/** What the data plan's transforms had learnt. Throws `checkpoint-mismatch` where it isn't all there. */
export function restoreFitted({ tensors }: Checkpoint, { fits = [] }: DataPlan, path: string): Fitted {
  return Object.fromEntries(
    fits.map(({ name, statistic }) => {
      const found = tensors.get(FITTED + name);
      const shape = statisticShape(statistic);
      if (found?.data instanceof Float32Array && found.shape.slice(1).join() === shape.join())
        return [name, { shape: found.shape, data: found.data }];
      throw mismatch(
        path,
        `expected what ${name} learnt from the data as "${FITTED}${name}", found none of that shape`,
      );
    }),
  );
}

/** A checkpoint goes on only over the same samples: its step says which come next. */
export function demandSameData({ counts }: TrainingState, layout: StepLayout, path: string): void {
  for (const split of ['train', 'validation', 'test'] as const) {
    const [expected, found] = [counts[split], layout.counts[split]];
    if (expected !== found)
      throw mismatch(path, `expected ${expected} ${split} samples, found ${found}; the data changed since`);
  }
}

interface Piece {
  readonly name: string;
  readonly buffer: string;
  readonly shape: readonly number[];
  readonly offset: number;
  readonly length: number;
}

/**
 * Each parameter, and each part of an optimiser's state under the name of its parameter: `optimizer.0.m.net.fc1.weight`. Where there is a
 * moving average of the weights it has their names, since it is what the model is used with, and they are `training.net.fc1.weight`.
 */
function piecesOf({ groups, moments, mixed }: StepLayout): Piece[] {
  const scaling = { name: SCALING, buffer: BUFFERS.scaling, shape: SCALING_SHAPE, offset: 0, length: SCALING_SHAPE[0] };
  const pieces = (group: Group, buffer: string, prefix: string): Piece[] =>
    group.places.map(({ spec, offset, length }) => ({
      name: prefix + spec.name,
      buffer,
      shape: spec.shape,
      offset,
      length,
    }));
  return [
    ...groups.flatMap(group => pieces(group, group.average ?? group.buffer, '')),
    ...groups.flatMap(group => (group.average === undefined ? [] : pieces(group, group.buffer, TRAINING))),
    ...moments.flatMap(({ buffer, group, objective, name, role }) =>
      role === 'average' ? [] : pieces(group, buffer, `${OPTIMIZER}${objective}.${name}.`),
    ),
    ...(mixed ? [scaling] : []),
  ];
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function mismatch(path: string, what: string): EngineError {
  return new EngineError(
    'checkpoint-mismatch',
    `${path}: ${what}; resume with the source the run started with, or start anew`,
  );
}
