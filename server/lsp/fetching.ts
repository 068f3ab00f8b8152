/** The command that downloads what the data of a file is missing: in trusted workspaces, with a bar, when somebody asks. */
import * as v from 'valibot';
import { fetchMissing } from '../data/fetchMissing.ts';
import type { TextEdit } from '../lang/api.ts';
import { parse, refused, settledAnalysis } from './commands.ts';
import type { FetchResult } from './protocol.ts';
import type { Session } from './session.ts';

const fetchArguments = v.object({ uri: v.string() });

/** Editors redraw at each report; more often than this nobody can read it (milliseconds). */
const interval = 250;

export async function fetchCommand(session: Session, argument: unknown): Promise<FetchResult> {
  const { host, workspace, settings, say } = session;
  const { uri } = parse(fetchArguments, argument);
  if (!settings.trusted) throw refused(say('cantFetch', say('untrusted')));
  const { fetch } = host;
  const place = host.trainingPlace(uri);
  if (fetch === undefined || place === undefined) throw refused(say('cantFetch', say('unsavedData')));
  const bar = await openBar(session);
  try {
    const analyse = () => {
      workspace.changedOnDisk('data');
      return settledAnalysis(workspace, uri);
    };
    const { files, pins } = await fetchMissing(analyse, address => {
      const onProgress = (bytes: number, total?: number): void => bar.report(address.url, bytes, total);
      return fetch(address, { workspace: place.workspace, signal: bar.signal, onProgress });
    });
    if (pins.length > 0) await applyPins(session, uri, pins);
    return { files: files.map(({ address: { url }, bytes, sha256 }) => ({ url, bytes, sha256 })) };
  } finally {
    bar.done();
  }
}

/** A client that can't be asked for edits has the checksums in the answer. */
async function applyPins(
  { connection, workspace, convert, capabilities, spelled, say }: Session,
  uri: string,
  pins: readonly TextEdit[],
): Promise<void> {
  const lines = workspace.linesOf(uri);
  if (capabilities.workspace?.applyEdit !== true || lines === undefined) return;
  await connection.workspace.applyEdit({
    label: say('checksums'),
    edit: { changes: { [spelled(uri)]: convert.edits(lines, pins) } },
  });
}

interface Bar {
  readonly signal: AbortSignal;
  report(url: string, bytes: number, total: number | undefined): void;
  done(): void;
}

async function openBar({ connection, capabilities, say }: Session): Promise<Bar> {
  const stop = new AbortController();
  if (capabilities.window?.workDoneProgress !== true) return { signal: stop.signal, report: () => {}, done: () => {} };
  const reporter = await connection.window.createWorkDoneProgress();
  reporter.begin(say('fetching'), 0, '', true);
  reporter.token.onCancellationRequested(() => stop.abort());
  let reported = 0;
  return {
    signal: stop.signal,
    report: (url, bytes, total) => {
      if (performance.now() - reported < interval) return;
      reported = performance.now();
      const megabytes = (bytes / 1e6).toFixed(1);
      reporter.report(total ? Math.min(100, Math.floor((100 * bytes) / total)) : 0, `${url}, ${megabytes} MB`);
    },
    done: () => reporter.done(),
  };
}
