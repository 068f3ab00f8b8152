/** Rename: refuses what is built in, would not be a name or is one already, and finds every use in every file, imports included. */
import { snapshotOf } from '../lang/analyze.ts';
import type { Analysis, NameInfo, Span, TextEdit } from '../lang/api.ts';
import type { Reference } from '../lang/check/records.ts';
import { locate, parts } from '../lang/snapshot/snapshot.ts';
import { mentions } from '../lang/text.ts';
import { references } from './navigation.ts';
import { inEnglish, type Say, type TextKey } from './texts.ts';

export type RenameResult =
  | { readonly kind: 'edits'; readonly files: ReadonlyMap<string, readonly TextEdit[]> }
  | { readonly kind: 'refused'; readonly reason: string };

export type PrepareResult =
  | { readonly kind: 'name'; readonly span: Span; readonly name: string }
  | { readonly kind: 'refused'; readonly reason: string };

const fixed: Partial<Readonly<Record<NameInfo['kind'], TextKey>>> = {
  setting: 'isSetting',
  field: 'ofData',
  import: 'notFound',
};

/** The name to rename at `offset`, or why there is none. */
export function prepareRename(analysis: Analysis, offset: number, say: Say = inEnglish): PrepareResult {
  const symbol = analysis.symbol(offset);
  if (symbol === undefined) return { kind: 'refused', reason: say('unnamed') };
  if (symbol.definition === undefined)
    return { kind: 'refused', reason: say(fixed[symbol.kind] ?? 'builtIn', symbol.name) };
  return { kind: 'name', span: symbol.span, name: symbol.name };
}

/** Edits that rename the symbol at `offset` in all `files`. */
export function rename(
  analysis: Analysis,
  offset: number,
  name: string,
  files: Iterable<Analysis>,
  say: Say = inEnglish,
): RenameResult {
  const prepared = prepareRename(analysis, offset, say);
  if (prepared.kind === 'refused') return prepared;
  const symbol = analysis.symbol(offset)!;
  const reason = symbol.kind === 'dimension' ? dimensionProblem(name, say) : nameProblem(name, say);
  if (reason !== undefined) return { kind: 'refused', reason };
  const edits = new Map<string, TextEdit[]>();
  for (const file of files) {
    const places = references(analysis, offset, [file], true);
    if (places.length === 0) continue;
    if (name !== symbol.name && isTaken(file, symbol, name))
      return { kind: 'refused', reason: say('taken', name, fileName(file)) };
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

function fileName({ uri }: Analysis): string {
  return decodeURIComponent(uri.slice(uri.lastIndexOf('/') + 1));
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

function nameProblem(name: string, say: Say): string | undefined {
  if (!/^[A-Za-z_]\w*$/.test(name)) return say('noName');
  return reserved.has(name) ? say('reserved', name) : undefined;
}

function dimensionProblem(name: string, say: Say): string | undefined {
  return /^[A-Z]\w*$/.test(name) ? undefined : say('noDimension');
}
