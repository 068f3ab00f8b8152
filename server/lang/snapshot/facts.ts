/** All facts of a file in order of position: syntax, limits and what the checks found, with absolute spans. */
import type { FactRecord } from '../check/records.ts';
import type { DiagnosticFact } from '../facts.ts';
import { drawingFacts } from '../lower/drawn.ts';
import { weightFacts } from '../lower/weights.ts';
import type { PlacedChunk } from '../syntax/parse.ts';
import { type Span, shiftSpan } from '../text.ts';
import { withoutEchoes } from './echoes.ts';
import { absolute, locate, type Part, parts, type Snapshot } from './snapshot.ts';

export function allFacts(snapshot: Snapshot): readonly DiagnosticFact[] {
  const { tree } = snapshot.world;
  const whole: Span = { start: 0, end: Math.min(snapshot.text.length, 1) };
  const facts: DiagnosticFact[] = tree.limit
    ? [{ code: 'limit-exceeded', span: whole, data: tree.limit, related: [] }]
    : [];
  for (const placed of tree.chunks) facts.push(...chunkFacts(placed));
  for (const part of parts(snapshot)) facts.push(...partFacts(snapshot, part));
  facts.sort((a, b) => a.span.start - b.span.start || a.span.end - b.span.end);
  return withoutEchoes(snapshot, facts);
}

function chunkFacts({ chunk, offset }: PlacedChunk): readonly DiagnosticFact[] {
  const problems = chunk.problems.map(
    ({ start, end, expected, found }): DiagnosticFact => ({
      code: 'syntax-error',
      span: shiftSpan({ start, end }, offset),
      data: { expected, found },
      related: [],
    }),
  );
  if (!chunk.limit) return problems;
  return [
    ...problems,
    { code: 'limit-exceeded', span: { start: offset, end: offset + 1 }, data: chunk.limit, related: [] },
  ];
}

export function partFacts(snapshot: Snapshot, part: Part): readonly DiagnosticFact[] {
  const facts = [
    ...part.checked.sheet.facts,
    ...weightFacts(snapshot.world, part.entry),
    ...drawingFacts(snapshot.world, part.entry),
  ];
  return facts.map(f => placed(snapshot, part, f));
}

function placed(snapshot: Snapshot, part: Part, f: FactRecord): DiagnosticFact {
  const related = f.related.flatMap(({ target, role, text }) => {
    const location = locate(snapshot, target, part);
    return location ? [{ location, role, text }] : [];
  });
  const fix = f.fix?.map(({ span, text }) => ({ span: absolute(span, part), text }));
  // The record pairs code and data; the union only restates that.
  return { code: f.code, span: absolute(f.span, part), data: f.data, related, ...(fix && { fix }) } as DiagnosticFact;
}
