/** The names that a file declares, read off its text without parsing: what an index of a whole workspace is made of. */
import type { DeclarationKind, Span } from '../lang/api.ts';
import { stringValue } from '../lang/syntax/lexer.ts';
import { resolveUri } from '../lang/uri.ts';

export interface Declared {
  readonly kind: Exclude<DeclarationKind, 'import'>;
  readonly name: string;
  readonly nameSpan: Span;
  /** `Block(x: [B, D], heads: int) -> [B, D]`, on one line; for models alone. */
  readonly header: string;
  /** Lines of the doc comment, without `///`. */
  readonly doc: string;
}

export interface DeclaredFile {
  readonly uri: string;
  readonly declared: readonly Declared[];
  /** Uris. */
  readonly imports: readonly string[];
}

/** The file and those of `files` that import it, directly or not: nothing else can use what it declares. */
export function importersOf(uri: string, files: Iterable<DeclaredFile>): ReadonlySet<string> {
  const importers = new Map<string, string[]>();
  for (const file of files)
    for (const target of file.imports) importers.set(target, [...(importers.get(target) ?? []), file.uri]);
  const found = new Set([uri]);
  for (const file of found) for (const importer of importers.get(file) ?? []) found.add(importer);
  return found;
}

/** As the parser has it: a declaration begins with its keyword in the first column. */
const declaration = /^(const|data|model|train)[^\S\r\n]+([A-Za-z_]\w*)/gm;

const longestHeader = 400;

export function declaredFile(uri: string, text: string): DeclaredFile {
  const paths = [...text.matchAll(/^import\b[^"\r\n]*("(?:[^"\\\r\n]|\\[^\r\n])*"?)/gm)];
  return { uri, declared: declaredNames(text), imports: paths.map(m => resolveUri(uri, stringValue(m[1]!))) };
}

export function declaredNames(text: string): readonly Declared[] {
  return [...text.matchAll(declaration)].map(({ index, 0: head, 1: kind, 2: name }) => {
    const start = index + head.length - name!.length;
    return {
      kind: kind as Declared['kind'],
      name: name!,
      nameSpan: { start, end: index + head.length },
      header: kind === 'model' ? headerAt(text, start) : '',
      doc: docAbove(text, index),
    };
  });
}

function headerAt(text: string, start: number): string {
  const part = text.slice(start, start + longestHeader);
  const end = part.indexOf('{');
  return (end < 0 ? part.split('\n', 1)[0]! : part.slice(0, end)).replace(/\s+/g, ' ').trim();
}

function docAbove(text: string, lineStart: number): string {
  const lines: string[] = [];
  for (let at = lineStart; at > 0; ) {
    const start = text.lastIndexOf('\n', at - 2) + 1;
    const doc = /^\/\/\/ ?(.*?)\r?\n$/.exec(text.slice(start, at));
    if (doc === null) break;
    lines.unshift(doc[1]!);
    at = start;
  }
  return lines.join('\n');
}
