/** Each diagnostic's page shows a program with that mistake alone, and the same program mended. */
import { describe, expect, it } from 'vitest';
import { diagnostics, rules } from '../../../server/ide/diagnostics/registry.ts';
import type { FactCode } from '../../../server/lang/api.ts';
import { applyEdits } from '../../../server/lang/text.ts';
import { fixture } from './fixture.ts';

const codes = Object.keys(rules) as FactCode[];

describe.each(codes.filter(code => rules[code].page.example !== undefined))('%s', code => {
  const { wrong, right } = rules[code].page.example!;

  it('is the one diagnostic of its example', () => {
    expect(fixture(wrong).analysis.facts.map(f => f.code)).toEqual([code]);
  });

  it('has fixes that mend it, if certain, and never add a mistake', () => {
    const before = diagnostics(fixture(wrong).analysis);
    for (const fix of before.flatMap(d => d.fixes)) {
      const after = fixture(applyEdits(wrong, fix.edits)).analysis.facts.map(f => f.code);
      expect(after.length).toBeLessThanOrEqual(before.length);
      if (fix.certain) expect(after).not.toContain(code);
    }
  });

  it('is gone in the mended one, with nothing new', () => {
    expect(fixture(right).analysis.facts.map(f => f.code)).toEqual([]);
  });
});
