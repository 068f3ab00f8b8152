/** The training loop: chunks of steps on a backend, metrics drained a few times a second, epochs closed, checkpoints kept. */
import { rm } from 'node:fs/promises';
import { basename, join, posix } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import type { Fitted } from '../data/fit.ts';
import type { Graph } from '../ir/graph.ts';
import { EngineError } from '../util/errors.ts';
import { findNonFinite } from './blame.ts';
import { type TrainingState, writeCheckpoint } from './checkpoint.ts';
import { tableClasses } from './classNames.ts';
import { type Control, createControl } from './control.ts';
import type { DoneEvent, DoneReason, Metrics, RunEvent, RunState, StateEvent, Tables } from './events.ts';
import { demandShowable, isShown, showAll } from './gallery.ts';
import { followAll, type PlateauState, UNREDUCED } from './plateau.ts';
import { createRecorder, finite, type Recorder } from './recorder.ts';
import type { Session } from './session.ts';
import { prepareTraining, type SetupOptions } from './setup.ts';
import { FRESH, monitored, monitorOf, observe, type Patience } from './stopping.ts';

export interface TrainerOptions extends SetupOptions {
  /** Absolute path of the run folder. */
  readonly folder: string;
  /** Where checkpoints go, relative to the folder. */
  readonly paths: { readonly last: string; readonly best: string };
  /** Receives events in order; the last is `done`. */
  readonly emit: (events: readonly RunEvent[]) => void;
  /** Makes emitted events durable; called before a checkpoint takes the place of the one before. */
  readonly durable?: () => void;
  /** Aborting stops the run. */
  readonly signal?: AbortSignal;
  readonly pace?: Partial<Pace>;
}

export interface Trainer {
  readonly control: Control;
  /** The state as of now. */
  state(): StateEvent;
  /** Trains to the end; never rejects: whatever goes wrong is in the event that it resolves with, and has emitted. */
  run(): Promise<DoneEvent>;
}

/** Milliseconds between what the loop does now and then. */
export interface Pace {
  /** Steps between two looks at the controls. */
  readonly chunk: number;
  /** Drains of the metric ring. */
  readonly drain: number;
  /** Checkpoints within an epoch. */
  readonly checkpoint: number;
}

const PACE: Pace = { chunk: 25, drain: 100, checkpoint: 60_000 };

/** What changes while a run goes on. */
interface Live {
  readonly pace: Pace;
  readonly options: TrainerOptions;
  readonly session: Session;
  readonly entries: readonly Graph[];
  readonly fitted: Fitted;
  readonly recorder: Recorder;
  readonly control: Control;
  /** Steps done. */
  step: number;
  /** Step at which the last epoch was closed. */
  closedAt: number;
  metrics: Metrics;
  tables: Tables;
  patience: Patience;
  best: Patience;
  plateaus: readonly PlateauState[];
  saved: boolean;
  /** Milliseconds spent on training steps, and how many: of this process, and of the epoch under way. */
  trainMs: number;
  trained: number;
  epochMs: number;
  epochSteps: number;
  epochStart: number;
  msPerStep: number;
  drainedAt: number;
  savedAt: number;
  /** Epoch (from 0) whose order the device has, -1 for none. */
  order: number;
}

/** What outsiders see of a run at any moment, before it is live and after. */
interface Face {
  state: RunState;
  live?: Live;
}

/** A trainer of one run. Nothing happens before `run`. */
export function createTrainer(options: TrainerOptions): Trainer {
  const control = createControl();
  const face: Face = { state: 'starting' };
  options.signal?.addEventListener('abort', control.stop);
  if (options.signal?.aborted) control.stop();
  return { control, state: () => stateEvent(face), run: () => train(options, control, face) };
}

async function train(options: TrainerOptions, control: Control, face: Face): Promise<DoneEvent> {
  try {
    setState(options, face, 'starting');
    const live = await beginUnlessStopped(options, control);
    if (live === undefined) return conclude(options, face, 'stopped');
    face.live = live;
    options.emit([startEvent(live)]);
    setState(options, face, 'running');
    const reason = await loop(live, face);
    if (reason === 'stopped') await save(live, false);
    else await test(live, face);
    return conclude(options, face, reason);
  } catch (error) {
    return conclude(options, face, 'failed', error);
  } finally {
    // A device that is lost may refuse even this, and the run is over anyway.
    await face.live?.session.dispose().catch(() => {});
  }
}

/** Loading and compiling can't be interrupted, but who asks to stop meanwhile doesn't wait for it. */
async function beginUnlessStopped(options: TrainerOptions, control: Control): Promise<Live | undefined> {
  const beginning = begin(options, control);
  const live = await Promise.race([beginning, control.stopped()]);
  if (live) return live;
  beginning.then(late => late.session.dispose()).catch(() => {});
  return undefined;
}

async function begin(options: TrainerOptions, control: Control): Promise<Live> {
  const { session, steps, fitted } = await prepareTraining(options);
  await demandShowable(options.program, session).catch(async (error: unknown) => {
    await session.dispose();
    throw error;
  });
  const resumed = options.resumeFrom?.checkpoint.state;
  const now = performance.now();
  const plateaus = session.layout.plateaus.map((_, at) => resumed?.plateaus?.[at] ?? UNREDUCED);
  session.setFactors(plateaus.map(each => each.factor));
  return {
    pace: { ...PACE, ...options.pace },
    options,
    session,
    entries: steps.entries,
    fitted,
    control,
    recorder: createRecorder(session.layout, resumed ?? { step: 0, sums: [], summed: 0 }),
    step: resumed?.step ?? 0,
    closedAt: resumed?.closedAt ?? 0,
    metrics: resumed?.metrics ?? {},
    tables: resumed?.tables ?? {},
    patience: resumed?.patience ?? FRESH,
    best: resumed?.best ?? FRESH,
    plateaus,
    saved: resumed !== undefined,
    trainMs: 0,
    trained: 0,
    epochMs: 0,
    epochSteps: 0,
    epochStart: now,
    msPerStep: PACE.chunk,
    drainedAt: Number.NEGATIVE_INFINITY,
    savedAt: now,
    order: -1,
  };
}

async function loop(live: Live, face: Face): Promise<DoneReason> {
  const { layout } = live.session;
  const { stop } = live.options.program.run;
  for (;;) {
    if (!(await mayGoOn(live, face))) return 'stopped';
    if (live.step > live.closedAt && (live.step % layout.stepsPerEpoch === 0 || live.step >= layout.steps)) {
      await closeEpoch(live, face);
    } else if (stop !== undefined && live.patience.stale >= stop.patience) {
      return 'early-stop';
    } else if (live.step >= layout.steps) {
      return 'finished';
    } else {
      await chunk(live, face);
    }
  }
}

/** Lets the process breathe, obeys the controls; false when the run is to stop. */
async function mayGoOn(live: Live, face: Face): Promise<boolean> {
  const { control, options } = live;
  await setImmediate();
  if (control.takeCheckpointRequest() || performance.now() - live.savedAt > live.pace.checkpoint)
    await save(live, false);
  while (control.paused) {
    await drain(live);
    setState(options, face, 'paused');
    await control.resumed();
    if (control.takeCheckpointRequest()) await save(live, false);
  }
  if (!control.stopping) setState(options, face, 'running');
  return !control.stopping;
}

/** Runs as many steps as fit into a chunk's time, within the epoch and the ring. */
async function chunk(live: Live, face: Face): Promise<void> {
  const { session, recorder } = live;
  const { stepsPerEpoch, steps, ring } = session.layout;
  const epoch = Math.floor(live.step / stepsPerEpoch);
  if (live.order !== epoch) session.setOrder(epoch);
  live.order = epoch;
  const room = Math.min((epoch + 1) * stepsPerEpoch, steps, recorder.recorded + ring.rows) - live.step;
  const wanted = Math.min(room, Math.max(1, Math.round(live.pace.chunk / live.msPerStep)));
  const times = await session.readySteps(live.step, wanted, () => mayGoOn(live, face));
  if (times === 0) return;
  const start = performance.now();
  session.train(live.step, times);
  await session.executable.sync();
  const ms = performance.now() - start;
  live.step += times;
  live.trainMs += ms;
  live.trained += times;
  live.epochMs += ms;
  live.epochSteps += times;
  live.msPerStep = Math.max(1e-3, live.trained === times ? ms / times : (live.msPerStep + ms / times) / 2);
  const full = live.step - recorder.recorded >= ring.rows;
  if (full || performance.now() - live.drainedAt >= live.pace.drain) await drain(live);
}

/** Reads what the ring has gathered. Throws `not-finite` at the first step that was not. */
async function drain(live: Live): Promise<void> {
  const { session, recorder, options } = live;
  live.drainedAt = performance.now();
  const bad = await session.readBad();
  if (bad > 0) live.step = bad - 1;
  const count = live.step - recorder.recorded;
  if (count > 0) options.emit(recorder.record(await session.readRows(recorder.recorded, count), Date.now()));
  if (bad > 0) throw await notFinite(live, bad);
}

/** The device has kept the weights of the step before; they are saved, and the operation at fault is looked for. */
async function notFinite(live: Live, bad: number): Promise<EngineError> {
  await save(live, false);
  const cause = await findNonFinite(live.session, live.entries, bad);
  const what = cause === undefined ? 'the loss or a gradient was not finite' : cause;
  // No update has come before the first step, so its learning rate is not to blame.
  const remedy =
    bad === 1
      ? 'scale inputs and targets, as standardize does, or look for a logarithm or quotient of 0'
      : 'lower the learning rate, or clip the gradients';
  const precision = live.session.layout.mixed ? ', or train with precision float32' : '';
  return new EngineError(
    'not-finite',
    `step ${bad}: ${what}; ${remedy}${precision}; the weights of step ${bad - 1} are kept in ${live.options.paths.last}`,
  );
}

/** Validates, tells the epoch's means, counts patience, saves. Does nothing more when the run is stopped meanwhile: a resumed run does it again. */
async function closeEpoch(live: Live, face: Face): Promise<void> {
  const { session, recorder, options } = live;
  await drain(live);
  const validated = session.layout.counts.validation > 0;
  const measured = validated ? await session.evaluate('validation', () => mayGoOn(live, face)) : undefined;
  if (validated && measured === undefined) return;
  const validation = measured?.metrics;
  const samples = await shownSamples(live, face);
  if (samples === undefined) return;
  const train = recorder.means();
  options.emit([epochEvent(live, train, validation), ...samples]);
  live.metrics = finite({ ...train, ...prefixed('validation', validation) });
  live.tables = prefixed('validation', measured?.tables);
  live.closedAt = live.step;
  const improved = judge(live, train, validation);
  live.plateaus = followAll(live.plateaus, session.layout.plateaus, options.program, train, validation);
  session.setFactors(live.plateaus.map(each => each.factor));
  if (live.step % session.layout.stepsPerEpoch === 0) recorder.reset();
  live.epochMs = 0;
  live.epochSteps = 0;
  await save(live, improved);
  live.epochStart = performance.now();
}

/** What this epoch shows; undefined when the run is stopped meanwhile. */
async function shownSamples(live: Live, face: Face): Promise<readonly RunEvent[] | undefined> {
  const { session, step } = live;
  const { program, folder } = live.options;
  const { steps, stepsPerEpoch } = session.layout;
  const epoch = Math.ceil(step / stepsPerEpoch);
  if (!isShown(program, epoch, Math.ceil(steps / stepsPerEpoch))) return [];
  return showAll({ program, session, folder, epoch, step, goOn: () => mayGoOn(live, face) });
}

/** Counts the epoch for early stopping and for the best checkpoint; true if it is the best so far. */
function judge(live: Live, train: Metrics, validation: Metrics | undefined): boolean {
  const { program } = live.options;
  const monitor = monitorOf(program, validation !== undefined);
  const value = monitored(monitor.name, train, validation);
  live.patience = observe(live.patience, value, monitor.better, program.run.stop?.minDelta ?? 0);
  const before = live.best;
  live.best = observe(before, value, monitor.better, 0);
  return live.best.best !== before.best;
}

/** Writes the last checkpoint, and the best one too if this is it. */
async function save(live: Live, best: boolean): Promise<void> {
  await drainQuietly(live);
  const { session, recorder, options } = live;
  const state: TrainingState = {
    step: live.step,
    seed: options.program.run.seed,
    backend: session.backend.name,
    counts: session.layout.counts,
    closedAt: live.closedAt,
    sums: recorder.sums,
    summed: recorder.summed,
    metrics: live.metrics,
    ...tablesIn(live),
    patience: live.patience,
    best: live.best,
    ...(live.plateaus.length > 0 && { plateaus: live.plateaus }),
  };
  const weights = await session.readWeights(live.step);
  options.durable?.();
  const kept = keptCheckpoint(live);
  for (const path of [...(kept ? [kept.path] : []), ...(best ? [options.paths.best] : []), options.paths.last]) {
    await writeCheckpoint(join(options.folder, path), session.layout, state, weights, live.fitted);
    options.emit([{ type: 'checkpoint', step: live.step, path, best: path === options.paths.best }]);
  }
  if (kept?.replaces !== undefined) await rm(join(options.folder, kept.replaces), { force: true });
  live.saved = true;
  live.savedAt = performance.now();
}

/** At the end of an epoch that `checkpoint every:` wants kept: the file, and the oldest one that it is kept instead of. */
function keptCheckpoint({ step, closedAt, session, options }: Live) {
  const { stepsPerEpoch } = session.layout;
  const { every, keep } = options.program.run.checkpoint ?? {};
  const epoch = step / stepsPerEpoch;
  if (every === undefined || step !== closedAt || epoch % every !== 0) return undefined;
  const pathOf = (n: number) => posix.join(posix.dirname(options.paths.last), `epoch-${n}.safetensors`);
  const oldest = keep === undefined ? 0 : epoch - keep * every;
  return { path: pathOf(epoch), ...(oldest > 0 && { replaces: pathOf(oldest) }) };
}

/** Before a checkpoint the sums must be those of its step; after a bad step they already are. */
async function drainQuietly(live: Live): Promise<void> {
  if (live.recorder.recorded < live.step) await drain(live);
}

/** Measures the test split with the final weights. */
async function test(live: Live, face: Face): Promise<void> {
  if (live.session.layout.counts.test === 0) return;
  const measured = await live.session.evaluate('test', () => mayGoOn(live, face));
  live.metrics = finite({ ...live.metrics, ...prefixed('test', measured?.metrics) });
  live.tables = { ...live.tables, ...prefixed('test', measured?.tables) };
}

function tablesIn({ tables }: Live): { readonly tables?: Tables } {
  return Object.keys(tables).length > 0 ? { tables } : {};
}

function prefixed<T>(split: string, named: Readonly<Record<string, T>> | undefined): Readonly<Record<string, T>> {
  return Object.fromEntries(Object.entries(named ?? {}).map(([name, value]) => [`${split}.${name}`, value]));
}

function conclude(options: TrainerOptions, face: Face, reason: DoneReason, error?: unknown): DoneEvent {
  const state: RunState = reason === 'failed' || reason === 'stopped' ? reason : 'finished';
  const done = doneEvent(face.live, options, reason, error);
  try {
    setState(options, face, state);
    options.emit([done]);
  } catch (failure) {
    // No room even for the last lines: whoever listens is told by the result.
    return reason === 'failed' ? done : doneEvent(face.live, options, 'failed', failure);
  }
  return done;
}

function setState(options: TrainerOptions, face: Face, state: RunState): void {
  if (face.state === state && state !== 'starting') return;
  face.state = state;
  options.emit([stateEvent(face)]);
}

function stateEvent({ state, live }: Face): StateEvent {
  return { type: 'state', state, step: live?.step ?? 0, time: Date.now() };
}

function startEvent({ options, session, step }: Live): RunEvent {
  const { layout, backend, executable } = session;
  const { program, folder } = options;
  const counted = layout.groups.filter(group => group.role !== 'statistics');
  return {
    type: 'start',
    run: basename(folder),
    name: program.name,
    time: Date.now(),
    device: deviceOf(session),
    backend: backend.name,
    seed: program.run.seed,
    parameters: counted.reduce((sum, group) => sum + group.length, 0),
    trainSamples: layout.counts.train,
    validationSamples: layout.counts.validation,
    batch: layout.batch,
    stepsPerEpoch: layout.stepsPerEpoch,
    steps: layout.steps,
    epochs: Math.ceil(layout.steps / layout.stepsPerEpoch),
    fromStep: step,
    bytes: executable.bytes,
  };
}

/** For people, with what mixed precision comes to there. */
function deviceOf({ backend: { description, halves }, layout }: Session): string {
  return layout.mixed && halves === 'rounded' ? `${description}, f16 rounded in f32 storage` : description;
}

function epochEvent(live: Live, train: Metrics, validation: Metrics | undefined): RunEvent {
  const { layout } = live.session;
  const stepsPerSecond = perSecond(live.epochSteps, live.epochMs);
  return {
    type: 'epoch',
    epoch: Math.ceil(live.step / layout.stepsPerEpoch),
    step: live.step,
    train: finite(train),
    ...(validation && { validation: finite(validation) }),
    seconds: (performance.now() - live.epochStart) / 1000,
    stepsPerSecond,
    samplesPerSecond: (stepsPerSecond * layout.counts.train) / layout.stepsPerEpoch,
    time: Date.now(),
  };
}

function doneEvent(live: Live | undefined, options: TrainerOptions, reason: DoneReason, error: unknown): DoneEvent {
  const step = live?.step ?? options.resumeFrom?.checkpoint.state.step ?? 0;
  return {
    type: 'done',
    reason,
    step,
    epoch: live ? Math.ceil(step / live.session.layout.stepsPerEpoch) : 0,
    stepsPerSecond: live ? perSecond(live.trained, live.trainMs) : 0,
    device: live ? deviceOf(live.session) : '',
    ...(live?.saved && { checkpoint: options.paths.last }),
    metrics: live?.metrics ?? {},
    ...(live && tablesIn(live)),
    ...(live && Object.keys(live.tables).length > 0 && { classes: tableClasses(options.program) }),
    ...(error !== undefined && { error: describe(error) }),
    time: Date.now(),
  };
}

function perSecond(count: number, ms: number): number {
  return ms > 0 ? (1000 * count) / ms : 0;
}

/** What isn't coded is our own fault, and is told as such. */
function describe(error: unknown): { readonly code: string; readonly message: string } {
  if (error instanceof EngineError) return { code: error.code, message: error.message };
  return { code: 'engine-died', message: error instanceof Error ? error.message : String(error) };
}
