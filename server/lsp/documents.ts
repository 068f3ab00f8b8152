/** The texts an editor has open, kept up to date from incremental changes in whichever encoding was agreed. */
import type { Encoding, LineIndex, Position } from '../lang/api.ts';
import { lineIndex } from '../lang/text.ts';

export interface OpenDocument {
  readonly uri: string;
  readonly languageId: string;
  readonly version: number;
  readonly text: string;
}

/** `TextDocumentContentChangeEvent`: without a range the whole text is new. */
export interface Change {
  readonly range?: { readonly start: Position; readonly end: Position };
  readonly text: string;
}

/** Applies changes one after the other, each to the result of the last. `lines` saves indexing `text` if the caller has done it. */
export function applyChanges(text: string, changes: readonly Change[], encoding: Encoding, lines?: LineIndex): string {
  let current = text;
  let index = lines;
  for (const { range, text: replacement } of changes) {
    if (range === undefined) current = replacement;
    else {
      index ??= lineIndex(current);
      const start = index.offset(range.start, encoding);
      const end = Math.max(start, index.offset(range.end, encoding));
      current = current.slice(0, start) + replacement + current.slice(end);
    }
    index = undefined;
  }
  return current;
}
