/** Mutation recall: one mistake at a time in sound programs must be found, at its place, and told once. */
import { describe, expect, it } from 'vitest';
import { type Diagnostic, diagnostics } from '../../../server/ide/diagnostics/registry.ts';
import { analyzeSettled } from '../../../server/runs/langHost.ts';
import { seed } from '../../support/fuzz.ts';
import { basePrograms, type Mutant, mutants, mutantUri, mutationHost } from './mutants.ts';

const diagnose = async (text: string) => diagnostics(await analyzeSettled(mutantUri, text, mutationHost));

interface Verdict {
  readonly mutant: Mutant;
  readonly list: readonly Diagnostic[];
  /**
   * The diagnostic, a place it names as related, or a fix of its, touches what was changed (and the white space around it), or stands on its line;
   * what is missing from a block may be said at the block's header.
   */
  readonly covers: boolean;
}

async function judge(mutant: Mutant): Promise<Verdict> {
  const { text, place } = mutant;
  const list = await diagnose(text);
  const from = text.lastIndexOf('\n', place.start - 1) + 1;
  const to = text.indexOf('\n', place.end);
  const line = { start: from, end: to < 0 ? text.length : to };
  const around = {
    start: text.slice(0, place.start).trimEnd().length,
    end: text.length - text.slice(place.end).trimStart().length,
  };
  const header = text.slice(0, place.start).lastIndexOf('\ntrain ');
  const near = (d: Diagnostic) =>
    [d.span, ...d.related.map(r => r.location), ...d.fixes.flatMap(f => f.edits.map(e => e.span))].some(
      s =>
        (s.start <= around.end && around.start <= s.end) ||
        (s.start >= line.start && s.end <= line.end) ||
        (d.code === 'missing-statement' && s.start === header + '\ntrain '.length),
    );
  return { mutant, list, covers: list.some(near) };
}

const verdicts = await Promise.all(mutants(seed).map(judge));
const kinds = [...new Set(verdicts.map(v => v.mutant.kind))].sort();
const percent = (part: number, all: number) => `${((100 * part) / Math.max(1, all)).toFixed(1)}%`.padStart(7);

function row(name: string, of: readonly Verdict[]): string {
  const found = of.filter(v => v.list.length > 0);
  const figures = [found.length, found.filter(v => v.covers).length, of.filter(v => v.list.length === 1).length];
  return `${name.padEnd(32)}${String(of.length).padStart(6)}${figures.map((n, i) => percent(n, i === 1 ? found.length : of.length)).join('  ')}`;
}

function show({ mutant: { kind, program, text, place }, list }: Verdict): string {
  const from = text.lastIndexOf('\n', place.start - 1) + 1;
  const line = text.slice(from, text.indexOf('\n', place.end)).trim().replaceAll('\n', '⏎');
  return `${kind} in ${program}: ${line} → ${list.map(d => `${d.code} at ${text.slice(d.span.start, d.span.end)}: ${d.message}`).join(' | ')}`;
}

describe(`mutants of seed ${seed}`, () => {
  it('come from sound programs, many and of many kinds', async () => {
    for (const [name, text] of basePrograms()) expect(await diagnose(text), name).toEqual([]);
    expect(verdicts.length).toBeGreaterThanOrEqual(300);
    expect(kinds.length).toBeGreaterThanOrEqual(15);
    const table = kinds.map(kind =>
      row(
        kind,
        verdicts.filter(v => v.mutant.kind === kind),
      ),
    );
    console.log(
      ['kind                           mutants  found   covers     once', ...table, row('all', verdicts)].join('\n'),
    );
  });

  it('are found in at least 95 of 100', () => {
    const missed = verdicts.filter(v => v.list.length === 0);
    expect(missed.length, missed.map(show).join('\n')).toBeLessThanOrEqual(0.05 * verdicts.length);
  });

  it('are pointed at in at least 95 of 100 that are found', () => {
    const found = verdicts.filter(v => v.list.length > 0);
    const astray = found.filter(v => !v.covers);
    expect(astray.length, astray.map(show).join('\n')).toBeLessThanOrEqual(0.05 * found.length);
  });

  it('are told once in at least 90 of 100', () => {
    const doubled = verdicts.filter(v => v.list.length !== 1);
    expect(doubled.length, doubled.map(show).join('\n')).toBeLessThanOrEqual(0.1 * verdicts.length);
  });
});
