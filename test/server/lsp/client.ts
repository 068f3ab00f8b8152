/** A language server and a client in one process, joined by streams; the run manager is a recorder. */
import { PassThrough } from 'node:stream';
import {
  type ClientCapabilities,
  type ConfigurationParams,
  createConnection,
  createMessageConnection,
  type InitializeResult,
  type MessageConnection,
  type PublishDiagnosticsParams,
  StreamMessageReader,
  StreamMessageWriter,
} from 'vscode-languageserver/node';
import { runSchemaJob } from '../../../server/data/schemaJob.ts';
import { createGate } from '../../../server/lsp/gate.ts';
import type { ServerHost } from '../../../server/lsp/host.ts';
import { startServer } from '../../../server/lsp/server.ts';
import { createLangHost } from '../../../server/runs/langHost.ts';
import type { RunListener, RunManager } from '../../../server/runs/manager.ts';
import type { RunSummary } from '../../../server/runs/runs.ts';

export const uri = 'file:///project/first.strata';

export interface TestClient {
  readonly connection: MessageConnection;
  readonly result: InitializeResult;
  /** What has been done with runs: `start first`, `stop .strata/runs/1`. */
  readonly calls: readonly string[];
  /** Bytes to the server, for messages no client would send. */
  readonly raw: NodeJS.WritableStream;
  /** Methods of all notifications and requests that came, in order. */
  readonly received: readonly { readonly method: string; readonly params: unknown }[];
  emit: RunListener;
  open(text: string, at?: string): void;
  edit(version: number, text: string, at?: string): void;
  /** The next diagnostics of a document at a version. */
  diagnostics(version?: number, at?: string): Promise<PublishDiagnosticsParams>;
  request<R>(method: string, params: object): Promise<R>;
}

export interface TestOptions {
  readonly capabilities?: ClientCapabilities;
  readonly initializationOptions?: object;
  readonly locale?: string;
  readonly runs?: readonly RunSummary[];
  readonly host?: Partial<ServerHost>;
  /** Uris of the workspace folders. */
  readonly folders?: readonly string[];
  /** Answers `workspace/configuration`, item by item. */
  readonly configuration?: (item: { readonly scopeUri?: string }) => unknown;
}

export async function startTestClient({ capabilities = {}, ...options }: TestOptions = {}): Promise<TestClient> {
  const [toServer, toClient] = [new PassThrough(), new PassThrough()];
  const calls: string[] = [];
  const listeners = new Set<RunListener>();
  const runs = recorder(calls, options.runs ?? [], listeners);
  const gate = createGate();
  const server = createConnection(new StreamMessageReader(toServer), new StreamMessageWriter(toClient), {
    messageStrategy: gate,
  });
  startServer(server, { ...testHost(runs), ...options.host }, gate);
  const connection = createMessageConnection(new StreamMessageReader(toClient), new StreamMessageWriter(toServer));
  const received: { method: string; params: unknown }[] = [];
  const watchers = new Set<() => void>();
  const record = (method: string, params: unknown): null => {
    received.push({ method, params });
    for (const watcher of watchers) watcher();
    return null;
  };
  connection.onNotification((method, params) => void record(method, params));
  connection.onRequest((method, params) => {
    record(method, params);
    if (method !== 'workspace/configuration' || !options.configuration) return null;
    return (params as unknown as ConfigurationParams).items.map(options.configuration);
  });
  connection.onUnhandledProgress(({ value }) => void record('$/progress', { value }));
  connection.listen();
  const result: InitializeResult = await connection.sendRequest('initialize', {
    processId: null,
    rootUri: 'file:///work',
    workspaceFolders: (options.folders ?? ['file:///work']).map(folder => ({ uri: folder, name: folder })),
    capabilities,
    ...(options.locale && { locale: options.locale }),
    ...(options.initializationOptions ? { initializationOptions: options.initializationOptions } : {}),
  });
  await connection.sendNotification('initialized', {});
  const found = (version: number, at: string) =>
    received
      .filter(m => m.method === 'textDocument/publishDiagnostics')
      .map(m => m.params as PublishDiagnosticsParams)
      .find(p => p.uri === at && p.version === version);
  return {
    connection,
    result,
    calls,
    raw: toServer,
    received,
    emit: (run, events) => {
      for (const listener of [...listeners]) listener(run, events);
    },
    open: (text, at = uri) =>
      void connection.sendNotification('textDocument/didOpen', {
        textDocument: { uri: at, languageId: 'strata', version: 1, text },
      }),
    edit: (version, text, at = uri) =>
      void connection.sendNotification('textDocument/didChange', {
        textDocument: { uri: at, version },
        contentChanges: [{ text }],
      }),
    diagnostics: (version = 1, at = uri) =>
      new Promise(resolve => {
        const look = (): void => {
          const params = found(version, at);
          if (params === undefined) return;
          watchers.delete(look);
          resolve(params);
        };
        watchers.add(look);
        look();
      }),
    request: (method, params) => connection.sendRequest(method, params),
  };
}

function testHost(runs: RunManager): ServerHost {
  return {
    setFolders: () => {},
    folders: () => ['/project'],
    langHost: openText =>
      createLangHost({
        run: runSchemaJob,
        workspaceOf: u => (u.startsWith('file:') ? '/project' : undefined),
        openText,
      }),
    listFolder: path => (path === 'data/' ? [{ name: 'images.gz', folder: false }] : [{ name: 'data', folder: true }]),
    linkTarget: path => `file:///project/${path}`,
    sourceFiles: () => [],
    trainingPlace: u =>
      u.startsWith('file:')
        ? { workspace: '/project', base: '/project', source: u.slice('file:///project/'.length) }
        : undefined,
    ownsRun: folder => folder.startsWith('/project/.strata/runs/'),
    createRuns: () => runs,
  };
}

function recorder(calls: string[], list: readonly RunSummary[], listeners: Set<RunListener>): RunManager {
  const act = (what: string) => async (folder: string) => {
    calls.push(`${what} ${folder}`);
    return summary({ folder });
  };
  return {
    start: async run => {
      const choice = run.program.choice && ` ${JSON.stringify(run.program.choice)}`;
      calls.push(`start ${run.program.name}${choice ?? ''}`);
      return summary({ name: run.program.name, source: run.source });
    },
    resume: act('resume'),
    pause: act('pause'),
    continue: act('continue'),
    stop: act('stop'),
    list: async () => list,
    history: async folder => ({
      summary: summary({ folder }),
      events: [],
      steps: { step: [], loss: [], lr: [], metrics: {} },
    }),
    attach: act('attach'),
    attachAll: async () => [],
    onEvents: listener => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    dispose: () => {},
  };
}

export function summary(part: Partial<RunSummary> = {}): RunSummary {
  return {
    id: '1',
    folder: '/project/.strata/runs/1',
    name: 'first',
    source: 'first.strata',
    state: 'running',
    step: 0,
    steps: 100,
    epoch: 0,
    started: 0,
    resumable: false,
    ...part,
  };
}
