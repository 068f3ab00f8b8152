/** Inlay hints: the shape after every binding and pipeline stage, and the number of weights of a layer. */
import type { Inlay } from '../api.ts';
import { type Meaning, showTensor } from '../check/meaning.ts';
import type { Span } from '../text.ts';
import { type Part, parts, type Snapshot } from './snapshot.ts';

export function allInlays(snapshot: Snapshot, within?: Span): readonly Inlay[] {
  const found = parts(snapshot).flatMap(part => (overlaps(part, within) ? partInlays(part) : []));
  const inside = within ? found.filter(i => within.start <= i.offset && i.offset <= within.end) : found;
  return [...inside].sort((a, b) => a.offset - b.offset);
}

function overlaps({ entry, offset }: Part, within: Span | undefined): boolean {
  return !within || (entry.node.start + offset <= within.end && within.start <= entry.node.end + offset);
}

function partInlays({ checked, offset }: Part): readonly Inlay[] {
  const names = checked.sheet.hints.map(
    (h): Inlay => ({ offset: h.at + offset, kind: 'parameter', text: `${h.name}:` }),
  );
  const shapes = checked.sheet.shapes.flatMap(({ at, meaning }) =>
    hints(meaning).map(h => ({ offset: at + offset, ...h })),
  );
  return [...names, ...shapes];
}

function hints(m: Meaning): readonly Omit<Inlay, 'offset'>[] {
  if (m.kind === 'tensor') return [{ kind: 'shape', text: showTensor(m) }];
  if (m.kind === 'tuple')
    return m.items.every(i => i.kind === 'tensor')
      ? [{ kind: 'shape', text: `(${m.items.map(i => (i.kind === 'tensor' ? showTensor(i) : '')).join(', ')})` }]
      : [];
  if (m.kind !== 'layer') return [];
  const { input, output, count } = m.state;
  const found: Omit<Inlay, 'offset'>[] = [];
  if (output !== undefined) found.push({ kind: 'shape', text: `${input} -> ${output}` });
  if (count !== undefined && count > 0) found.push({ kind: 'count', text: count.toLocaleString('en-US') });
  return found;
}
