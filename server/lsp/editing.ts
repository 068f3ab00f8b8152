/** Requests that come with typing: completion, signature help, hover, formatting, rename, code actions. */
import {
  type CompletionItem,
  type Hover,
  type Range,
  ResponseError,
  type SignatureHelp,
  type TextEdit,
} from 'vscode-languageserver';
import { codeActions } from '../ide/codeActions.ts';
import { completion, type Suggestion, spaceAsks } from '../ide/completion.ts';
import { formatting, onTypeFormatting } from '../ide/formatting.ts';
import { hover } from '../ide/hover.ts';
import { prepareRename, rename } from '../ide/rename.ts';
import type { Analysis, Span } from '../lang/api.ts';
import { suggestionKind, toDiagnostic } from './convert.ts';
import { serverCommands } from './protocol.ts';
import { answer, type Session } from './session.ts';
import { searchFiles } from './slices.ts';

const invalidRequest = -32600;

export function registerEditing(session: Session): void {
  registerCompletion(session);
  registerReading(session);
  registerFormatting(session);
  registerRename(session);
  registerCodeActions(session);
}

function registerCompletion(session: Session): void {
  const { connection, convert, host, capabilities, workspace } = session;
  const docs = createDocTable();
  const snippets = capabilities.textDocument?.completion?.completionItem?.snippetSupport === true;
  connection.onCompletion(({ textDocument: { uri }, position, context }, token) =>
    answer(session, uri, token, null, analysis => {
      const offset = convert.offset(analysis.lines, position);
      if (context?.triggerCharacter === ' ' && !spaceAsks(analysis.text, offset)) return null;
      const list = (path: string) => host.listFolder(path, uri);
      const { replace, items, isIncomplete } = completion(analysis, offset, list, workspace.declared());
      const range = convert.range(analysis.lines, replace);
      const converted = items.map(item => ({
        ...completionItem(item, range, { snippets, docs }),
        ...(item.also ? { additionalTextEdits: convert.edits(analysis.lines, [item.also]) } : {}),
      }));
      return { isIncomplete, items: converted };
    }),
  );
  // The documentation is the bulk of a list; it is sent for the item that is looked at.
  connection.onCompletionResolve(item => {
    const doc = docs.text(item.data);
    return doc !== undefined ? { ...item, documentation: { kind: 'markdown', value: doc } } : item;
  });
}

/** Texts by number, so that lists carry numbers alone. Few, for they are the library's and the file's own. */
interface DocTable {
  number(doc: string): number;
  text(number: unknown): string | undefined;
}

function createDocTable(): DocTable {
  const numbers = new Map<string, number>();
  const docs: string[] = [];
  return {
    number: doc => {
      const known = numbers.get(doc);
      if (known !== undefined) return known;
      numbers.set(doc, docs.length);
      return docs.push(doc) - 1;
    },
    text: number => (typeof number === 'number' ? docs[number] : undefined),
  };
}

function completionItem(
  item: Suggestion,
  range: Range,
  { snippets, docs }: { snippets: boolean; docs: DocTable },
): CompletionItem {
  const newText = item.isSnippet && !snippets ? item.insert.replaceAll(/\$\{\d+:([^}]*)\}|\$\d+/g, '$1') : item.insert;
  return {
    label: item.label,
    kind: suggestionKind(item.kind),
    sortText: item.sort,
    textEdit: { range, newText },
    ...(item.detail === '' ? {} : { detail: item.detail }),
    ...(item.isSnippet && snippets ? { insertTextFormat: 2 } : {}),
    ...(item.preselect ? { preselect: true } : {}),
    ...(item.doc === '' ? {} : { data: docs.number(item.doc) }),
  };
}

function registerReading(session: Session): void {
  const { connection, convert, capabilities } = session;
  const markdown = capabilities.textDocument?.hover?.contentFormat?.includes('markdown') ?? true;
  connection.onHover(({ textDocument: { uri }, position }, token) =>
    answer<Hover | null>(session, uri, token, null, analysis => {
      const found = hover(analysis, convert.offset(analysis.lines, position), session.host.manual);
      if (found === undefined) return null;
      const contents = markdown
        ? { kind: 'markdown' as const, value: found.markdown }
        : { kind: 'plaintext' as const, value: found.plain };
      return { contents, range: convert.range(analysis.lines, found.span) };
    }),
  );
  connection.onSignatureHelp(({ textDocument: { uri }, position }, token) =>
    answer<SignatureHelp | null>(session, uri, token, null, analysis => {
      const info = analysis.signature(convert.offset(analysis.lines, position));
      if (info === undefined) return null;
      const parameters = info.parameters.map(({ span }): { label: [number, number] } => ({
        label: [span.start, span.end],
      }));
      const documentation = { kind: 'markdown' as const, value: info.doc };
      return {
        signatures: [{ label: info.label, documentation, parameters }],
        activeSignature: 0,
        ...(info.active === undefined ? {} : { activeParameter: info.active }),
      };
    }),
  );
}

function registerFormatting(session: Session): void {
  const { connection, convert } = session;
  const edits = (analysis: Analysis, within?: Span) => convert.edits(analysis.lines, formatting(analysis, within));
  connection.onDocumentFormatting(({ textDocument: { uri } }, token) =>
    answer(session, uri, token, [], analysis => edits(analysis)),
  );
  connection.onDocumentRangeFormatting(({ textDocument: { uri }, range }, token) =>
    answer(session, uri, token, [], analysis => edits(analysis, convert.span(analysis.lines, range))),
  );
  connection.onDocumentOnTypeFormatting(({ textDocument: { uri }, position, ch }, token) =>
    answer(session, uri, token, [], analysis => {
      const offset = convert.offset(analysis.lines, position);
      return convert.edits(analysis.lines, onTypeFormatting(analysis, offset, ch));
    }),
  );
}

function registerRename(session: Session): void {
  const { connection, convert, workspace } = session;
  connection.onPrepareRename(({ textDocument: { uri }, position }) => {
    const analysis = workspace.analysis(uri);
    if (analysis === undefined) return null;
    const result = prepareRename(analysis, convert.offset(analysis.lines, position), session.say);
    if (result.kind === 'refused') throw new ResponseError(invalidRequest, result.reason);
    return { range: convert.range(analysis.lines, result.span), placeholder: result.name };
  });
  connection.onRenameRequest(async ({ textDocument: { uri }, position, newName }, token, progress) => {
    const analysis = workspace.analysis(uri);
    if (analysis === undefined) return null;
    const offset = convert.offset(analysis.lines, position);
    const check = rename(analysis, offset, newName, [], session.say);
    if (check.kind === 'refused') throw new ResponseError(invalidRequest, check.reason);
    const symbol = analysis.symbol(offset);
    const changes: Record<string, TextEdit[]> = {};
    if (symbol === undefined) return { changes };
    await searchFiles(session, { uri, symbol, token, progress }, file => {
      const result = rename(analysis, offset, newName, [file], session.say);
      if (result.kind === 'refused') throw new ResponseError(invalidRequest, result.reason);
      const edits = result.files.get(file.uri) ?? [];
      if (edits.length > 0) changes[session.spelled(file.uri)] = convert.edits(file.lines, edits);
    });
    return { changes };
  });
}

function registerCodeActions(session: Session): void {
  const { connection, convert, workspace } = session;
  connection.onCodeAction(({ textDocument: { uri }, range, context }, token) =>
    answer(session, uri, token, [], analysis => {
      const wanted = (kind: string) => context.only?.some(only => kind === only || kind.startsWith(`${only}.`)) ?? true;
      const options = { convert, linesOf: workspace.linesOf, related: false };
      return codeActions(analysis, convert.span(analysis.lines, range), wanted, workspace.declared()).map(
        ({ title, kind, edits, command, diagnostic, preferred }) => ({
          title,
          kind,
          ...(command === undefined
            ? { edit: { changes: { [session.spelled(uri)]: convert.edits(analysis.lines, edits) } } }
            : { command: { title, command: serverCommands[command], arguments: [{ uri }] } }),
          ...(diagnostic === undefined ? {} : { diagnostics: [toDiagnostic(diagnostic, analysis.lines, options)] }),
          ...(preferred ? { isPreferred: true } : {}),
        }),
      );
    }),
  );
}
