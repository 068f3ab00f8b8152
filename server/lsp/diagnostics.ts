/** Diagnostics: sent after each change to clients that wait for them, answered to clients that ask. */
import type {
  CancellationToken,
  Diagnostic,
  DocumentDiagnosticReport,
  WorkspaceDocumentDiagnosticReport,
} from 'vscode-languageserver';
import { diagnostics } from '../ide/diagnostics/registry.ts';
import { toDiagnostic } from './convert.ts';
import { refresh } from './refresh.ts';
import { answerSettled, dataRead, guarded, type Session } from './session.ts';
import { inSlices } from './slices.ts';

export interface DiagnosticsService {
  /** The text of an open document has changed. */
  edited(uri: string): void;
  /** Something that open documents read has changed: an import, a data file. */
  affected(uris: readonly string[]): void;
  clear(uri: string): void;
}

/** An analysis slower than this is not run at every keystroke (milliseconds). */
const slow = 40;

/** Typing in an imported file is many changes to those who import it; they are told together (milliseconds). */
const refreshDelay = 150;

export function createDiagnostics(session: Session): DiagnosticsService {
  const { connection, workspace, capabilities, spelled } = session;
  const pulls = capabilities.textDocument?.diagnostic !== undefined;
  const waiting = new Set<string>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  /** The cheaper one of the last two analyses: a single pause of the machine is no reason to wait. */
  let cost = 0;
  let before = 0;

  const publish = async (): Promise<void> => {
    timer = undefined;
    const uris = [...waiting];
    waiting.clear();
    for (const uri of uris) await dataRead(session, uri);
    const started = performance.now();
    for (const uri of uris) {
      const version = workspace.document(uri)?.version;
      if (version === undefined) continue;
      const list = compute(session, uri);
      void connection.sendDiagnostics({ uri: spelled(uri), version, diagnostics: list });
    }
    const last = performance.now() - started;
    cost = Math.min(last, before);
    before = last;
  };

  const schedule = (uris: readonly string[]): void => {
    for (const uri of uris) waiting.add(uri);
    // A burst of changes is one analysis: behind all messages that have already arrived, or when typing pauses if analysing is slow.
    if (timer !== undefined && cost < slow) return;
    clearTimeout(timer);
    timer = setTimeout(() => void publish(), cost < slow ? 0 : Math.min(2 * cost, 500));
  };

  let refreshing = false;
  const refreshSoon = (): void => {
    if (refreshing) return;
    refreshing = true;
    setTimeout(() => {
      refreshing = false;
      refresh(session, 'diagnostics', 'inlayHint', 'codeLens');
    }, refreshDelay);
  };

  if (pulls) {
    answerPulls(session);
    answerWorkspacePulls(session);
  }
  return {
    // A client that pulls asks by itself for what it has edited.
    edited: uri => {
      if (!pulls) schedule([uri]);
    },
    affected: uris => {
      if (uris.length === 0) return;
      if (!pulls) schedule(uris);
      refreshSoon();
    },
    clear: uri => {
      waiting.delete(uri);
      if (!pulls) void connection.sendDiagnostics({ uri: spelled(uri), diagnostics: [] });
    },
  };
}

/** An id of another server's results, from before it was started again, must not look like ours. */
const born = Date.now().toString(36);

function resultIdOf({ workspace }: Session, uri: string): string {
  return `${born}.${workspace.stamp(uri)}`;
}

function answerPulls(session: Session): void {
  const { connection } = session;
  connection.languages.diagnostics.on((params, token) => {
    const { uri } = params.textDocument;
    return answerSettled<DocumentDiagnosticReport>(session, uri, token, { kind: 'full', items: [] }, () => {
      const resultId = resultIdOf(session, uri);
      if (params.previousResultId === resultId) return { kind: 'unchanged', resultId };
      return { kind: 'full', resultId, items: compute(session, uri) };
    });
  });
}

/** Results of so many files are sent together. */
const batch = 20;

/**
 * The problems of all files: what has changed since the client's last question, in pieces where it takes them. VS Code asks anew two
 * seconds after each answer, so that a question to which nothing is new is answered when something is.
 */
function answerWorkspacePulls(session: Session): void {
  const { connection, workspace } = session;
  const reports = createReports(session);
  connection.languages.diagnostics.onWorkspace(async ({ previousResultIds }, token, _progress, partial) => {
    const previous = new Map(previousResultIds.map(({ uri, value }) => [uri, value]));
    let sent = false;
    let items: WorkspaceDocumentDiagnosticReport[] = [];
    const send = (): void => {
      if (partial === undefined || items.length === 0) return;
      partial.report({ items });
      sent = true;
      items = [];
    };
    while (!token.isCancellationRequested) {
      const change = workspace.nextChange();
      await inSlices(reports.changed(previous), token, report => {
        items.push(report);
        if (items.length >= batch) send();
      });
      send();
      if (sent || items.length > 0 || previous.size === 0) break;
      await Promise.race([change, cancelled(token)]);
    }
    return { items };
  });
}

function cancelled(token: CancellationToken): Promise<void> {
  return new Promise(resolve => token.onCancellationRequested(() => resolve()));
}

interface Reports {
  /** Of all files whose results are not those that the client has, by uri; files that are gone have none. */
  changed(previous: ReadonlyMap<string, string>): Iterable<WorkspaceDocumentDiagnosticReport>;
}

function createReports(session: Session): Reports {
  const { workspace, spelled } = session;
  /** Of files without an analysis that is kept, so that asking again costs nothing. */
  const known = new Map<string, { readonly resultId: string; readonly items: Diagnostic[] }>();
  const reportOf = (uri: string): WorkspaceDocumentDiagnosticReport => {
    const version = workspace.document(uri)?.version ?? null;
    const before = known.get(uri);
    if (before?.resultId === resultIdOf(session, uri)) return { kind: 'full', uri: spelled(uri), version, ...before };
    const items = compute(session, uri);
    const resultId = resultIdOf(session, uri);
    known.set(uri, { resultId, items });
    return { kind: 'full', uri: spelled(uri), version, resultId, items };
  };
  return {
    *changed(previous) {
      const present = new Set(workspace.uris());
      for (const uri of present)
        if (!known.has(uri) || previous.get(uri) !== resultIdOf(session, uri)) yield reportOf(uri);
      for (const uri of previous.keys()) {
        if (present.has(uri)) continue;
        known.delete(uri);
        yield { kind: 'full', uri: spelled(uri), version: null, items: [] };
      }
    },
  };
}

function compute(session: Session, uri: string): Diagnostic[] {
  const { workspace, convert, capabilities, host } = session;
  return guarded(session, [], () => {
    const analysis = workspace.analysis(uri);
    if (analysis === undefined) return [];
    const options = {
      convert,
      linesOf: (other: string) => (other === uri ? analysis.lines : workspace.linesOf(other)),
      related: capabilities.textDocument?.publishDiagnostics?.relatedInformation !== false,
      ...(host.manual === undefined ? {} : { manual: host.manual }),
    };
    return diagnostics(analysis).map(d => toDiagnostic(d, analysis.lines, options));
  });
}
