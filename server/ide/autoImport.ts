/** Models of other files that could be imported here: for completion, and for the fix of an unknown name. */
import { snapshotOf } from '../lang/analyze.ts';
import type { Analysis, TextEdit } from '../lang/api.ts';
import { parts } from '../lang/snapshot/snapshot.ts';
import { relativePath } from '../lang/uri.ts';
import type { Declared, DeclaredFile } from './declared.ts';

export interface Importable {
  readonly declared: Declared;
  /** From this file to the other one. */
  readonly path: string;
  readonly edit: TextEdit;
}

/** More than anyone reads through. */
const most = 100;

/** Models whose names are `wanted`, in none of this file's declarations, in files that don't import this one. */
export function importables(
  analysis: Analysis,
  files: Iterable<DeclaredFile>,
  wanted: (name: string) => boolean,
): readonly Importable[] {
  const taken = new Set(snapshotOf(analysis)?.world.names());
  const all = [...files];
  const found: Importable[] = [];
  for (const file of all) {
    const models = file.declared.filter(d => d.kind === 'model' && wanted(d.name) && !taken.has(d.name));
    const path = file.uri === analysis.uri || models.length === 0 ? undefined : relativePath(analysis.uri, file.uri);
    if (path === undefined || reaches(file, analysis.uri, all)) continue;
    for (const declared of models) {
      found.push({ declared, path, edit: importEdit(analysis, declared.name, path) });
      if (found.length === most) return found;
    }
  }
  return found;
}

/** An import of it would close a circle. */
function reaches(from: DeclaredFile, uri: string, files: readonly DeclaredFile[]): boolean {
  const seen = new Set<string>([from.uri]);
  const open = [from];
  for (let file = open.pop(); file !== undefined; file = open.pop()) {
    for (const target of file.imports) {
      if (target === uri) return true;
      const next = seen.has(target) ? undefined : files.find(f => f.uri === target);
      if (next) open.push(next);
      seen.add(target);
    }
  }
  return false;
}

/** Beside the names already taken from that file, below the other imports, or above everything. */
function importEdit(analysis: Analysis, name: string, path: string): TextEdit {
  const snapshot = snapshotOf(analysis);
  const newline = /\r\n|\n|\r/.exec(analysis.text)?.[0] ?? '\n';
  let below: number | undefined;
  for (const { entry, offset } of snapshot ? parts(snapshot) : []) {
    if (entry.node.kind !== 'import') continue;
    const last = entry.node.names.at(-1);
    if (entry.node.path?.value === path && last) {
      const end = last.end + offset;
      return { span: { start: end, end }, text: `, ${name}` };
    }
    below = entry.node.end + offset;
  }
  const line = `import ${name} from ${JSON.stringify(path)}`;
  if (below !== undefined) return { span: { start: below, end: below }, text: newline + line };
  const top = topOf(analysis.text);
  return { span: { start: top, end: top }, text: line + newline + newline };
}

/** Behind the comment that a file begins with, if a blank line ends it. */
function topOf(text: string): number {
  return /^(?:\/\/(?!\/)[^\r\n]*(?:\r\n|\n|\r))+(?:\r\n|\n|\r)+/.exec(text)?.[0].length ?? 0;
}
