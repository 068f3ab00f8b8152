/** Completion: what fits comes first, names carry their documentation, and paths come from the workspace. */
import type { Analysis, CompletionInfo, CompletionItem, Span, TextEdit } from '../lang/api.ts';
import { type Importable, importables } from './autoImport.ts';
import type { DeclaredFile } from './declared.ts';

export interface Suggestion {
  readonly label: string;
  readonly kind: CompletionItem['kind'] | 'file' | 'folder';
  readonly detail: string;
  readonly doc: string;
  /** What to insert; with `$0`, `$1` if `isSnippet`. */
  readonly insert: string;
  readonly isSnippet: boolean;
  /** Sorts the list: what type-checks here before what is merely in scope. */
  readonly sort: string;
  /** The first of a list whose items fit: selected before anything is typed. */
  readonly preselect: boolean;
  /** What else the text needs: the import of a model of another file. */
  readonly also?: TextEdit;
}

export interface Completion {
  readonly replace: Span;
  readonly items: readonly Suggestion[];
  /** There is more once more is typed. */
  readonly isIncomplete: boolean;
}

/** What lies in a folder of the workspace; the host answers from the disk, or with nothing outside of the workspace. */
export type ListFolder = (path: string) => readonly { readonly name: string; readonly folder: boolean }[];

const none: ListFolder = () => [];

/** Suggestions at `offset`; inside the path of a source or import, the files of the workspace. `others`: what other files declare. */
export function completion(
  analysis: Analysis,
  offset: number,
  list: ListFolder = none,
  others: Iterable<DeclaredFile> = [],
): Completion {
  const path = pathAt(analysis, offset);
  if (path !== undefined) return paths(analysis.text, path, offset, list);
  // Comments, numbers and texts are written, not chosen.
  if (surroundings(analysis.text, offset).kind !== 'code')
    return { replace: { start: offset, end: offset }, items: [], isIncomplete: false };
  const models = importablesAt(analysis, offset, others);
  const info = analysis.completion(
    offset,
    models.map(m => m.declared),
  );
  const items = info.items.map((item, i) => suggestion(item, i));
  const first = items.findIndex((_, i) => info.items[i]?.rank === 0);
  const own = items.map((item, i) => (i === first && info.flowing !== undefined ? { ...item, preselect: true } : item));
  const typed = analysis.text.slice(info.replace.start, offset);
  return {
    replace: info.replace,
    items: [...own, ...imported(info, models)],
    isIncomplete: info.foreign !== undefined && typed === '',
  };
}

/** Models of other files, once their first letter is typed. */
function importablesAt(analysis: Analysis, offset: number, others: Iterable<DeclaredFile>): readonly Importable[] {
  const typed = /[A-Za-z_]\w*$/.exec(analysis.text.slice(Math.max(0, offset - 200), offset))?.[0];
  const first = typed?.[0]?.toLowerCase();
  return first === undefined ? [] : importables(analysis, others, name => name[0]!.toLowerCase() === first);
}

function imported({ foreign = [] }: CompletionInfo, models: readonly Importable[]): readonly Suggestion[] {
  return foreign.flatMap((item, i) => {
    if (item === undefined) return [];
    const { path, edit } = models[i]!;
    const sort = `${item.rank}9${String(i).padStart(4, '0')}`;
    return [{ ...suggestion(item, i), sort, detail: `${item.detail}  from ${JSON.stringify(path)}`, also: edit }];
  });
}

/** True where a space just typed asks for a list: behind `|>`, `using`, `on` and the like, never in running text. */
export function spaceAsks(text: string, offset: number): boolean {
  const line = text.slice(text.lastIndexOf('\n', offset - 1) + 1, offset);
  if (line.includes('//')) return false;
  return /(?:\|>|\b(?:using|on|over|minimize|report|freeze|show|generate|from)|\w:|=) $/.test(line);
}

function suggestion(item: CompletionItem, index: number): Suggestion {
  return {
    label: item.name,
    kind: item.kind,
    detail: item.detail,
    doc: item.doc,
    insert: item.snippet ?? item.name,
    isSnippet: item.snippet !== undefined,
    sort: `${item.rank}${String(index).padStart(4, '0')}`,
    preselect: false,
  };
}

/** The inside of the string at `offset`, if it is the path of a source, an import or of weights. */
function pathAt(analysis: Analysis, offset: number): Span | undefined {
  const around = surroundings(analysis.text, offset);
  if (around.kind !== 'string') return undefined;
  const home = analysis.declarations.find(d => d.span.start <= offset && offset <= d.span.end);
  if (home?.kind !== 'data' && home?.kind !== 'import' && home?.kind !== 'train') return undefined;
  const rest = /^[^"\r\n]*/.exec(analysis.text.slice(offset, offset + 1000))?.[0] ?? '';
  return { start: around.start, end: offset + rest.length };
}

type Surroundings =
  | { readonly kind: 'code' | 'comment' | 'number' }
  | { readonly kind: 'string'; readonly start: number };

/** What the cursor is in, told from its line alone: strings and comments end with theirs. Tokens of a whole file would take too long here. */
function surroundings(text: string, offset: number): Surroundings {
  const lineStart = Math.max(text.lastIndexOf('\n', offset - 1), text.lastIndexOf('\r', offset - 1)) + 1;
  let string: number | undefined;
  for (let at = lineStart; at < offset; at++) {
    if (string !== undefined && text[at] === '\\') at++;
    else if (text[at] === '"') string = string === undefined ? at + 1 : undefined;
    else if (string === undefined && text.startsWith('//', at)) return { kind: 'comment' };
  }
  if (string !== undefined) return { kind: 'string', start: string };
  return { kind: /(?<!\w)\d[\w.]*$/.test(text.slice(lineStart, offset)) ? 'number' : 'code' };
}

function paths(text: string, inside: Span, offset: number, list: ListFolder): Completion {
  const typed = text.slice(inside.start, offset);
  const slash = typed.lastIndexOf('/') + 1;
  const items = list(typed.slice(0, slash)).map(({ name, folder }) => ({
    label: folder ? `${name}/` : name,
    kind: folder ? ('folder' as const) : ('file' as const),
    detail: '',
    doc: '',
    insert: folder ? `${name}/` : name,
    isSnippet: false,
    sort: `${folder ? 0 : 1}${name}`,
    preselect: false,
  }));
  return { replace: { start: inside.start + slash, end: inside.end }, items, isIncomplete: false };
}
