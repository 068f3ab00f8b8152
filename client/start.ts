/** What both entries of the extension do: wiring only. The language server and the engine do the work. */
import * as vscode from 'vscode';
import { registerManual } from './commands/manual.ts';
import { registerSupport } from './commands/support.ts';
import { registerTraining } from './commands/training.ts';
import { createPanels } from './panel/panels.ts';
import { createRuns, type Runs } from './runs.ts';
import { createServer, type MakeClient } from './server.ts';
import { registerInspection } from './views/inspect.ts';
import { createModelTree } from './views/modelTree.ts';
import { createRunsTree } from './views/runsTree.ts';
import { createSources } from './views/sources.ts';
import { createLanguageStatus, createStatusBar } from './views/status.ts';
import { provideVirtualFiles } from './virtualFiles.ts';

/** What tests in the host may ask. */
export interface StrataApi {
  /** Milliseconds that `activate` took. */
  readonly activation: number;
  /** Resolves when the language server answers. */
  readonly ready: Promise<void>;
}

/** What differs between a machine and a browser. */
export interface Surroundings {
  readonly makeClient: MakeClient;
  /** Lines of the report for an issue, without names. */
  readonly machine: () => readonly string[];
  /** Commands that need a machine. */
  readonly models?: (runs: Runs) => vscode.Disposable;
}

export function start(context: vscode.ExtensionContext, { makeClient, machine, models }: Surroundings): StrataApi {
  const began = performance.now();
  const log = vscode.window.createOutputChannel('Strata', { log: true });
  const server = createServer(context, log, makeClient);
  const runs = createRuns(server, log);
  const panels = createPanels(context, server, log);
  const sources = createSources();
  context.subscriptions.push(
    log,
    server,
    runs,
    panels,
    sources,
    registerInspection(server, sources),
    createModelTree(server, sources, log),
    registerTraining({ server, runs, panels }),
    registerManual(context),
    registerSupport(context, { server, runs, log, machine }),
    provideVirtualFiles(server, log),
    createRunsTree(runs),
    createStatusBar(runs),
    createLanguageStatus(server),
    ...(models ? [models(runs)] : []),
  );
  const ready = server.start();
  ready.catch(error => log.error(`language server: ${error}`));
  return { activation: performance.now() - began, ready };
}
