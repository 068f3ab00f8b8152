/** Diagnostics on a terminal, each with the line it is about, and as JSON for other tools. */
import { type Diagnostic, diagnostics, renderFact, type Severity } from '../ide/diagnostics/registry.ts';
import type { DiagnosticFact } from '../lang/facts.ts';
import { type LineIndex, type Location, lineIndex, type Position, type Span } from '../lang/text.ts';
import { filePath } from '../runs/fileUri.ts';
import { readText, type Source, shortPath } from './source.ts';
import { paint } from './terminal.ts';

/** Lines and columns count from 1, columns in utf-16 units. */
interface JsonRange {
  readonly start: { readonly line: number; readonly column: number };
  readonly end: { readonly line: number; readonly column: number };
}

export interface JsonDiagnostic {
  readonly file: string;
  readonly range: JsonRange;
  readonly severity: Severity;
  readonly code: string;
  readonly message: string;
  readonly help?: string;
  readonly related: readonly { readonly file: string; readonly range: JsonRange; readonly message: string }[];
}

export function jsonDiagnostics(source: Source): readonly JsonDiagnostic[] {
  const range = (span: Span, lines: LineIndex): JsonRange => ({
    start: fromOne(lines.position(span.start)),
    end: fromOne(lines.position(span.end)),
  });
  return diagnostics(source.analysis).map(d => ({
    file: source.name,
    range: range(d.span, source.analysis.lines),
    severity: d.severity,
    code: d.code,
    message: d.message,
    ...(d.help === undefined ? {} : { help: d.help }),
    related: d.related.map(r => {
      const place = placeOf(r.location, source);
      return { file: place.file, range: range(r.location, lineIndex(place.text)), message: r.message };
    }),
  }));
}

/** Prints the diagnostics of all sources and a closing line; says how many errors there were. */
export function printDiagnostics(sources: readonly Source[], stream: NodeJS.WriteStream = process.stdout): number {
  return print(
    sources,
    sources.flatMap(source => diagnostics(source.analysis).map(d => ({ source, d }))),
    stream,
  );
}

/** The same for what stops one source from being trained; some of it shows in no check, since only lowering finds it. */
export function printObstacles(source: Source, facts: readonly DiagnosticFact[], stream: NodeJS.WriteStream): void {
  const all = [...new Set([...source.analysis.facts, ...facts])].map(fact => ({ source, d: renderFact(fact) }));
  print([source], all, stream);
}

function print(
  sources: readonly Source[],
  all: readonly { readonly source: Source; readonly d: Diagnostic }[],
  stream: NodeJS.WriteStream,
): number {
  for (const { source, d } of all) stream.write(`${textOf(d, source, stream)}\n\n`);
  const errors = all.filter(({ d }) => d.severity === 'error').length;
  const warnings = all.filter(({ d }) => d.severity === 'warning').length;
  const checked = `${sources.length} ${plural(sources.length, 'file')} checked`;
  stream.write(`${checked}: ${errors} ${plural(errors, 'error')}, ${warnings} ${plural(warnings, 'warning')}\n`);
  return errors;
}

/**
 * error[shape-mismatch]: expected [B, 784], found [B, 800]
 *   first.strata:14:12
 *    14 |   logits = net(image)
 *       |            ^^^^^^^^^^
 *   help: …
 */
function textOf(d: Diagnostic, source: Source, stream: NodeJS.WriteStream): string {
  const style = d.severity === 'error' ? ('red' as const) : ('yellow' as const);
  const head = `${paint(['bold', style], `${d.severity}[${d.code}]`, stream)}: ${paint('bold', d.message, stream)}`;
  const places = [
    frame(source.name, source.text, source.analysis.lines, d.span, mark => paint(style, mark, stream), stream),
  ];
  for (const r of d.related) {
    const place = placeOf(r.location, source);
    places.push(`  ${paint('dim', 'note', stream)}: ${r.message}`);
    places.push(
      frame(place.file, place.text, lineIndex(place.text), r.location, mark => paint('blue', mark, stream), stream),
    );
  }
  const help = d.help === undefined ? [] : [`  ${paint('green', 'help', stream)}: ${d.help}`];
  return [head, ...places, ...help].join('\n');
}

function frame(
  file: string,
  text: string,
  lines: LineIndex,
  span: Span,
  colour: (mark: string) => string,
  stream: NodeJS.WriteStream,
): string {
  const { line, character } = lines.position(span.start);
  const start = lines.lineStart(line);
  const content = text.slice(start).split(/\r?\n/, 1)[0] ?? '';
  const length = Math.max(1, Math.min(span.end - span.start, content.length - character));
  const gutter = String(line + 1).padStart(4);
  const bar = paint('dim', '|', stream);
  // Tabs before the mark are kept, so that it stands below its place whatever their width.
  const indent = content.slice(0, character).replaceAll(/[^\t]/g, ' ');
  return [
    `  ${paint('dim', `${file}:${line + 1}:${character + 1}`, stream)}`,
    ` ${paint('dim', gutter, stream)} ${bar} ${content}`,
    ` ${' '.repeat(gutter.length)} ${bar} ${indent}${colour('^'.repeat(length))}`,
  ].join('\n');
}

function placeOf(location: Location, source: Source): { readonly file: string; readonly text: string } {
  if (location.uri === source.analysis.uri) return { file: source.name, text: source.text };
  const path = filePath(location.uri) ?? location.uri;
  const file = shortPath(path, process.cwd());
  return { file, text: readText(path, file) };
}

function fromOne({ line, character }: Position): { readonly line: number; readonly column: number } {
  return { line: line + 1, column: character + 1 };
}

function plural(n: number, word: string): string {
  return n === 1 ? word : `${word}s`;
}
