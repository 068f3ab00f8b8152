/** Each diagnostic's page shows a program with that mistake alone, and the same program mended. */
import { describe, expect, it } from 'vitest';
import { rules } from '../../../server/ide/diagnostics/registry.ts';
import type { FactCode } from '../../../server/lang/api.ts';
import { fixture } from './fixture.ts';

const codes = Object.keys(rules) as FactCode[];

describe.each(codes.filter(code => rules[code].page.example !== undefined))('%s', code => {
  const { wrong, right } = rules[code].page.example!;

  it('is the one diagnostic of its example', () => {
    expect(fixture(wrong).analysis.facts.map(f => f.code)).toEqual([code]);
  });

  it('is gone in the mended one, with nothing new', () => {
    expect(fixture(right).analysis.facts.map(f => f.code)).toEqual([]);
  });
});
