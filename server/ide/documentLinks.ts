/** Links from the paths in a file: data files and imports. */
import type { Analysis, Span } from '../lang/api.ts';

export interface PathLink {
  /** Without the quotes. */
  readonly span: Span;
  /** As written, relative to the file. */
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
      const inside = { start: span.start + 1, end: analysis.text[span.end - 1] === '"' ? span.end - 1 : span.end };
      return { span: inside, path: analysis.text.slice(inside.start, inside.end) };
    })
    .filter(({ path }) => /[./\\]/.test(path) && !/^[a-z][a-z0-9+.-]+:/i.test(path));
}
