/** The facade of the language: text to an immutable analysis, sharing what the previous one has of unchanged declarations. */
import type { Analysis, DiagnosticFact, LangHost } from './api.ts';
import { World } from './check/world.ts';
import { countParameters } from './lower/count.ts';
import { completionAt } from './snapshot/completion.ts';
import { allFacts } from './snapshot/facts.ts';
import { allInlays } from './snapshot/inlays.ts';
import { dataBlocks, declarations, folds, trainBlocks } from './snapshot/outline.ts';
import { signatureAt } from './snapshot/signature.ts';
import { absolute, nodesAt, type Snapshot } from './snapshot/snapshot.ts';
import { hoverAt, referencesTo, symbolAt } from './snapshot/symbols.ts';
import { semanticTokens } from './snapshot/tokens.ts';
import { lineIndex, type Span } from './text.ts';

const snapshots = new WeakMap<Analysis, Snapshot>();

/** Never throws. `previous`: an earlier analysis of the same file, for speed alone; the result does not depend on it. */
export function analyze(uri: string, text: string, host: LangHost, previous?: Analysis): Analysis {
  const before = previous && snapshots.get(previous)?.world;
  const world = new World(uri, text, host, before);
  for (const entry of world.entries) world.check(entry);
  return analysisOf(world, host);
}

/**
 * The analysis of a file that is looked through for little: it checks a declaration when it is asked about it. What it says is what
 * `analyze` says, as long as what the file imports stays as it is.
 */
export function analyzeOnDemand(uri: string, text: string, host: LangHost): Analysis {
  const world = new World(uri, text, host);
  // These find all that is imported, directly or not.
  for (const entry of world.entries) if (entry.node.kind === 'import') world.check(entry);
  return analysisOf(world, host);
}

function analysisOf(world: World, host: LangHost): Analysis {
  world.release();
  const { text } = world;
  const snapshot: Snapshot = { world, text, lines: lineIndex(text), host };
  const analysis = facade(snapshot);
  snapshots.set(analysis, snapshot);
  return analysis;
}

/** What the analysis of the same file would be with another text: what an edit leads to, before it is made. */
export function reanalyze(analysis: Analysis, text: string): Analysis {
  const host = snapshots.get(analysis)?.host;
  return host === undefined ? analysis : analyze(analysis.uri, text, host, analysis);
}

/** The checked world behind an analysis, for lowering. */
export function snapshotOf(analysis: Analysis): Snapshot | undefined {
  return snapshots.get(analysis);
}

function facade(snapshot: Snapshot): Analysis {
  const { world, text, lines } = snapshot;
  const facts = once((): readonly DiagnosticFact[] => allFacts(snapshot));
  const trains = once(() => trainBlocks(snapshot, facts()));
  const outline = once(() => declarations(snapshot));
  const data = once(() => dataBlocks(snapshot));
  const tokens = once(() => semanticTokens(snapshot));
  const folded = once(() => folds(snapshot));
  return {
    uri: world.uri,
    text,
    lines,
    imports: importsOf(snapshot),
    get declarations() {
      return outline();
    },
    get facts() {
      return facts();
    },
    get trains() {
      return trains();
    },
    get data() {
      return data();
    },
    get tokens() {
      return tokens();
    },
    get folds() {
      return folded();
    },
    inlays: within => allInlays(snapshot, within),
    hover: offset => hoverAt(snapshot, offset),
    symbol: offset => symbolAt(snapshot, offset),
    references: symbol => referencesTo(snapshot, symbol),
    signature: offset => signatureAt(snapshot, offset),
    completion: (offset, foreign) => completionAt(snapshot, offset, foreign),
    parameterCount: model => countParameters(world, model),
    selection: offset => selectionAt(snapshot, offset),
  };
}

function once<T>(compute: () => T): () => T {
  let value: { readonly is: T } | undefined;
  return () => {
    value ??= { is: compute() };
    return value.is;
  };
}

function importsOf({ world }: Snapshot): readonly string[] {
  const found = new Set<string>();
  const visit = (w: World): void => {
    for (const uri of w.importUris()) found.add(uri);
    for (const inner of w.importedWorlds()) visit(inner);
  };
  visit(world);
  return [...found];
}

function selectionAt(snapshot: Snapshot, offset: number): readonly Span[] {
  const nodes = nodesAt(snapshot, offset);
  const inner = nodes ? nodes.path.toReversed().map(n => absolute(n, nodes.part)) : [];
  const spans = [...inner, { start: 0, end: snapshot.text.length }];
  return spans.filter((s, i) => i === 0 || s.start !== spans[i - 1]!.start || s.end !== spans[i - 1]!.end);
}
