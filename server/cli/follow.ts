/** Follows a run in the terminal, from its start or its resumption to its end. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { METRICS_FILE, readMetrics } from '../../engine/process/runFolder.ts';
import type { DoneEvent, RunEvent } from '../../engine/train/events.ts';
import { EngineError } from '../../engine/util/errors.ts';
import { createRunManager, type RunManager } from '../runs/manager.ts';
import type { RunSummary } from '../runs/runs.ts';
import { exitCodes } from './exit.ts';
import { shortPath } from './source.ts';
import { paint } from './terminal.ts';
import { jsonView, type TrainView, terminalView } from './trainView.ts';

export interface FollowOptions {
  readonly json?: boolean;
}

/** The engine's entry lies beside the command line's in dist/. */
export const enginePath = fileURLToPath(new URL('./engine.js', import.meta.url));

/** Shows the run that `begin` starts or finds until it is done; resolves with how it ended. A second Ctrl-C always leaves it to itself. */
export async function follow(
  options: FollowOptions & { readonly past?: boolean; readonly interrupt?: 'stop' | 'leave' },
  begin: (manager: RunManager) => Promise<RunSummary>,
): Promise<DoneEvent> {
  const manager = createRunManager({
    engine: enginePath,
    runtime: () => process.env.STRATA_RUNTIME,
    log: () => {},
  });
  const view = options.json === true ? jsonView() : terminalView();
  if (options.past !== true) view.begin();
  try {
    const { done, summary } = await showUntilDone(manager, view, begin, options);
    if (options.json !== true) console.log(`run ${paint('cyan', shortPath(summary.folder, process.cwd()))}`);
    if (done.reason === 'failed') process.exitCode = exitCodes.environment;
    return done;
  } finally {
    view.end();
    manager.dispose();
  }
}

interface Finished {
  readonly done: DoneEvent;
  readonly summary: RunSummary;
}

function showUntilDone(
  manager: RunManager,
  view: TrainView,
  begin: (manager: RunManager) => Promise<RunSummary>,
  { past = false, interrupt = 'stop' }: { readonly past?: boolean; readonly interrupt?: 'stop' | 'leave' },
): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const began = Date.now();
    let folder: string | undefined;
    let current = past;
    let shown = 0;
    let stopping = false;
    const onInterrupt = (): void => {
      process.off('SIGINT', onInterrupt);
      if (interrupt === 'leave') process.exit(130);
      // An engine that is still starting must not be left behind: it is stopped as soon as it listens.
      stopping = true;
      if (folder !== undefined) manager.stop(folder).catch(reject);
    };
    process.on('SIGINT', onInterrupt);
    const show = (summary: RunSummary, events: readonly RunEvent[]): void => {
      folder = summary.folder;
      for (const event of events) {
        // A resumed run comes with its past, which has been shown in its time.
        current ||= 'time' in event && event.time >= began;
        if (!current) continue;
        shown++;
        view.show(event);
        if (event.type === 'done') resolve({ done: event, summary });
      }
      if (summary.state === 'died') reject(diedError(summary));
    };
    manager.onEvents(show);
    begin(manager).then(summary => {
      folder = summary.folder;
      if (stopping) manager.stop(folder).catch(reject);
      // A run may be over before it could be attached to: then its file has everything.
      if (shown === 0 && summary.state !== 'running') show(summary, readMetrics(summary.folder));
    }, reject);
  });
}

function diedError(summary: RunSummary): EngineError {
  return new EngineError(
    'engine-died',
    `the engine died at step ${summary.step}; its metrics are in ${join(summary.folder, METRICS_FILE)}, go on with "strata resume ${summary.id}"`,
  );
}
