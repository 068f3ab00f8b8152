/** Open texts and their analyses: analysed when asked for, reused until the text or something it reads has changed. */
import { analyze } from '../lang/analyze.ts';
import type { Analysis, Encoding, LangHost, LineIndex } from '../lang/api.ts';
import { lineIndex } from '../lang/text.ts';
import { applyChanges, type Change, type OpenDocument } from './documents.ts';
import type { ServerHost } from './host.ts';

export interface Workspace {
  open(document: OpenDocument): void;
  /** False if the document isn't open, which a confused client may claim. */
  change(uri: string, version: number, changes: readonly Change[], encoding: Encoding): boolean;
  close(uri: string): void;
  document(uri: string): OpenDocument | undefined;
  readonly openUris: readonly string[];
  /** The analysis of an open document, or of a file of the workspace. */
  analysis(uri: string): Analysis | undefined;
  /** Counts up whenever the analysis of `uri` may differ: what unchanged results are known by. */
  stamp(uri: string): number;
  /** Open documents that import `uri`, directly or not. */
  dependents(uri: string): readonly string[];
  /** Sources or data files on disk have changed. Answers the open documents to analyse again. */
  changedOnDisk(uris: readonly string[] | 'anything'): readonly string[];
  /** All analyses of the workspace's files, for references, renames and symbols. */
  allFiles(): readonly Analysis[];
  linesOf(uri: string): LineIndex | undefined;
}

interface Entry {
  analysis: Analysis | undefined;
  /** The last analysis even if stale: what the next one reuses. */
  previous: Analysis | undefined;
  stamp: number;
}

export function createWorkspace(host: ServerHost): Workspace {
  const documents = new Map<string, OpenDocument>();
  const entries = new Map<string, Entry>();
  const closed = new Map<string, Analysis>();
  let counter = 0;
  const lang: LangHost = host.langHost(uri => documents.get(uri)?.text);

  const invalidate = (uri: string): void => {
    const entry = entries.get(uri);
    if (entry === undefined) return;
    entry.analysis = undefined;
    entry.stamp = ++counter;
  };
  const dependents = (uri: string): readonly string[] =>
    [...entries]
      .filter(([other, { previous }]) => other !== uri && previous?.imports.includes(uri))
      .map(([other]) => other);
  const touch = (uri: string): void => {
    invalidate(uri);
    closed.delete(uri);
    for (const dependent of dependents(uri)) invalidate(dependent);
  };
  const store = (document: OpenDocument): void => {
    documents.set(document.uri, document);
    if (!entries.has(document.uri)) entries.set(document.uri, { analysis: undefined, previous: undefined, stamp: 0 });
    touch(document.uri);
  };
  const analysisOf = (uri: string): Analysis | undefined => {
    const document = documents.get(uri);
    const entry = entries.get(uri);
    if (document === undefined || entry === undefined) return closedAnalysis(uri);
    if (entry.analysis === undefined) {
      entry.analysis = analyze(uri, document.text, lang, entry.previous);
      entry.previous = entry.analysis;
    }
    return entry.analysis;
  };
  const closedAnalysis = (uri: string): Analysis | undefined => {
    const text = lang.readText(uri);
    if (text === undefined) return undefined;
    const known = closed.get(uri);
    if (known?.text === text) return known;
    const analysis = analyze(uri, text, lang);
    closed.set(uri, analysis);
    return analysis;
  };

  return {
    open: store,
    change: (uri, version, changes, encoding) => {
      const before = documents.get(uri);
      if (before === undefined) return false;
      const known = entries.get(uri)?.analysis;
      const lines = known?.text === before.text ? known.lines : undefined;
      store({ ...before, version, text: applyChanges(before.text, changes, encoding, lines) });
      return true;
    },
    close: uri => {
      documents.delete(uri);
      touch(uri);
      entries.delete(uri);
    },
    document: uri => documents.get(uri),
    get openUris() {
      return [...documents.keys()];
    },
    analysis: analysisOf,
    stamp: uri => entries.get(uri)?.stamp ?? 0,
    dependents,
    changedOnDisk: uris => {
      const sources = new Set(uris === 'anything' ? [] : uris.filter(uri => uri.endsWith('.strata')));
      const others = uris === 'anything' || uris.length > sources.size;
      closed.clear();
      const stale = [...entries].filter(
        ([, { previous }]) =>
          (others && previous !== undefined && readsFiles(previous)) ||
          previous?.imports.some(i => sources.has(i)) === true,
      );
      for (const [uri] of stale) invalidate(uri);
      return stale.map(([uri]) => uri);
    },
    allFiles: () => {
      const uris = new Set([...documents.keys(), ...host.sourceFiles()]);
      return [...uris].flatMap(uri => analysisOf(uri) ?? []);
    },
    linesOf: uri => {
      const text = documents.get(uri)?.text ?? lang.readText(uri);
      const known = entries.get(uri)?.analysis;
      if (known !== undefined && known.text === text) return known.lines;
      return text === undefined ? undefined : lineIndex(text);
    },
  };
}

/** Whether a source of the file names a path; one with errors may be about to. */
function readsFiles({ data }: Analysis): boolean {
  return data.some(
    d => d.source === undefined || Object.values(d.source.args).some(value => typeof value === 'string'),
  );
}
