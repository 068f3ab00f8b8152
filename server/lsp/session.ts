/** What all handlers share: the connection, the agreed encoding, what the client can do, the texts and the settings. */
import type { CancellationToken, ClientCapabilities, Connection } from 'vscode-languageserver';
import { type Say, speak } from '../ide/texts.ts';
import type { Analysis, NameInfo } from '../lang/api.ts';
import { mentions } from '../lang/text.ts';
import { type Convert, createConvert } from './convert.ts';
import type { ServerHost } from './host.ts';
import type { InitializationOptions } from './protocol.ts';
import { defaultSettings, readSettings, type Settings } from './settings.ts';
import { createWorkspace, type Workspace } from './workspace.ts';

export interface Session {
  readonly connection: Connection;
  readonly host: ServerHost;
  readonly workspace: Workspace;
  readonly convert: Convert;
  readonly capabilities: ClientCapabilities;
  readonly options: InitializationOptions;
  /** A uri as the client spells it. */
  readonly spelled: (uri: string) => string;
  /** Texts in the user's language. */
  readonly say: Say;
  /** Changes while the session lives. */
  settings: Settings;
  /** By uri of the workspace folder, where the client tells folders apart. */
  folderSettings: ReadonlyMap<string, Settings>;
}

export interface SessionStart {
  readonly connection: Connection;
  readonly host: ServerHost;
  readonly capabilities: ClientCapabilities;
  readonly options: InitializationOptions;
  readonly spelled: (uri: string) => string;
  /** Of the editor; VS Code sends its display language. */
  readonly locale: string | undefined;
  /** Told the files whose data is known now, or differently. */
  readonly arrived: (uris: readonly string[]) => void;
}

export function createSession({ arrived, locale, ...start }: SessionStart): Session {
  const { host, capabilities, options, spelled } = start;
  return {
    ...start,
    say: speak(locale),
    workspace: createWorkspace(host, arrived),
    convert: createConvert(agreedEncoding(capabilities), spelled),
    settings: readSettings(options, defaultSettings),
    folderSettings: new Map(),
  };
}

/** The settings of the innermost folder that holds a document. Trust and runtime are the window's. */
export function settingsFor({ settings, folderSettings }: Session, uri: string): Settings {
  const holders = [...folderSettings].filter(([folder]) => uri.startsWith(`${folder}/`));
  const [, own] = holders.sort(([a], [b]) => b.length - a.length)[0] ?? [];
  return own === undefined ? settings : { ...own, trusted: settings.trusted, runtime: settings.runtime };
}

/** utf-16 is what the texts are stored in, so it is taken where it is offered; a client that offers nothing means it. */
function agreedEncoding(capabilities: ClientCapabilities): Convert['encoding'] {
  const offered = capabilities.general?.positionEncodings ?? ['utf-16'];
  const known = (['utf-16', 'utf-8', 'utf-32'] as const).find(encoding => offered.includes(encoding));
  return known ?? 'utf-16';
}

/**
 * Answers a request about one document. Where there is no such document, the request was cancelled or we have failed,
 * the answer is `otherwise`; failures of our own go to the log, for no feature is worth an editor's error popup.
 */
export function answer<R>(
  session: Session,
  uri: string,
  token: CancellationToken,
  otherwise: R,
  work: (analysis: Analysis) => R,
): R {
  if (token.isCancellationRequested) return otherwise;
  return guarded(session, otherwise, () => {
    const analysis = session.workspace.analysis(uri);
    return analysis === undefined ? otherwise : work(analysis);
  });
}

/** An answer that would differ once a data file has been read waits for it so long (milliseconds). */
const patience = 300;

/** The same, once the data files that the document names have been read: what is shown beside the text must not vanish while they are. */
export async function answerSettled<R>(
  session: Session,
  uri: string,
  token: CancellationToken,
  otherwise: R,
  work: (analysis: Analysis) => R,
): Promise<R> {
  await dataRead(session, uri, token);
  return answer(session, uri, token, otherwise, work);
}

/** Waits, but not for long, for the data files that the document names. */
export async function dataRead(session: Session, uri: string, token?: CancellationToken): Promise<void> {
  if (token?.isCancellationRequested) return;
  // The analysis is what asks for them; one after it may ask for more.
  guarded(session, undefined, () => session.workspace.analysis(uri));
  await session.workspace.settled(patience);
}

/** Analyses of the files in which uses of a symbol of the file `uri` may be: they know it, and its name stands there. */
export function filesNaming(workspace: Workspace, uri: string, symbol: NameInfo): Iterable<Analysis> {
  const { kind, name, definition } = symbol;
  const local = kind === 'binding' || kind === 'dimension';
  const builtIn = kind === 'library' || kind === 'setting';
  const home = local ? uri : (definition?.uri ?? (builtIn ? undefined : uri));
  const among = local ? new Set([uri]) : home === undefined ? undefined : workspace.importersOf(home);
  return name === '' ? [] : workspace.filesWith((_, text) => mentions(text, name), among);
}

/** Runs `work`; what it throws is logged with its stack. */
export function guarded<R>({ connection }: Session, otherwise: R, work: () => R): R {
  try {
    return work();
  } catch (error) {
    logFailure(connection, error);
    return otherwise;
  }
}

export function logFailure(connection: Connection, error: unknown): void {
  connection.console.error(error instanceof Error ? (error.stack ?? error.message) : String(error));
}
