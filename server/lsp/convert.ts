/** From spans in the text to LSP's ranges and back, in the position encoding that was agreed. */
import type {
  CompletionItemKind,
  Diagnostic,
  DiagnosticSeverity,
  Location,
  Position,
  Range,
  SymbolKind,
  TextEdit,
} from 'vscode-languageserver';
import type { Suggestion } from '../ide/completion.ts';
import type { Diagnostic as StrataDiagnostic } from '../ide/diagnostics/registry.ts';
import type { SymbolNode } from '../ide/symbols.ts';
import type { Encoding, Location as LangLocation, TextEdit as LangTextEdit, LineIndex, Span } from '../lang/api.ts';

export interface Convert {
  readonly encoding: Encoding;
  range(lines: LineIndex, span: Span): Range;
  span(lines: LineIndex, range: Range): Span;
  offset(lines: LineIndex, position: Position): number;
  edits(lines: LineIndex, edits: readonly LangTextEdit[]): TextEdit[];
  location(place: LangLocation, lines: LineIndex): Location;
}

/** `spelled`: a uri as the client spells it. */
export function createConvert(encoding: Encoding, spelled: (uri: string) => string): Convert {
  const convert: Convert = {
    encoding,
    range: (lines, { start, end }) => ({ start: lines.position(start, encoding), end: lines.position(end, encoding) }),
    span: (lines, { start, end }) => ({ start: lines.offset(start, encoding), end: lines.offset(end, encoding) }),
    offset: (lines, position) => lines.offset(position, encoding),
    edits: (lines, edits) => edits.map(({ span, text }) => ({ range: convert.range(lines, span), newText: text })),
    location: ({ uri, start, end }, lines) => ({ uri: spelled(uri), range: convert.range(lines, { start, end }) }),
  };
  return convert;
}

/** LSP numbers these; the names say which. */
const severities = { error: 1, warning: 2 } as const satisfies Record<string, DiagnosticSeverity>;

const suggestionKinds: Readonly<Record<Suggestion['kind'], CompletionItemKind>> = {
  file: 17,
  folder: 19,
  model: 7,
  data: 22,
  train: 3,
  const: 21,
  import: 9,
  binding: 6,
  parameter: 6,
  dimension: 25,
  field: 5,
  library: 3,
  setting: 14,
  function: 3,
  layer: 7,
  keyword: 14,
  argument: 10,
  loss: 3,
  metric: 3,
  optimizer: 4,
  schedule: 3,
  transform: 3,
  source: 9,
};

export function suggestionKind(kind: Suggestion['kind']): CompletionItemKind {
  return suggestionKinds[kind];
}

const symbolKinds: Readonly<Record<SymbolNode['kind'], SymbolKind>> = {
  import: 2,
  const: 14,
  data: 23,
  model: 5,
  train: 12,
  layer: 8,
  value: 13,
  field: 8,
  parameter: 13,
  setting: 7,
  objective: 24,
};

export function symbolKind(kind: SymbolNode['kind']): SymbolKind {
  return symbolKinds[kind];
}

export interface DiagnosticOptions {
  readonly convert: Convert;
  readonly linesOf: (uri: string) => LineIndex | undefined;
  /** Uri of the manual's folder. */
  readonly manual?: string;
  readonly related: boolean;
}

export function toDiagnostic(d: StrataDiagnostic, lines: LineIndex, options: DiagnosticOptions): Diagnostic {
  const { convert, linesOf, manual } = options;
  const related = d.related.flatMap(({ location, message }) => {
    const home = linesOf(location.uri);
    return home === undefined ? [] : [{ location: convert.location(location, home), message }];
  });
  return {
    range: convert.range(lines, d.span),
    severity: severities[d.severity],
    source: 'strata',
    code: d.code,
    message: d.help === undefined ? d.message : `${d.message}\nhelp: ${d.help}`,
    ...(manual === undefined ? {} : { codeDescription: { href: `${manual}/diagnostics/${d.code}.md` } }),
    ...(d.unnecessary ? { tags: [1] } : {}),
    ...(options.related && related.length > 0 ? { relatedInformation: related } : {}),
  };
}
