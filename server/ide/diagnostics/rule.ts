/** What a diagnostic code declares: the words, the fixes and the page of documentation, all in one file a code. */
import type { DiagnosticFact, FactCode, FactData, Span, TextEdit } from '../../lang/api.ts';

export interface Fix {
  /** What happens, lower case, as the light bulb shows it. */
  readonly title: string;
  readonly edits: readonly TextEdit[];
  /** True where nothing else could have been meant: such fixes take part in "fix all". */
  readonly certain: boolean;
  /** What mends it instead of edits: the download of what the file's data is missing. */
  readonly command?: 'fetch';
}

export interface Page {
  /** A noun phrase: the heading. */
  readonly title: string;
  /** Markdown: why it is a mistake and how to think about it. */
  readonly about: string;
  /** A whole program with this mistake alone, and the same without it; a test checks both. */
  readonly example?: { readonly wrong: string; readonly right: string };
}

export interface Rule<C extends FactCode> {
  /** What is wrong: lower case, one sentence, expected before found, not repeating what is underlined. */
  readonly message: (data: FactData[C]) => string;
  /** How to mend it, in the same style. */
  readonly help?: (data: FactData[C]) => string | undefined;
  /** Title of the fact's own, certain fix. */
  readonly fixTitle?: (data: FactData[C]) => string;
  /** Further fixes, to choose from. */
  readonly fixes?: (data: FactData[C], span: Span) => readonly Fix[];
  /** Greyed out by the editor. */
  readonly unnecessary?: boolean;
  readonly page: Page;
}

/** One rule a code, or it doesn't compile. */
export type Rules = { readonly [C in FactCode]: Rule<C> };

/** "did you mean" and the fixes of a misspelt name. */
export function renames(candidates: readonly string[], span: Span): readonly Fix[] {
  return candidates.slice(0, 3).map(name => ({
    title: `change to ${name}`,
    edits: [{ span, text: name }],
    certain: false,
  }));
}

export function didYouMean(candidates: readonly string[]): string | undefined {
  return candidates[0] === undefined ? undefined : `did you mean ${candidates.slice(0, 3).join(' or ')}?`;
}

export type { DiagnosticFact, FactCode, FactData };
