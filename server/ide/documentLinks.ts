/** Links from the paths in a file: data files and imports. */
import type { Analysis, Span } from '../lang/api.ts';
import { isUnclosed, stringValue } from '../lang/syntax/lexer.ts';

export interface PathLink {
  /** Without the quotes. */
  readonly span: Span;
  /** Relative to the file. */
  readonly path: string;
}

/** Strings of data blocks and imports that look like paths; whether a file is there is the host's to know. */
export function documentLinks(analysis: Analysis): readonly PathLink[] {
  const homes = analysis.declarations.filter(d => d.kind === 'data' || d.kind === 'import');
  return analysis.tokens
    .filter(
      ({ type, span }) => type === 'string' && homes.some(h => h.span.start <= span.start && span.end <= h.span.end),
    )
    .map(({ span }) => {
      const token = analysis.text.slice(span.start, span.end);
      const end = isUnclosed(token) ? span.end : span.end - 1;
      return { span: { start: span.start + 1, end }, path: stringValue(token) };
    })
    .filter(({ path }) => /[./\\]/.test(path) && !/^[a-z][a-z0-9+.-]+:/i.test(path));
}
