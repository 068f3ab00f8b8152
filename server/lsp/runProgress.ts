/** Live runs as `$/progress`: a bar per run in clients that have bars and show runs in no other way; its cancel button stops the run. */
import type { WorkDoneProgressServerReporter } from 'vscode-languageserver';
import type { RunEvent } from '../../engine/train/events.ts';
import type { Say } from '../ide/texts.ts';
import type { RunManager } from '../runs/manager.ts';
import type { RunSummary } from '../runs/runs.ts';
import { logFailure, type Session } from './session.ts';

export interface RunProgress {
  update(summary: RunSummary, events: readonly RunEvent[]): void;
}

/** Editors redraw at each report; more often than this nobody can read it (milliseconds). */
const interval = 250;
const live = new Set<RunSummary['state']>(['starting', 'running', 'paused']);

interface Bar {
  reporter: WorkDoneProgressServerReporter | undefined;
  reported: number;
  over: boolean;
}

export function createRunProgress(session: Session, runs: RunManager): RunProgress {
  const { connection, capabilities, options, say } = session;
  if (capabilities.window?.workDoneProgress !== true || options.showsRuns === true) return { update: () => {} };
  const bars = new Map<string, Bar>();

  const begin = async (summary: RunSummary, bar: Bar): Promise<void> => {
    const reporter = await connection.window.createWorkDoneProgress();
    if (bar.over) return;
    reporter.begin(say('training', summary.name), 0, describe(summary, say), true);
    reporter.token.onCancellationRequested(() => {
      runs.stop(summary.folder).catch(error => logFailure(connection, error));
    });
    bar.reporter = reporter;
  };

  return {
    update: summary => {
      const { folder, state, step, steps } = summary;
      const bar = bars.get(folder);
      if (!live.has(state)) {
        if (bar === undefined) return;
        bar.over = true;
        bar.reporter?.done();
        bars.delete(folder);
      } else if (bar === undefined) {
        const fresh: Bar = { reporter: undefined, reported: 0, over: false };
        bars.set(folder, fresh);
        begin(summary, fresh).catch(error => logFailure(connection, error));
      } else if (performance.now() - bar.reported >= interval) {
        bar.reported = performance.now();
        bar.reporter?.report(steps === 0 ? 0 : Math.floor((100 * step) / steps), describe(summary, say));
      }
    },
  };
}

/** `epoch 3, step 420 of 700, loss 0.1234`. */
function describe({ epoch, step, steps, loss, state }: RunSummary, say: Say): string {
  const parts = [
    state === 'paused' ? say('paused') : '',
    epoch > 0 ? say('epoch', epoch) : '',
    steps > 0 ? say('step', step.toLocaleString('en'), steps.toLocaleString('en')) : say('starting'),
    loss === undefined ? '' : say('loss', loss.toPrecision(4)),
  ];
  return parts.filter(part => part !== '').join(', ');
}
