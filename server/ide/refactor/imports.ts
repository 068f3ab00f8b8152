/** Imports in order: one line a file, files and names sorted, names that nothing reads left out. */
import { snapshotOf } from '../../lang/analyze.ts';
import type { Analysis, TextEdit } from '../../lang/api.ts';
import { parts } from '../../lang/snapshot/snapshot.ts';
import type { ImportDeclaration } from '../../lang/syntax/ast.ts';

/** No edits where the imports are in order already, don't stand together, or can't be understood. */
export function organizeImports(analysis: Analysis): readonly TextEdit[] {
  const snapshot = snapshotOf(analysis);
  const all = snapshot ? parts(snapshot) : [];
  const imports = all.filter(p => p.entry.node.kind === 'import');
  const [first, last] = [imports[0], imports.at(-1)];
  if (first === undefined || last === undefined) return [];
  if (imports.some(p => p.checked.sheet.facts.length > 0 || p.entry.placed.chunk.problems.length > 0)) return [];
  const span = { start: first.offset + first.entry.node.start, end: last.offset + last.entry.node.end };
  const before = analysis.text.slice(span.start, span.end);
  // A comment or another declaration in between has a place that sorting would take from it.
  if (!/^(?:import\b[^\r\n/]*(?:\r\n|\n|\r|$)|\s)*$/.test(before)) return [];
  const used = new Set(
    all.filter(p => p.entry.node.kind !== 'import').flatMap(p => p.checked.sheet.references.map(r => r.name)),
  );
  const byPath = new Map<string, Set<string>>();
  for (const { entry } of imports) {
    const { names, path } = entry.node as ImportDeclaration;
    if (path === undefined) return [];
    const known = byPath.get(path.value) ?? new Set();
    byPath.set(path.value, known);
    for (const { name } of names) if (used.has(name)) known.add(name);
  }
  const newline = /\r\n|\n|\r/.exec(analysis.text)?.[0] ?? '\n';
  const lines = [...byPath]
    .filter(([, names]) => names.size > 0)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([path, names]) => `import ${[...names].sort().join(', ')} from ${JSON.stringify(path)}`);
  const text = lines.join(newline);
  return text === before ? [] : [{ span, text }];
}
