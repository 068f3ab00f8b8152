/** Requests that come with reading: places of names, outline, colours, hints, lenses, folds, links. */
import type {
  CancellationToken,
  DocumentSymbol,
  Location,
  LocationLink,
  Range,
  SelectionRange,
  SemanticTokens,
  SemanticTokensDelta,
  TextDocumentPositionParams,
} from 'vscode-languageserver';
import { documentLinks } from '../ide/documentLinks.ts';
import { inlayHints } from '../ide/inlayHints.ts';
import { declaration, definition, highlights, linkedEditing, references, typeDefinition } from '../ide/navigation.ts';
import { encodeTokens, semanticTokens, tokensDelta } from '../ide/semanticTokens.ts';
import { documentSymbols, type SymbolNode, workspaceSymbols } from '../ide/symbols.ts';
import type { Analysis, Location as LangLocation, Span } from '../lang/api.ts';
import { symbolKind } from './convert.ts';
import { answer, answerSettled, guarded, type Session, settingsFor } from './session.ts';
import { searchFiles } from './slices.ts';

export function registerReading(session: Session): void {
  registerNavigation(session);
  registerSymbols(session);
  registerTokens(session);
  registerHints(session);
  registerStructure(session);
}

function registerNavigation(session: Session): void {
  const { connection, convert, workspace, capabilities } = session;
  const toLocation = (place: LangLocation) => {
    const lines = workspace.linesOf(place.uri);
    return lines === undefined ? [] : [convert.location(place, lines)];
  };
  const jump = (find: typeof definition, linkSupport: boolean | undefined) => {
    return ({ textDocument: { uri }, position }: TextDocumentPositionParams, token: CancellationToken) =>
      answer<Location | LocationLink[] | null>(session, uri, token, null, analysis => {
        const found = find(analysis, convert.offset(analysis.lines, position));
        const target = found === undefined ? undefined : toLocation(found.to)[0];
        if (found === undefined || target === undefined) return null;
        if (linkSupport !== true) return target;
        const { uri: targetUri, range } = target;
        const originSelectionRange = convert.range(analysis.lines, found.from);
        return [{ originSelectionRange, targetUri, targetRange: range, targetSelectionRange: range }];
      });
  };
  const { textDocument } = capabilities;
  connection.onDefinition(jump(definition, textDocument?.definition?.linkSupport));
  connection.onDeclaration(jump(declaration, textDocument?.declaration?.linkSupport));
  connection.onTypeDefinition(jump(typeDefinition, textDocument?.typeDefinition?.linkSupport));
  connection.languages.onLinkedEditingRange(({ textDocument: { uri }, position }, token) =>
    answer(session, uri, token, null, analysis => {
      const spans = linkedEditing(analysis, convert.offset(analysis.lines, position));
      return spans.length === 0 ? null : { ranges: spans.map(span => convert.range(analysis.lines, span)) };
    }),
  );
  connection.onReferences(async ({ textDocument: { uri }, position, context }, token, progress) => {
    const analysis = workspace.analysis(uri);
    const offset = analysis && convert.offset(analysis.lines, position);
    const symbol = offset === undefined ? undefined : analysis?.symbol(offset);
    if (analysis === undefined || offset === undefined || symbol === undefined) return [];
    const found: Location[] = [];
    await searchFiles(session, { uri, symbol, token, progress }, file => {
      const places = references(analysis, offset, [file], context.includeDeclaration);
      found.push(...places.map(place => convert.location(place, file.lines)));
    });
    return found;
  });
  connection.onDocumentHighlight(({ textDocument: { uri }, position }, token) =>
    answer(session, uri, token, [], analysis =>
      highlights(analysis, convert.offset(analysis.lines, position)).map(({ span, written }) => ({
        range: convert.range(analysis.lines, span),
        kind: written ? 3 : 2,
      })),
    ),
  );
}

function registerSymbols(session: Session): void {
  const { connection, convert, workspace } = session;
  const node = (analysis: Analysis, symbol: SymbolNode): DocumentSymbol => ({
    name: symbol.name,
    detail: symbol.detail,
    kind: symbolKind(symbol.kind),
    range: convert.range(analysis.lines, symbol.span),
    selectionRange: convert.range(analysis.lines, symbol.nameSpan),
    children: symbol.children.map(child => node(analysis, child)),
  });
  connection.onDocumentSymbol(({ textDocument: { uri } }, token) =>
    answer(session, uri, token, [], analysis => documentSymbols(analysis).map(symbol => node(analysis, symbol))),
  );
  connection.onWorkspaceSymbol(({ query }) =>
    guarded(session, [], () =>
      workspaceSymbols([...workspace.declared()], query).flatMap(({ name, kind, uri, span }) => {
        const lines = workspace.linesOf(uri);
        const location = lines === undefined ? undefined : convert.location({ uri, ...span }, lines);
        return location === undefined ? [] : [{ name, kind: symbolKind(kind), location }];
      }),
    ),
  );
}

function registerTokens(session: Session): void {
  const { connection, convert } = session;
  const last = new Map<string, { readonly id: string; readonly data: readonly number[] }>();
  let counter = 0;
  const encode = (analysis: Analysis, within?: Span): number[] => {
    const place = (span: Span) => {
      const { start, end } = convert.range(analysis.lines, span);
      return { line: start.line, character: start.character, length: end.character - start.character };
    };
    return [...encodeTokens(semanticTokens(analysis, within), place)];
  };
  const remember = (uri: string, data: readonly number[]): string => {
    const id = String(++counter);
    last.set(uri, { id, data });
    return id;
  };
  const { semanticTokens: tokens } = connection.languages;
  tokens.on(({ textDocument: { uri } }, token) =>
    answer<SemanticTokens>(session, uri, token, { data: [] }, analysis => {
      const data = encode(analysis);
      return { resultId: remember(uri, data), data };
    }),
  );
  tokens.onRange(({ textDocument: { uri }, range }, token) =>
    answer(session, uri, token, { data: [] as number[] }, analysis => ({
      data: encode(analysis, convert.span(analysis.lines, range)),
    })),
  );
  tokens.onDelta(({ textDocument: { uri }, previousResultId }, token) =>
    answer<SemanticTokens | SemanticTokensDelta>(session, uri, token, { data: [] }, analysis => {
      const before = last.get(uri);
      const data = encode(analysis);
      const resultId = remember(uri, data);
      if (before?.id !== previousResultId) return { resultId, data };
      return { resultId, edits: tokensDelta(before.data, data).map(edit => ({ ...edit, data: [...edit.data] })) };
    }),
  );
}

function registerHints(session: Session): void {
  const { connection, convert } = session;
  connection.languages.inlayHint.on(({ textDocument: { uri }, range }, token) =>
    answerSettled(session, uri, token, [], analysis =>
      inlayHints(analysis, convert.span(analysis.lines, range), settingsFor(session, uri).inlayHints, session.say).map(
        hint => ({
          position: convert.range(analysis.lines, { start: hint.offset, end: hint.offset }).start,
          label: hint.text,
          kind: hint.kind === 'parameter' ? 2 : 1,
          ...(hint.kind === 'parameter' ? { paddingRight: true } : { paddingLeft: true }),
        }),
      ),
    ),
  );
}

function registerStructure(session: Session): void {
  const { connection, convert, host } = session;
  connection.onFoldingRanges(({ textDocument: { uri } }, token) =>
    answer(session, uri, token, [], analysis =>
      analysis.folds.map(({ startLine, endLine, kind }) => ({
        startLine,
        endLine,
        ...(kind === 'comment' ? { kind: 'comment' } : {}),
      })),
    ),
  );
  connection.onSelectionRanges(({ textDocument: { uri }, positions }, token) =>
    answer(session, uri, token, [], analysis =>
      positions.map(position => {
        const spans = analysis.selection(convert.offset(analysis.lines, position));
        const ranges = spans.map(span => convert.range(analysis.lines, span));
        return nested(ranges) ?? { range: { start: position, end: position } };
      }),
    ),
  );
  connection.onDocumentLinks(({ textDocument: { uri } }, token) =>
    answer(session, uri, token, [], analysis =>
      documentLinks(analysis).flatMap(({ span, path }) => {
        const target = host.linkTarget(path, uri);
        return target === undefined ? [] : [{ range: convert.range(analysis.lines, span), target }];
      }),
    ),
  );
}

/** Ranges from the innermost outwards as LSP's linked list. */
function nested(ranges: readonly Range[]): SelectionRange | undefined {
  return ranges.reduceRight<SelectionRange | undefined>(
    (parent, range) => (parent === undefined ? { range } : { range, parent }),
    undefined,
  );
}
