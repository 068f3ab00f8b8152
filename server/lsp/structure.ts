/** Requests across files: call hierarchy, and the edits that go with renamed files. */
import type { CallHierarchyItem, TextEdit } from 'vscode-languageserver';
import { type Call, type CallItem, callItem, incomingCalls, outgoingCalls } from '../ide/callHierarchy.ts';
import { type FileRename, fileRenameEdits } from '../ide/fileRename.ts';
import type { Analysis, LineIndex, Span } from '../lang/api.ts';
import { symbolKind } from './convert.ts';
import { answer, filesNaming, guarded, type Session } from './session.ts';
import type { Workspace } from './workspace.ts';

export function registerStructure(session: Session): void {
  registerCalls(session);
  const { connection, workspace, convert } = session;
  connection.workspace.onWillRenameFiles(({ files }) =>
    guarded(session, null, () => {
      const changes: Record<string, TextEdit[]> = {};
      const concerned = workspace.filesWith((uri, text) => files.some(rename => isConcerned(uri, text, rename)));
      for (const [uri, edits] of fileRenameEdits(concerned, files)) {
        const lines = workspace.linesOf(uri);
        if (lines !== undefined) changes[session.spelled(uri)] = convert.edits(lines, edits);
      }
      return { changes };
    }),
  );
}

/** It moves itself, or may name what does. */
function isConcerned(uri: string, text: string, { oldUri }: FileRename): boolean {
  if (uri === oldUri || uri.startsWith(`${oldUri}/`)) return true;
  const last = oldUri.slice(oldUri.lastIndexOf('/') + 1);
  const name = decodeURIComponent(last);
  return text.includes(name) || text.includes(JSON.stringify(name).slice(1, -1));
}

function withImports(workspace: Workspace, analysis: Analysis): readonly Analysis[] {
  return [analysis, ...analysis.imports.flatMap(uri => workspace.analysis(uri) ?? [])];
}

function registerCalls(session: Session): void {
  const { connection, workspace, convert } = session;
  const toLsp = (item: CallItem): CallHierarchyItem | undefined => {
    const lines = workspace.linesOf(item.uri);
    if (lines === undefined) return undefined;
    return {
      name: item.name,
      detail: item.detail,
      kind: symbolKind(item.kind),
      uri: session.spelled(item.uri),
      range: convert.range(lines, item.span),
      selectionRange: convert.range(lines, item.nameSpan),
    };
  };
  const ranges = (lines: LineIndex | undefined, places: readonly Span[]) =>
    lines === undefined ? [] : places.map(place => convert.range(lines, place));
  /** An item that comes back from the client is found anew by its name's place: the text may have changed. */
  const calls = <R>(
    item: CallHierarchyItem,
    find: (found: CallItem, home: Analysis, near: readonly Analysis[]) => readonly Call[],
    convertCall: (call: Call) => R | undefined,
  ): R[] =>
    guarded(session, [], () => {
      const home = workspace.analysis(item.uri);
      if (home === undefined) return [];
      const near = withImports(workspace, home);
      const found = callItem(home, convert.offset(home.lines, item.selectionRange.start), near);
      return found === undefined ? [] : find(found, home, near).flatMap(call => convertCall(call) ?? []);
    });
  const callers = (found: CallItem, home: Analysis) => {
    const symbol = home.symbol(found.nameSpan.start);
    return symbol === undefined ? [] : incomingCalls(found, home, filesNaming(workspace, home.uri, symbol));
  };
  const { callHierarchy } = connection.languages;
  callHierarchy.onPrepare(({ textDocument: { uri }, position }, token) =>
    answer(session, uri, token, null, analysis => {
      const item = callItem(analysis, convert.offset(analysis.lines, position), withImports(workspace, analysis));
      const converted = item && toLsp(item);
      return converted === undefined ? null : [converted];
    }),
  );
  callHierarchy.onIncomingCalls(({ item }) =>
    calls(item, callers, ({ item: caller, places }) => {
      const from = toLsp(caller);
      return from && { from, fromRanges: ranges(workspace.linesOf(caller.uri), places) };
    }),
  );
  callHierarchy.onOutgoingCalls(({ item }) =>
    calls(item, outgoingCalls, ({ item: callee, places }) => {
      const to = toLsp(callee);
      return to && { to, fromRanges: ranges(workspace.linesOf(item.uri), places) };
    }),
  );
}
