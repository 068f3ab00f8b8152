/** Declarations as the editor lists them, the train and data blocks with their state, and what can be folded. */
import type { DataBlock, Declaration, DiagnosticFact, Fold, OutlineItem, TrainBlock } from '../api.ts';
import { showMeaning } from '../check/meaning.ts';
import { runsOf } from '../check/sweep.ts';
import { isError } from '../facts.ts';
import type { DeclarationNode, Statement } from '../syntax/ast.ts';
import { walk } from '../syntax/ast.ts';
import { absolute, type Part, partOf, parts, type Snapshot } from './snapshot.ts';

export function declarations(snapshot: Snapshot): readonly Declaration[] {
  return parts(snapshot).map(part => {
    const { node } = part.entry;
    let children: readonly OutlineItem[] | undefined;
    return {
      kind: node.kind,
      name: node.name.name,
      detail: detailOf(part),
      doc: node.doc,
      span: absolute(node, part),
      nameSpan: absolute(node.name, part),
      // Their types need the declaration checked, which whoever asks for names alone can do without.
      get children() {
        children ??= childrenOf(part);
        return children;
      },
    };
  });
}

/** The first line of the declaration, without its body. */
function detailOf({ entry: { node, placed } }: Part): string {
  const { text } = placed.chunk;
  const from = node.kind === 'model' ? node.header : node;
  const end =
    node.kind === 'model'
      ? node.header.end
      : node.kind === 'train'
        ? node.on.end
        : node.kind === 'data'
          ? node.source.end
          : node.end;
  return text.slice(from.start, end).replace(/\s+/g, ' ').trim();
}

function childrenOf(part: Part): readonly OutlineItem[] {
  const { node } = part.entry;
  const parameters = node.kind === 'model' ? node.header.parameters : [];
  const items = parameters.map((p): OutlineItem => {
    const detail = part.entry.placed.chunk.text.slice(p.type?.start ?? p.end, p.type?.end ?? p.end);
    return { name: p.name.name, detail, kind: 'parameter', span: absolute(p, part), nameSpan: absolute(p.name, part) };
  });
  return [...items, ...bodyOf(node).flatMap(s => statementItems(part, s))].filter(i => i.name !== '');
}

function bodyOf(node: DeclarationNode): readonly Statement[] {
  return node.kind === 'import' || node.kind === 'const' ? [] : (node.body?.statements ?? []);
}

function statementItems(part: Part, s: Statement): readonly OutlineItem[] {
  const span = absolute(s, part);
  if (s.kind === 'bind') {
    return s.targets.map(t => {
      const meaning = part.checked.sheet.types.get(t);
      const kind = meaning?.kind === 'layer' ? 'layer' : part.entry.node.kind === 'data' ? 'field' : 'value';
      return { name: t.name, detail: meaning ? showMeaning(meaning) : '', kind, span, nameSpan: absolute(t, part) };
    });
  }
  if (s.kind !== 'setting') return [];
  const kind = s.keyword.name === 'minimize' ? 'objective' : 'setting';
  const detail = part.entry.placed.chunk.text.slice(s.keyword.end, s.end).replace(/\s+/g, ' ').trim();
  return [{ name: s.keyword.name, detail, kind, span, nameSpan: absolute(s.keyword, part) }];
}

export function trainBlocks(snapshot: Snapshot, facts: readonly DiagnosticFact[]): readonly TrainBlock[] {
  return parts(snapshot).flatMap(part => {
    const { node } = part.entry;
    if (node.kind !== 'train') return [];
    // What it does not use can't hinder it: only errors within the declarations it depends on count.
    const uses = dependencies(snapshot, part);
    const errors = facts.filter(f => isError(f) && uses.some(p => within(f, p)));
    const own = errors.find(f => within(f, part));
    const first = own ?? errors[0];
    const sweep = part.checked.train?.sweep;
    return [
      {
        name: node.name.name,
        span: absolute(node, part),
        nameSpan: absolute(node.name, part),
        data: node.on.name,
        errors: errors.length,
        ...(first && { firstError: first }),
        runs: sweep ? runsOf(sweep) : 1,
      },
    ];
  });
}

function within(f: DiagnosticFact, part: Part): boolean {
  const { start, end } = absolute(part.entry.node, part);
  return f.span.start >= start && f.span.end <= end;
}

/** The part and all it refers to in this file, directly or not. */
export function dependencies(snapshot: Snapshot, part: Part): readonly Part[] {
  const found = new Set<Part>([part]);
  for (const p of found) {
    for (const name of p.checked.seen.keys()) {
      const entry = snapshot.world.find(name.replace(/^data:/, ''));
      const used = entry && partOf(snapshot, entry);
      if (used) found.add(used);
    }
  }
  return [...found];
}

export function dataBlocks(snapshot: Snapshot): readonly DataBlock[] {
  return parts(snapshot).flatMap(part => {
    const data = part.entry.node.kind === 'data' ? part.checked.data : undefined;
    if (data === undefined) return [];
    const fields = [...(data.fields ?? [])].map(([name, m]) => ({ name, type: showMeaning(m) }));
    const nameSpan = absolute(part.entry.node.name, part);
    return [
      {
        name: data.name,
        nameSpan,
        columns: data.columns,
        fields,
        ...(data.source && { source: data.source }),
        ...(data.samples !== undefined && { samples: data.samples }),
      },
    ];
  });
}

export function folds(snapshot: Snapshot): readonly Fold[] {
  const found: Fold[] = [];
  const lineOf = (offset: number) => snapshot.lines.position(offset).line;
  for (const part of parts(snapshot)) {
    walk(part.entry.node, n => {
      if (n.kind !== 'block') return;
      const { start, end } = absolute(n, part);
      const [first, last] = [lineOf(start), lineOf(end)];
      // The line of `}` stays visible.
      if (last - 1 > first) found.push({ startLine: first, endLine: last - 1, kind: 'block' });
    });
  }
  return [...found, ...commentFolds(snapshot)].sort((a, b) => a.startLine - b.startLine);
}

function commentFolds({ text }: Snapshot): readonly Fold[] {
  const found: Fold[] = [];
  let first = -1;
  const rows = text.split(/\r\n|\n|\r/);
  for (const [i, row] of [...rows, ''].entries()) {
    const comment = row.trimStart().startsWith('//');
    if (comment && first < 0) first = i;
    if (!comment && first >= 0) {
      if (i - 1 > first) found.push({ startLine: first, endLine: i - 1, kind: 'comment' });
      first = -1;
    }
  }
  return found;
}
