/** The runs of the workspace as the views see them: asked once, then kept up to date by the events. */
import * as vscode from 'vscode';
import type { RunSummary } from '../server/runs/runs.ts';
import { contexts } from './ids.ts';
import type { Server } from './server.ts';

export interface Runs extends vscode.Disposable {
  /** Newest first. */
  readonly all: () => readonly RunSummary[];
  /** The newest run that is starting, running or paused. */
  readonly live: () => RunSummary | undefined;
  /** Undefined: many changed. */
  readonly onDidChange: vscode.Event<RunSummary | undefined>;
  refresh(): Promise<void>;
}

export function isLive(run: RunSummary): boolean {
  return run.state === 'starting' || run.state === 'running' || run.state === 'paused';
}

export function createRuns(server: Server, log: vscode.LogOutputChannel): Runs {
  const changed = new vscode.EventEmitter<RunSummary | undefined>();
  const byFolder = new Map<string, RunSummary>();
  let sorted: readonly RunSummary[] = [];
  const sort = () => {
    sorted = [...byFolder.values()].sort((a, b) => b.started - a.started);
    void vscode.commands.executeCommand('setContext', contexts.hasLiveRun, sorted.some(isLive));
  };
  const update = (run: RunSummary) => {
    const before = byFolder.get(run.folder);
    byFolder.set(run.folder, run);
    if (before?.state !== run.state) sort();
    else sorted = sorted.map(other => (other.folder === run.folder ? run : other));
    changed.fire(before === undefined ? undefined : run);
  };
  const refresh = async () => {
    try {
      const runs = await server.runs();
      byFolder.clear();
      for (const run of runs) byFolder.set(run.folder, run);
      sort();
      changed.fire(undefined);
    } catch (error) {
      log.warn(`runs: ${error}`);
    }
  };
  const subscriptions = [
    changed,
    server.onRunEvents(({ summary }) => update(summary)),
    server.onDidChangeState(state => {
      if (state === 'running') void refresh();
    }),
  ];
  return {
    all: () => sorted,
    live: () => sorted.find(isLive),
    onDidChange: changed.event,
    refresh,
    dispose: () => {
      for (const subscription of subscriptions) subscription.dispose();
    },
  };
}
