/** The language server of the extension, and the questions the client asks it. */
import * as vscode from 'vscode';
import {
  type BaseLanguageClient,
  CloseAction,
  type CloseHandlerResult,
  type DynamicFeature,
  ErrorAction,
  ExecuteCommandRequest,
  type LanguageClientOptions,
  RevealOutputChannelOn,
  State,
  type StaticFeature,
} from 'vscode-languageclient';
import type { RunEvent } from '../engine/train/events.ts';
import {
  type AttachResult,
  attachRequest,
  type FetchArguments,
  type FetchResult,
  type FilesParams,
  filesNotification,
  type InitializationOptions,
  type InspectParams,
  type InspectResult,
  inspectRequest,
  type OutlineParams,
  type OutlineResult,
  outlineRequest,
  type RunsResult,
  runNotification,
  runsRequest,
  serverCommands,
} from '../server/lsp/protocol.ts';
import type { RunHistory, RunSummary } from '../server/runs/runs.ts';
import { commands } from './ids.ts';
import { parseRunMessage } from './panel/messages.ts';

/** Those that start or steer a run. */
export type ServerCommand = Exclude<keyof typeof serverCommands, 'fetch'>;
export type ServerState = 'starting' | 'running' | 'stopped';

export interface Server extends vscode.Disposable {
  readonly state: () => ServerState;
  readonly onDidChangeState: vscode.Event<ServerState>;
  readonly onRunEvents: vscode.Event<{ readonly summary: RunSummary; readonly events: readonly RunEvent[] }>;
  start(): Promise<void>;
  restart(): Promise<void>;
  /** Waits for the server, then asks. Rejects with the server's message. */
  execute(command: ServerCommand, argument: object): Promise<RunSummary>;
  /** Downloads what the data of a file is missing. */
  fetch(argument: FetchArguments): Promise<FetchResult>;
  runs(): Promise<RunsResult>;
  attach(folder: string): Promise<RunHistory>;
  inspect(params: InspectParams): Promise<InspectResult>;
  outline(uri: string): Promise<OutlineResult>;
  /** Texts of sources that the server can't read itself. */
  provide(params: FilesParams): Promise<void>;
}

/** The extension registers the commands itself: they also open panels and work before the server runs. So the client must not. */
export function isCommands(feature: StaticFeature | DynamicFeature<unknown>): boolean {
  return 'registrationType' in feature && feature.registrationType.method === ExecuteCommandRequest.method;
}

/** Where the server runs is the entry's to say: a process, or a worker of the browser. */
export type MakeClient = (id: string, name: string, options: LanguageClientOptions) => BaseLanguageClient;

const section = 'strata';

export function createServer(
  context: vscode.ExtensionContext,
  log: vscode.LogOutputChannel,
  makeClient: MakeClient,
): Server {
  const states = new vscode.EventEmitter<ServerState>();
  const events = new vscode.EventEmitter<{ summary: RunSummary; events: readonly RunEvent[] }>();
  let state: ServerState = 'starting';
  let started: Promise<void> | undefined;
  const client = makeClient(section, 'Strata', clientOptions(context, log));
  const setState = (next: ServerState) => {
    state = next;
    states.fire(next);
  };
  // Settings are asked for by the server; trust is ours to tell.
  const tellTrust = () => {
    const trusted = { [section]: { trusted: vscode.workspace.isTrusted } };
    if (client.state === State.Running)
      void client.sendNotification('workspace/didChangeConfiguration', { settings: trusted });
  };
  const subscriptions = [
    states,
    events,
    client.onDidChangeState(({ newState }) => {
      setState(newState === State.Running ? 'running' : newState === State.Starting ? 'starting' : 'stopped');
    }),
    client.onNotification(runNotification, (message: unknown) => {
      const parsed = parseRunMessage(message);
      if (parsed) events.fire(parsed);
      else log.warn('dropped a malformed strata/run notification');
    }),
    vscode.workspace.onDidGrantWorkspaceTrust(tellTrust),
  ];
  const start = () => {
    started ??= client.start().catch(error => {
      started = undefined;
      setState('stopped');
      throw error;
    });
    return started;
  };
  const ask = async <T>(method: string, params?: object): Promise<T> => {
    await start();
    return client.sendRequest<T>(method, params);
  };
  return {
    state: () => state,
    onDidChangeState: states.event,
    onRunEvents: events.event,
    start,
    async restart() {
      if (client.needsStop()) await client.stop();
      started = undefined;
      return start();
    },
    execute: (command, argument) =>
      ask<RunSummary>(ExecuteCommandRequest.method, { command: serverCommands[command], arguments: [argument] }),
    fetch: argument =>
      ask<FetchResult>(ExecuteCommandRequest.method, { command: serverCommands.fetch, arguments: [argument] }),
    runs: () => ask<RunsResult>(runsRequest),
    attach: folder => ask<AttachResult>(attachRequest, { folder }),
    inspect: params => ask<InspectResult>(inspectRequest, params),
    outline: uri => ask<OutlineResult>(outlineRequest, { uri } satisfies OutlineParams),
    async provide(params) {
      await start();
      await client.sendNotification(filesNotification, params);
    },
    async dispose() {
      for (const subscription of subscriptions) subscription.dispose();
      if (client.needsStop()) await client.stop();
    },
  };
}

function clientOptions(context: vscode.ExtensionContext, log: vscode.LogOutputChannel): LanguageClientOptions {
  const initialize = (): InitializationOptions => {
    const runtime = vscode.workspace.getConfiguration(section).get<string>('runtime');
    return {
      engine: vscode.Uri.joinPath(context.extensionUri, 'dist/engine.js').fsPath,
      trusted: vscode.workspace.isTrusted,
      icons: true,
      showsRuns: true,
      ...(runtime ? { runtime } : {}),
    };
  };
  return {
    documentSelector: [{ language: section }],
    initializationOptions: initialize,
    outputChannel: log,
    revealOutputChannelOn: RevealOutputChannelOn.Never,
    errorHandler: { error: () => ({ action: ErrorAction.Continue }), closed: closedHandler(log) },
  };
}

/** Five restarts in three minutes, as VS Code does; then the user decides. */
function closedHandler(log: vscode.LogOutputChannel): () => CloseHandlerResult {
  const crashes: number[] = [];
  return () => {
    const now = Date.now();
    crashes.push(now);
    while (crashes[0] !== undefined && now - crashes[0] > 3 * 60_000) crashes.shift();
    if (crashes.length < 5) return { action: CloseAction.Restart, handled: true };
    crashes.length = 0;
    void offerRestart(log);
    return { action: CloseAction.DoNotRestart, handled: true };
  };
}

async function offerRestart(log: vscode.LogOutputChannel): Promise<void> {
  const restart = vscode.l10n.t('Restart');
  const show = vscode.l10n.t('Show Log');
  const text = vscode.l10n.t(
    'The Strata language server crashed five times within three minutes. Running trainings go on.',
  );
  const choice = await vscode.window.showErrorMessage(text, restart, show);
  if (choice === restart) await vscode.commands.executeCommand(commands.restartServer);
  if (choice === show) log.show();
}

/** Text and code of a refusal. */
export function refusal(error: unknown): { message: string; code?: string } {
  const message = error instanceof Error ? error.message : String(error);
  const data: unknown = error instanceof Error && 'data' in error ? error.data : undefined;
  const code = typeof data === 'object' && data !== null && 'code' in data ? data.code : undefined;
  return typeof code === 'string' ? { message, code } : { message };
}
