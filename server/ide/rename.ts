/** Rename: refuses what is built in, would not be a name or is one already, and finds every use in every file, imports included. */
import { snapshotOf } from '../lang/analyze.ts';
import type { Analysis, NameInfo, Span, TextEdit } from '../lang/api.ts';
import type { Reference } from '../lang/check/records.ts';
import { locate, parts } from '../lang/snapshot/snapshot.ts';
import { mentions } from '../lang/text.ts';
import { references } from './navigation.ts';

export type RenameResult =
  | { readonly kind: 'edits'; readonly files: ReadonlyMap<string, readonly TextEdit[]> }
  | { readonly kind: 'refused'; readonly reason: string };

export type PrepareResult =
  | { readonly kind: 'name'; readonly span: Span; readonly name: string }
  | { readonly kind: 'refused'; readonly reason: string };

const fixedKinds = {
  library: 'built in',
  setting: 'a setting',
  field: 'named by the data file',
  import: 'nothing that is found',
} as const;

/** The name to rename at `offset`, or why there is none. */
export function prepareRename(analysis: Analysis, offset: number): PrepareResult {
  const symbol = analysis.symbol(offset);
  if (symbol === undefined) return { kind: 'refused', reason: 'nothing here has a name to change' };
  if (symbol.definition === undefined) {
    const fixed = symbol.kind in fixedKinds ? fixedKinds[symbol.kind as keyof typeof fixedKinds] : 'built in';
    return { kind: 'refused', reason: `${symbol.name} is ${fixed} and keeps its name` };
  }
  return { kind: 'name', span: symbol.span, name: symbol.name };
}

/** Edits that rename the symbol at `offset` in all `files`. */
export function rename(analysis: Analysis, offset: number, name: string, files: Iterable<Analysis>): RenameResult {
  const prepared = prepareRename(analysis, offset);
  if (prepared.kind === 'refused') return prepared;
  const symbol = analysis.symbol(offset)!;
  const reason = symbol.kind === 'dimension' ? dimensionProblem(name) : nameProblem(name);
  if (reason !== undefined) return { kind: 'refused', reason };
  const edits = new Map<string, TextEdit[]>();
  for (const file of files) {
    const places = references(analysis, offset, [file], true);
    if (places.length === 0) continue;
    if (name !== symbol.name && isTaken(file, symbol, name)) return { kind: 'refused', reason: taken(file, name) };
    edits.set(
      file.uri,
      places.map(({ start, end }) => ({ span: { start, end }, text: name })),
    );
  }
  return { kind: 'edits', files: edits };
}

/** Whether `name` already means something where the symbol is used: what is one declaration's own may be anything elsewhere. */
function isTaken(file: Analysis, { kind, name: before, definition }: NameInfo, name: string): boolean {
  const snapshot = snapshotOf(file);
  if (snapshot === undefined || !mentions(file.text, name)) return false;
  if (ofFile.has(kind) && snapshot.world.find(name) !== undefined) return true;
  return parts(snapshot).some(part => {
    if (!mentions(part.entry.placed.chunk.text, name)) return false;
    const said = part.checked.sheet.references.filter(r => !isLabel(r));
    const uses = said.some(r => {
      const place = r.name === before && r.target ? locate(snapshot, r.target, part) : undefined;
      return place?.uri === definition?.uri && place?.start === definition?.start;
    });
    return uses && said.some(r => r.name === name);
  });
}

/** Named by declarations, which a file knows by one name each. */
const ofFile = new Set<NameInfo['kind']>(['model', 'data', 'train', 'const', 'import']);

/** The words of settings and the names before colons are no names of values. */
function isLabel({ kind, target }: Reference): boolean {
  return kind === 'setting' || (kind === 'parameter' && target?.kind !== 'local');
}

function taken(file: Analysis, name: string): string {
  const where = decodeURIComponent(file.uri.slice(file.uri.lastIndexOf('/') + 1));
  return `expected a new name, found ${name}, which means something else in ${where} already`;
}

const reserved = new Set([
  'import',
  'const',
  'data',
  'model',
  'train',
  'repeat',
  'if',
  'else',
  'true',
  'false',
  'using',
  'over',
]);

function nameProblem(name: string): string | undefined {
  if (!/^[A-Za-z_]\w*$/.test(name)) return 'expected a name of letters, digits and _, not starting with a digit';
  return reserved.has(name) ? `${name} is a word of the language` : undefined;
}

function dimensionProblem(name: string): string | undefined {
  return /^[A-Z]\w*$/.test(name)
    ? undefined
    : 'expected a name that starts with an upper-case letter, as dimensions do';
}
