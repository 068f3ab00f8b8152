/** The language server: what it offers, and the wiring of documents, settings and files to the services. */
import * as v from 'valibot';
import {
  CancellationToken,
  type ClientCapabilities,
  type Connection,
  DidChangeConfigurationNotification,
  DidChangeWatchedFilesNotification,
  type InitializeResult,
  type ServerCapabilities,
} from 'vscode-languageserver';
import { actionKinds } from '../ide/codeActions.ts';
import { formatTriggers } from '../ide/formatting.ts';
import { tokenModifiers, tokenTypes } from '../ide/semanticTokens.ts';
import { createDiagnostics, type DiagnosticsService } from './diagnostics.ts';
import type { Change } from './documents.ts';
import { registerEditing } from './editing.ts';
import { type Gate, registerRefusals } from './gate.ts';
import type { ServerHost } from './host.ts';
import { registerInspection } from './inspect.ts';
import { type FilesParams, filesNotification, type InitializationOptions, serverCommands } from './protocol.ts';
import { registerReading } from './reading.ts';
import { refresh } from './refresh.ts';
import { createSession, guarded, logFailure, type Session } from './session.ts';
import { readSettings } from './settings.ts';
import { inSlices } from './slices.ts';
import { registerStructure } from './structure.ts';
import { registerTraining, type Training } from './training.ts';

/** Data files whose change may change a type. Formats, not everything: an editor watches what it is told to. */
const watched = ['**/*.strata', '**/*.{csv,tsv,npy,npz,gz,parquet,safetensors,wav,txt,png,jpg,jpeg}', '**/*-ubyte'];

/** Serves `connection`, whose messages have come through the gate, until it is closed. */
export function startServer(connection: Connection, host: ServerHost, { spelled }: Gate): void {
  let stop = (): void => {};
  registerRefusals(connection);
  connection.onInitialize(params => {
    const options = record(params.initializationOptions) as InitializationOptions;
    const folders = params.workspaceFolders?.map(folder => folder.uri) ?? (params.rootUri ? [params.rootUri] : []);
    host.setFolders(folders);
    const arrived = (uris: readonly string[]): void => diagnostics.affected(uris);
    const { capabilities } = params;
    const locale = typeof params.locale === 'string' ? params.locale : undefined;
    const session = createSession({ connection, host, capabilities, options, spelled, locale, arrived });
    const diagnostics: DiagnosticsService = createDiagnostics(session);
    registerDocuments(session, diagnostics);
    registerEditing(session);
    registerReading(session);
    registerStructure(session);
    registerInspection(session);
    const training = registerTraining(session);
    stop = training.dispose;
    registerEnvironment(session, { diagnostics, training, folders });
    return initializeResult(session);
  });
  connection.onShutdown(() => stop());
  connection.listen();
}

function initializeResult({ convert, capabilities }: Session): InitializeResult {
  return {
    serverInfo: { name: 'strata' },
    capabilities: { positionEncoding: convert.encoding, ...serverCapabilities(capabilities) },
  };
}

function serverCapabilities(client: ClientCapabilities): ServerCapabilities {
  const [firstTrigger, ...moreTriggers] = formatTriggers;
  return {
    textDocumentSync: { openClose: true, change: 2, save: { includeText: false } },
    completionProvider: { triggerCharacters: ['.', '>', '"', '/', ' '], resolveProvider: true },
    hoverProvider: true,
    signatureHelpProvider: { triggerCharacters: ['(', ','], retriggerCharacters: [':'] },
    definitionProvider: true,
    declarationProvider: true,
    typeDefinitionProvider: true,
    linkedEditingRangeProvider: true,
    referencesProvider: { workDoneProgress: true },
    documentHighlightProvider: true,
    documentSymbolProvider: true,
    workspaceSymbolProvider: true,
    documentFormattingProvider: true,
    documentRangeFormattingProvider: true,
    documentOnTypeFormattingProvider: { firstTriggerCharacter: firstTrigger, moreTriggerCharacter: [...moreTriggers] },
    codeActionProvider: { codeActionKinds: [...actionKinds] },
    codeLensProvider: { resolveProvider: false },
    inlayHintProvider: true,
    callHierarchyProvider: true,
    foldingRangeProvider: true,
    selectionRangeProvider: true,
    documentLinkProvider: { resolveProvider: false },
    renameProvider: {
      workDoneProgress: true,
      ...(client.textDocument?.rename?.prepareSupport === true ? { prepareProvider: true } : {}),
    },
    semanticTokensProvider: {
      legend: { tokenTypes: [...tokenTypes], tokenModifiers: [...tokenModifiers] },
      full: { delta: true },
      range: true,
    },
    ...(client.textDocument?.diagnostic === undefined
      ? {}
      : {
          diagnosticProvider: { identifier: 'strata', interFileDependencies: true, workspaceDiagnostics: true },
        }),
    executeCommandProvider: { commands: Object.values(serverCommands), workDoneProgress: false },
    workspace: {
      workspaceFolders: { supported: true, changeNotifications: true },
      fileOperations: { willRename: { filters: [{ scheme: 'file', pattern: { glob: '**/*' } }] } },
    },
  };
}

function registerDocuments(session: Session, diagnostics: DiagnosticsService): void {
  const { connection, workspace, convert } = session;
  const changed = (uri: string): void => {
    diagnostics.edited(uri);
    diagnostics.affected(workspace.dependents(uri));
  };
  connection.onDidOpenTextDocument(({ textDocument }) => {
    workspace.open(textDocument);
    changed(textDocument.uri);
  });
  connection.onDidChangeTextDocument(({ textDocument: { uri, version }, contentChanges }) => {
    const applied = guarded(session, false, () =>
      workspace.change(uri, version ?? 0, contentChanges as readonly Change[], convert.encoding),
    );
    if (applied) changed(uri);
  });
  // Not every client watches files, nor all that data may be: what is read from disk is looked at again whenever the user saves.
  const unwatched = watches(session) ? 'data' : 'anything';
  connection.onDidSaveTextDocument(() => diagnostics.affected(workspace.changedOnDisk(unwatched)));
  connection.onDidCloseTextDocument(({ textDocument: { uri } }) => {
    const dependents = workspace.dependents(uri);
    workspace.close(uri);
    diagnostics.clear(uri);
    diagnostics.affected(dependents);
  });
}

interface Services {
  readonly diagnostics: DiagnosticsService;
  readonly training: Training;
  readonly folders: readonly string[];
}

/** Workspace folders, settings and files on disk. */
function registerEnvironment(session: Session, { diagnostics, training, folders }: Services): void {
  const { connection, host, workspace, capabilities } = session;
  let current = folders;
  const settingsChanged = (value: unknown): void => {
    session.settings = readSettings(value, session.settings);
    refresh(session, 'inlayHint', 'codeLens');
  };
  /** Those of the window and those of each folder, in one question. */
  const pullSettings = async (): Promise<void> => {
    if (capabilities.workspace?.configuration !== true) return;
    const scopes = [{}, ...current.map(scopeUri => ({ scopeUri }))];
    const asked = scopes.map(scope => ({ ...scope, section: 'strata' }));
    const found: unknown = await connection.workspace.getConfiguration(asked);
    const [own, ...ofFolders] = Array.isArray(found) ? found.map(untrusted) : [];
    session.settings = readSettings(own, session.settings);
    session.folderSettings = new Map(current.map((uri, i) => [uri, readSettings(ofFolders[i], session.settings)]));
    refresh(session, 'inlayHint', 'codeLens');
  };
  connection.onInitialized(() => {
    registerDynamically(session);
    // Names of other files are asked for at the first completion: they are read before, while nothing else is to do.
    inSlices(workspace.declared(), CancellationToken.None, () => {}).catch(error => logFailure(connection, error));
    training.attach();
    pullSettings().catch(error => logFailure(connection, error));
  });
  connection.onDidChangeConfiguration(({ settings }) => {
    const section = record(settings).strata;
    if (section !== undefined) settingsChanged(section);
    pullSettings().catch(error => logFailure(connection, error));
  });
  connection.onDidChangeWatchedFiles(({ changes }) =>
    diagnostics.affected(workspace.changedOnDisk(changes.map(change => change.uri))),
  );
  connection.onNotification(filesNotification, (params: unknown) => {
    const parsed = v.safeParse(filesParams, params);
    if (parsed.success) diagnostics.affected(workspace.provide(parsed.output.files as FilesParams['files']));
  });
  connection.onNotification('workspace/didChangeWorkspaceFolders', ({ event }: FoldersChange) => {
    const removed = new Set(event.removed.map(folder => folder.uri));
    current = [...current.filter(uri => !removed.has(uri)), ...event.added.map(folder => folder.uri)];
    host.setFolders(current);
    diagnostics.affected(workspace.changedOnDisk('anything'));
    training.attach();
    pullSettings().catch(error => logFailure(connection, error));
  });
}

/** Trust is the client's to tell; a folder's own settings file must not be able to. */
function untrusted(value: unknown): unknown {
  const { trusted: _, ...section } = record(value);
  return section;
}

const filesParams = v.object({ files: v.array(v.object({ uri: v.string(), text: v.optional(v.string()) })) });

interface FoldersChange {
  readonly event: {
    readonly added: readonly { readonly uri: string }[];
    readonly removed: readonly { readonly uri: string }[];
  };
}

function watches({ capabilities }: Session): boolean {
  return capabilities.workspace?.didChangeWatchedFiles?.dynamicRegistration === true;
}

/** Watching is the client's; one that can't be told so is served at its edits and saves. */
function registerDynamically(session: Session): void {
  const { connection, capabilities } = session;
  const failed = (error: unknown): void => logFailure(connection, error);
  if (watches(session)) {
    const watchers = watched.map(globPattern => ({ globPattern }));
    connection.client.register(DidChangeWatchedFilesNotification.type, { watchers }).catch(failed);
  }
  if (capabilities.workspace?.didChangeConfiguration?.dynamicRegistration === true) {
    connection.client.register(DidChangeConfigurationNotification.type, { section: 'strata' }).catch(failed);
  }
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}
