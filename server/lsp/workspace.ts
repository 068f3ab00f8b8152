/** Open texts and their analyses: analysed when asked for, reused until the text or something it reads has changed. */
import { type DeclaredFile, declaredFile, importersOf } from '../ide/declared.ts';
import { analyze, analyzeOnDemand } from '../lang/analyze.ts';
import type { Analysis, Encoding, LangHost, LineIndex } from '../lang/api.ts';
import { lineIndex } from '../lang/text.ts';
import { applyChanges, type Change, type OpenDocument } from './documents.ts';
import type { DiskView, ServerHost } from './host.ts';
import type { FilesParams } from './protocol.ts';

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
  /** Resolves when the stamp of some file changes, or files come or go. */
  nextChange(): Promise<void>;
  /** Open documents that import `uri`, directly or not. */
  dependents(uri: string): readonly string[];
  /** Sources or data files on disk have changed (`data`: any but sources). Answers the open documents to analyse again. */
  changedOnDisk(uris: readonly string[] | 'anything' | 'data'): readonly string[];
  /** Texts that the client reads for the server. Answers the open documents to analyse again. */
  provide(files: FilesParams['files']): readonly string[];
  /** All files of the workspace and all open documents. */
  uris(): readonly string[];
  /** Names that the files of the workspace declare. */
  declared(): Iterable<DeclaredFile>;
  /** The file and those that import it, directly or not. */
  importersOf(uri: string): ReadonlySet<string>;
  /**
   * Analyses of the files that `wanted` picks by uri and text, one after the other: what references, renames and call hierarchy
   * look through. Texts of files that aren't `among` them are not even read.
   */
  filesWith(wanted: (uri: string, text: string) => boolean, among?: ReadonlySet<string>): Iterable<Analysis>;
  linesOf(uri: string): LineIndex | undefined;
  /** Resolves when the data files that analyses have asked for are known, or after `patience` milliseconds: an answer without them may differ for a moment. */
  settled(patience: number): Promise<void>;
}

interface Entry {
  analysis: Analysis | undefined;
  /** The last analysis even if stale: what the next one reuses. */
  previous: Analysis | undefined;
}

/** Texts of closed files whose analyses are kept, in characters: an analysis is about a hundred times its text. */
const keptText = 300_000;

/** `arrived` is told the files to analyse again, open or not, when the schema of a data file is there. */
export function createWorkspace(host: ServerHost, arrived: (uris: readonly string[]) => void = () => {}): Workspace {
  const documents = new Map<string, OpenDocument>();
  const provided = new Map<string, string>();
  const entries = new Map<string, Entry>();
  const index = new Map<string, DeclaredFile>();
  const stamps = createStamps();
  const lang: DiskView = host.langHost(
    uri => documents.get(uri)?.text ?? provided.get(uri),
    uris => {
      for (const uri of uris) touch(uri);
      arrived([...new Set(uris.flatMap(uri => [uri, ...stamps.dependents(uri)]))]);
    },
  );
  const closed = createClosed(lang, stamps.read);

  const invalidate = (uri: string): void => {
    const entry = entries.get(uri);
    if (entry !== undefined) entry.analysis = undefined;
  };
  const touch = (uri: string): void => {
    index.delete(uri);
    for (const stale of stamps.touch(uri)) {
      invalidate(stale);
      closed.forget(stale);
    }
  };
  const store = (document: OpenDocument): void => {
    documents.set(document.uri, document);
    if (!entries.has(document.uri)) entries.set(document.uri, { analysis: undefined, previous: undefined });
    touch(document.uri);
  };
  const analysisOf = (uri: string): Analysis | undefined => {
    const document = documents.get(uri);
    const entry = entries.get(uri);
    if (document === undefined || entry === undefined) return closed.analysis(uri);
    if (entry.analysis === undefined) {
      entry.analysis = analyze(uri, document.text, lang, entry.previous);
      entry.previous = entry.analysis;
      stamps.read(entry.analysis);
    }
    return entry.analysis;
  };
  /** Walking the folders takes too long to do it at every request. */
  let listed: readonly string[] | undefined;
  const uris = (): readonly string[] => {
    listed ??= host.sourceFiles();
    return [...new Set([...documents.keys(), ...provided.keys(), ...listed])];
  };
  const declaredIn = (uri: string): DeclaredFile | undefined => {
    const known = index.get(uri);
    if (known !== undefined) return known;
    const text = lang.readText(uri);
    if (text === undefined) return undefined;
    const file = declaredFile(uri, text);
    index.set(uri, file);
    return file;
  };

  function* declared(): Iterable<DeclaredFile> {
    for (const uri of uris()) {
      const file = declaredIn(uri);
      if (file !== undefined) yield file;
    }
  }

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
    stamp: stamps.of,
    nextChange: stamps.nextChange,
    dependents: uri => stamps.dependents(uri).filter(other => documents.has(other)),
    provide: files => {
      const stale: string[] = [];
      for (const { uri, text } of files) {
        if (text === undefined) provided.delete(uri);
        else provided.set(uri, text);
        index.delete(uri);
        stale.push(...stamps.changed([uri], false));
      }
      closed.clear();
      for (const uri of stale) invalidate(uri);
      return [...new Set(stale)].filter(uri => documents.has(uri));
    },
    changedOnDisk: changed => {
      if (changed === 'anything') index.clear();
      if (changed === 'anything' || (changed !== 'data' && changed.some(uri => uri.endsWith('.strata'))))
        listed = undefined;
      const sources = typeof changed === 'string' ? [] : changed.filter(uri => uri.endsWith('.strata'));
      for (const uri of sources) index.delete(uri);
      closed.clear();
      const data = typeof changed === 'string' || changed.length > sources.length;
      if (data) lang.schemas?.lookAgain();
      const stale = stamps.changed(changed === 'anything' ? 'all' : sources, data);
      for (const uri of stale) invalidate(uri);
      return stale.filter(uri => documents.has(uri));
    },
    uris,
    declared,
    importersOf: uri => importersOf(uri, declared()),
    *filesWith(wanted, among) {
      for (const uri of uris()) {
        if (among?.has(uri) === false) continue;
        const text = lang.readText(uri);
        if (text === undefined || !wanted(uri, text)) continue;
        const analysis = documents.has(uri) ? analysisOf(uri) : closed.glance(uri, text);
        if (analysis !== undefined) yield analysis;
      }
    },
    linesOf: uri => {
      const text = documents.get(uri)?.text ?? lang.readText(uri);
      const known = entries.get(uri)?.analysis;
      if (known !== undefined && known.text === text) return known.lines;
      return text === undefined ? undefined : lineIndex(text);
    },
    settled: async patience => {
      if (lang.schemas?.waiting !== true) return;
      await Promise.race([lang.schemas.settled(), new Promise(resolve => setTimeout(resolve, patience))]);
    },
  };
}

/** Analyses of files that are not open, the latest of them kept. */
interface Closed {
  analysis(uri: string): Analysis | undefined;
  /** Not kept if it is not there yet: a search goes through more files than are kept, and would leave none of use. */
  glance(uri: string, text: string): Analysis;
  forget(uri: string): void;
  clear(): void;
}

function createClosed(lang: LangHost, made: (analysis: Analysis) => void): Closed {
  const kept = new Map<string, Analysis>();
  let size = 0;
  const forget = (uri: string): void => {
    size -= kept.get(uri)?.text.length ?? 0;
    kept.delete(uri);
  };
  const keep = (uri: string, analysis: Analysis): void => {
    forget(uri);
    kept.set(uri, analysis);
    size += analysis.text.length;
    for (const oldest of kept.keys()) {
      if (size <= keptText || oldest === uri) break;
      forget(oldest);
    }
  };
  const glance = (uri: string, text: string): Analysis => {
    const known = kept.get(uri);
    return known?.text === text ? known : analyzeOnDemand(uri, text, lang);
  };
  return {
    glance,
    analysis: uri => {
      const text = lang.readText(uri);
      if (text === undefined) return undefined;
      const analysis = glance(uri, text);
      if (analysis !== kept.get(uri)) made(analysis);
      keep(uri, analysis);
      return analysis;
    },
    forget,
    clear: () => {
      kept.clear();
      size = 0;
    },
  };
}

/** What each file read when it was last analysed, and a number that grows when that may have changed. */
interface Stamps {
  read(analysis: Analysis): void;
  of(uri: string): number;
  /** Files that import `uri`, directly or not. */
  dependents(uri: string): readonly string[];
  /** The text of `uri` has changed; answers it and its dependents. */
  touch(uri: string): readonly string[];
  /** Sources on disk have changed, or data files; answers the files that read them. */
  changed(sources: readonly string[] | 'all', data: boolean): readonly string[];
  nextChange(): Promise<void>;
}

function createStamps(): Stamps {
  const known = new Map<string, { stamp: number; imports: readonly string[]; readsData: boolean }>();
  let counter = 0;
  const waiting: (() => void)[] = [];
  const wake = (): void => {
    for (const resolve of waiting.splice(0)) resolve();
  };
  const bump = (uri: string): void => {
    const before = known.get(uri) ?? { imports: [], readsData: false };
    known.set(uri, { ...before, stamp: ++counter });
  };
  const select = (matches: (uri: string, file: { imports: readonly string[]; readsData: boolean }) => boolean) =>
    [...known].filter(([uri, file]) => matches(uri, file)).map(([uri]) => uri);
  const dependents = (uri: string) => select((other, { imports }) => other !== uri && imports.includes(uri));
  return {
    read: analysis => {
      const stamp = known.get(analysis.uri)?.stamp ?? 0;
      known.set(analysis.uri, { stamp, imports: analysis.imports, readsData: readsFiles(analysis) });
    },
    of: uri => known.get(uri)?.stamp ?? 0,
    dependents,
    touch: uri => {
      const stale = [uri, ...dependents(uri)];
      stale.forEach(bump);
      wake();
      return stale;
    },
    changed: (sources, data) => {
      const some = new Set(sources === 'all' ? known.keys() : sources);
      const stale = select(
        (_, file) => (data && file.readsData) || file.imports.some(i => some.has(i) || sources === 'all'),
      );
      for (const uri of new Set([...stale, ...some])) bump(uri);
      wake();
      return stale;
    },
    nextChange: () => new Promise(resolve => waiting.push(resolve)),
  };
}

/** Whether a source of the file names a path; one with errors may be about to. */
function readsFiles({ data }: Analysis): boolean {
  return data.some(
    d => d.source === undefined || Object.values(d.source.args).some(value => typeof value === 'string'),
  );
}
