/** Requests across files: call hierarchy, and the edits that go with renamed files. */
import type { CallHierarchyItem, TextEdit } from 'vscode-languageserver';
import { type Call, type CallItem, callItem, incomingCalls, outgoingCalls } from '../ide/callHierarchy.ts';
import { fileRenameEdits } from '../ide/fileRename.ts';
import type { LineIndex, Span } from '../lang/api.ts';
import { symbolKind } from './convert.ts';
import { answer, guarded, type Session } from './session.ts';

export function registerStructure(session: Session): void {
  registerCalls(session);
  const { connection, workspace, convert } = session;
  connection.workspace.onWillRenameFiles(({ files }) =>
    guarded(session, null, () => {
      const changes: Record<string, TextEdit[]> = {};
      for (const [uri, edits] of fileRenameEdits(workspace.allFiles(), files)) {
        const lines = workspace.linesOf(uri);
        if (lines !== undefined) changes[uri] = convert.edits(lines, edits);
      }
      return { changes };
    }),
  );
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
      uri: item.uri,
      range: convert.range(lines, item.span),
      selectionRange: convert.range(lines, item.nameSpan),
    };
  };
  const ranges = (lines: LineIndex | undefined, places: readonly Span[]) =>
    lines === undefined ? [] : places.map(place => convert.range(lines, place));
  /** An item that comes back from the client is found anew by its name's place: the text may have changed. */
  const calls = <R>(
    item: CallHierarchyItem,
    find: typeof incomingCalls,
    convertCall: (call: Call) => R | undefined,
  ): R[] =>
    guarded(session, [], () => {
      const files = workspace.allFiles();
      const home = files.find(file => file.uri === item.uri);
      const found = home && callItem(home, convert.offset(home.lines, item.selectionRange.start), files);
      return found === undefined ? [] : find(found, files).flatMap(call => convertCall(call) ?? []);
    });
  const { callHierarchy } = connection.languages;
  callHierarchy.onPrepare(({ textDocument: { uri }, position }, token) =>
    answer(session, uri, token, null, analysis => {
      const item = callItem(analysis, convert.offset(analysis.lines, position), workspace.allFiles());
      const converted = item && toLsp(item);
      return converted === undefined ? null : [converted];
    }),
  );
  callHierarchy.onIncomingCalls(({ item }) =>
    calls(item, incomingCalls, ({ item: caller, places }) => {
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
