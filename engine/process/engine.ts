/** The background process of one run: lock, log, socket, trainer; ends with a `done` event whatever happens. */
import { appendFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { workspacePaths } from '../data/paths.ts';
import { writeAtomic } from '../train/atomicFile.ts';
import { readCheckpoint } from '../train/checkpoint.ts';
import type { DoneEvent, RunEvent, StateEvent } from '../train/events.ts';
import { applyOverrides } from '../train/overrides.ts';
import { createTrainer, type Trainer, type TrainerOptions } from '../train/trainer.ts';
import { EngineError } from '../util/errors.ts';
import { type Broadcast, type Command, createBroadcast } from './broadcast.ts';
import { lockRun } from './lock.ts';
import { type MetricsLog, openMetricsLog } from './metricsLog.ts';
import { PROTOCOL_VERSION, type RunInfo } from './protocol.ts';
import { readProgram } from './readProgram.ts';
import { BEST_CHECKPOINT, INFO_FILE, LAST_CHECKPOINT, METRICS_FILE, readRequest } from './runFolder.ts';
import { type Address, chooseAddress, closeToOthers, listenPrivately } from './socket.ts';

export type EngineOptions = Pick<TrainerOptions, 'open' | 'pace' | 'signal'>;

/** Everything between a run's clients and its trainer. */
interface Desk {
  readonly folder: string;
  log?: MetricsLog;
  broadcast?: Broadcast;
  address?: Address;
  trainer?: Trainer;
  /** Commands that came before there was a trainer to obey them. */
  readonly early: Command[];
}

/**
 * Trains the run of `folder` to its end and serves its clients meanwhile. Never rejects: the result says how it ended, and so does the last line of
 * `metrics.jsonl`, but where another engine has the folder (`run-busy`), which is then left alone.
 */
export async function runEngine(folder: string, options: EngineOptions = {}): Promise<DoneEvent> {
  const desk: Desk = { folder, early: [] };
  const accidents = watchAccidents(desk);
  let unlock: (() => void) | undefined;
  try {
    unlock = lockRun(folder);
    closeToOthers(folder);
    return report(await Promise.race([serve(desk, options), accidents.ended]));
  } catch (error) {
    return report(unlock === undefined ? failed(error) : fail(desk, error));
  } finally {
    if (unlock !== undefined) await close(desk);
    accidents.dispose();
    unlock?.();
  }
}

/** The last line of the engine's log is what a run manager shows of an engine that could not say more. */
function report(done: DoneEvent): DoneEvent {
  if (done.error) process.stderr.write(`${done.error.code}: ${done.error.message}\n`);
  return done;
}

async function serve(desk: Desk, options: EngineOptions): Promise<DoneEvent> {
  const { folder } = desk;
  const request = readRequest(folder);
  const resumePath = request.resume === true ? newestCheckpoint(folder) : undefined;
  // A checkpoint that can't be read must not cost the history: it is read before the log is opened for more.
  const checkpoint = resumePath === undefined ? undefined : await readCheckpoint(resumePath).catch(withRemedy);
  desk.log = await openMetricsLog(join(folder, METRICS_FILE), checkpoint?.state.step ?? 0);
  const broadcast = await listen(desk);
  const log = desk.log;
  const program = applyOverrides(readProgram(folder), request);
  desk.trainer = createTrainer({
    ...options,
    program,
    folder,
    resolvePath: workspacePaths(request.workspace, request.base),
    paths: { last: LAST_CHECKPOINT, best: BEST_CHECKPOINT },
    ...(checkpoint && resumePath && { resumeFrom: { checkpoint, path: resumePath } }),
    emit: events => {
      broadcast.send(events);
      log.append(events);
    },
    durable: log.sync,
  });
  for (const command of desk.early) obey(desk.trainer, command);
  return desk.trainer.run();
}

/** The last checkpoint, or the best one where the disk was full before the last could be written. */
function newestCheckpoint(folder: string): string | undefined {
  return [LAST_CHECKPOINT, BEST_CHECKPOINT].map(name => join(folder, name)).find(path => existsSync(path));
}

/** What to do about a damaged checkpoint depends on whose it is: a run has a second one. */
function withRemedy(error: unknown): never {
  if (!(error instanceof EngineError) || error.code !== 'checkpoint-malformed') throw error;
  const message = `${error.message}; copy ${BEST_CHECKPOINT} in its place and resume, or start the run anew`;
  throw new EngineError(error.code, message, { cause: error });
}

async function listen(desk: Desk): Promise<Broadcast> {
  const broadcast = createBroadcast({
    command: command => (desk.trainer ? obey(desk.trainer, command) : desk.early.push(command)),
    status: () => ({ line: desk.log?.lines ?? 0, state: desk.trainer?.state() ?? starting() }),
  });
  desk.broadcast = broadcast;
  const address = chooseAddress(desk.folder);
  await listenPrivately(broadcast.server, address);
  desk.address = address;
  const info: RunInfo = { protocol: PROTOCOL_VERSION, pid: process.pid, socket: address.path, started: Date.now() };
  await writeAtomic(join(desk.folder, INFO_FILE), [Buffer.from(`${JSON.stringify(info)}\n`)]);
  return broadcast;
}

function obey({ control }: Trainer, command: Command): void {
  if (command === 'pause') control.pause();
  else if (command === 'continue') control.continue();
  else if (command === 'stop') control.stop();
  else control.requestCheckpoint();
}

/** Errors that no await sees, from sockets or addons: they end the run, but not in silence. */
function watchAccidents(desk: Desk): { readonly ended: Promise<DoneEvent>; dispose(): void } {
  let onError: (error: unknown) => void = () => {};
  const ended = new Promise<DoneEvent>(resolve => {
    onError = error => resolve(fail(desk, error));
  });
  process.on('uncaughtException', onError).on('unhandledRejection', onError);
  return {
    ended,
    dispose: () => void process.off('uncaughtException', onError).off('unhandledRejection', onError),
  };
}

/** Tells clients and log how the run ended, as far as they can still be told. */
function fail(desk: Desk, error: unknown): DoneEvent {
  const done = failed(error, desk.trainer?.state().step);
  const events: RunEvent[] = [{ type: 'state', state: 'failed', step: done.step, time: done.time }, done];
  desk.broadcast?.send(events);
  try {
    // An engine that fails before its log is open adds to what is there; a tail that was cut ends with this line break.
    if (desk.log) desk.log.append(events);
    else
      appendFileSync(
        join(desk.folder, METRICS_FILE),
        `\n${events.map(event => `${JSON.stringify(event)}\n`).join('')}`,
      );
  } catch {
    // The disk is full: clients have been told, and the log's tail is mended on resume.
  }
  return done;
}

function failed(error: unknown, step = 0): DoneEvent {
  const coded = error instanceof EngineError;
  const message = error instanceof Error ? error.message : String(error);
  if (!coded && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  const code = coded ? error.code : 'engine-died';
  return {
    type: 'done',
    reason: 'failed',
    step,
    epoch: 0,
    stepsPerSecond: 0,
    device: '',
    metrics: {},
    error: { code, message },
    time: Date.now(),
  };
}

async function close(desk: Desk): Promise<void> {
  try {
    desk.log?.sync();
    desk.log?.close();
  } finally {
    await desk.broadcast?.close();
    desk.address?.remove();
  }
}

function starting(): StateEvent {
  return { type: 'state', state: 'starting', step: 0, time: Date.now() };
}
