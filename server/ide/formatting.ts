/** Formatting: the whole document, a range, or the lines just finished while typing. */
import type { Analysis, Span, TextEdit } from '../lang/api.ts';
import { formatEdits } from '../lang/format/format.ts';

export function formatting(analysis: Analysis, within?: Span): readonly TextEdit[] {
  return formatEdits(analysis.text, within);
}

/** Characters after which the statement just finished is formatted. */
export const formatTriggers = ['}', '\n'] as const;

/**
 * Behind a newline the line above is formatted, behind `}` its whole block. The line of the cursor stays as it is, for
 * its indentation is the editor's and its text is not there yet.
 */
export function onTypeFormatting(analysis: Analysis, offset: number, typed: string): readonly TextEdit[] {
  if (typed === '\n') {
    const line = analysis.lines.position(offset).line;
    if (line === 0) return [];
    const above = { start: analysis.lines.lineStart(line - 1), end: analysis.lines.lineStart(line) - 1 };
    return formatEdits(analysis.text, above).filter(edit => edit.span.end <= above.end);
  }
  const block = analysis.selection(offset - 1).find(span => span.start < offset - 1 && span.end >= offset);
  return block === undefined ? [] : formatEdits(analysis.text, block);
}
