/** The run manager: starts engines, attaches to live ones, hands their events on, answers for their folders. Runs outlive it. */
import { readInfo, readMetrics } from '../../engine/process/runFolder.ts';
import type { RunEvent } from '../../engine/train/events.ts';
import { EngineError } from '../../engine/util/errors.ts';
import { attachRun, type LiveRun } from './attachment.ts';
import { connectEngine } from './connection.ts';
import { startEngine } from './engineProcess.ts';
import { historyOf, type RunIdentity, summarize } from './history.ts';
import { createOfflineSummaries } from './offline.ts';
import type { RunHistory, RunSummary } from './runs.ts';
import { findRuntime } from './runtime.ts';
import { createRun, hasCheckpoint, listRuns, type NewRun, readIdentity, requestResume } from './store.ts';
import { pinWeights } from './weights.ts';

export interface RunManagerOptions {
  /** Absolute path of the engine's entry file. */
  readonly engine: string;
  /** Setting `strata.runtime`, read at each start. */
  readonly runtime: () => string | undefined;
  readonly log: (message: string) => void;
}

export type RunListener = (summary: RunSummary, events: readonly RunEvent[]) => void;

/** What hosts do with runs. Every method names runs by their folder and throws EngineError. */
export interface RunManager {
  /** Writes the folder, starts the engine, attaches. Resolves when the engine listens. */
  start(run: NewRun): Promise<RunSummary>;
  /** Starts the engine again from the last checkpoint. `run-busy` if it is live. */
  resume(folder: string): Promise<RunSummary>;
  pause(folder: string): Promise<RunSummary>;
  continue(folder: string): Promise<RunSummary>;
  stop(folder: string): Promise<RunSummary>;
  /** Newest first. Attaches to none. */
  list(workspace: string): Promise<readonly RunSummary[]>;
  /** Attaches if an engine is live, so that events after the history follow through listeners, each once. */
  history(folder: string): Promise<RunHistory>;
  /** Attaches to a live run and tells listeners all its events so far. `engine-died` if none answers. */
  attach(folder: string): Promise<RunSummary>;
  /** Attaches to all live runs of a workspace: what a server does when it starts. */
  attachAll(workspace: string): Promise<readonly RunSummary[]>;
  onEvents(listener: RunListener): () => void;
  /** Leaves all runs; they go on. */
  dispose(): void;
}

export function createRunManager(options: RunManagerOptions): RunManager {
  const live = new Map<string, LiveRun>();
  const attaching = new Map<string, Promise<LiveRun | undefined>>();
  const listeners = new Set<RunListener>();
  const offlineSummary = createOfflineSummaries();

  /** Tells listeners what `run` has from event `from` on. */
  const tell = (run: LiveRun, from: number, isLive = true): void => {
    const summary = summaryOf(run, isLive);
    for (const listener of listeners) listener(summary, run.events.slice(from));
  };

  /** Tells listeners of a run that has no events to hand on. */
  const announce = (summary: RunSummary): RunSummary => {
    for (const listener of listeners) listener(summary, []);
    return summary;
  };

  /** The live run of a folder, attaching if an engine answers there; undefined where none does. */
  const attach = (identity: RunIdentity): Promise<LiveRun | undefined> => {
    const { id, folder } = identity;
    const known = live.get(folder);
    if (known !== undefined) return Promise.resolve(known);
    const pending =
      attaching.get(folder) ??
      attachRun(identity, {
        // What comes before anybody has been given the run belongs to its past.
        more: (run, events) => {
          if (live.has(folder)) tell(run, run.events.length - events.length);
        },
        ended: (run, missed) => {
          live.delete(folder);
          tell(run, run.events.length - missed.length, false);
        },
        refused: message => options.log(`${id}: ${message}`),
      })
        .then(run => {
          if (run !== undefined) live.set(folder, run);
          return run;
        })
        .finally(() => attaching.delete(folder));
    attaching.set(folder, pending);
    return pending;
  };

  const launch = async (identity: RunIdentity): Promise<RunSummary> => {
    const setting = options.runtime();
    const runtime = findRuntime({ engine: options.engine, ...(setting === undefined ? {} : { setting }) });
    options.log(`${identity.id}: ${runtime.path} (${runtime.origin})`);
    await startEngine(runtime, options.engine, identity.folder);
    // An engine that compiles a large network may answer only seconds later.
    announce({ ...offlineSummary(identity, true), state: 'starting' });
    const run = await attach(identity);
    if (run === undefined) return announce(offlineSummary(identity)); // over before it could be attached to
    tell(run, 0);
    return summaryOf(run);
  };

  const command = async (folder: string, type: 'pause' | 'continue' | 'stop'): Promise<RunSummary> => {
    const run = await attach(demand(folder));
    if (run === undefined) throw notLive(folder);
    run.connection.send({ type });
    return summaryOf(run);
  };

  return {
    start: async run => launch(createRun({ ...run, program: pinWeights(run.program, run.request.workspace) })),
    resume: async folder => {
      const identity = demand(folder);
      if ((await attach(identity)) !== undefined)
        throw new EngineError('run-busy', `${folder}: the run is live already`);
      requestResume(folder);
      return launch(identity);
    },
    pause: folder => command(folder, 'pause'),
    continue: folder => command(folder, 'continue'),
    stop: folder => command(folder, 'stop'),
    list: async workspace =>
      Promise.all(
        listRuns(workspace).map(async identity => {
          const run = live.get(identity.folder);
          return run === undefined ? offlineSummary(identity, await isLive(identity)) : summaryOf(run);
        }),
      ),
    history: async folder => {
      const identity = demand(folder);
      const run = await attach(identity);
      if (run !== undefined) return historyOf(summaryOf(run), run.events);
      return historyOf(offlineSummary(identity), readMetrics(folder));
    },
    attach: async folder => {
      const run = await attach(demand(folder));
      if (run === undefined) throw notLive(folder);
      tell(run, 0);
      return summaryOf(run);
    },
    attachAll: async workspace => {
      const runs = await Promise.all(listRuns(workspace).map(attach));
      return runs.filter(run => run !== undefined).map(run => summaryOf(run));
    },
    onEvents: listener => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    dispose: () => {
      for (const run of live.values()) run.connection.close();
      live.clear();
    },
  };
}

function demand(folder: string): RunIdentity {
  const identity = readIdentity(folder);
  if (identity !== undefined) return identity;
  throw new EngineError('run-missing', `${folder}: expected a run folder; list the runs with "strata runs"`);
}

function notLive(folder: string): EngineError {
  return new EngineError('engine-died', `${folder}: no engine answers for this run; resume it first`);
}

function summaryOf(run: LiveRun, isLive = true): RunSummary {
  return summarize(run.identity, run.events, isLive, hasCheckpoint(run.identity.folder));
}

/** Whether an engine answers, without staying. */
async function isLive(identity: RunIdentity): Promise<boolean> {
  const info = readInfo(identity.folder);
  if (info === undefined) return false;
  try {
    (await connectEngine(info.socket, { message: () => {}, closed: () => {} })).close();
    return true;
  } catch {
    return false;
  }
}
