/** Damaged programs: the language never throws or hangs, an incremental analysis equals a full one, and damage stays where it is. */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { analyze } from '../../../server/lang/analyze.ts';
import type { Analysis } from '../../../server/lang/api.ts';
import { format } from '../../../server/lang/format/format.ts';
import { lower } from '../../../server/lang/lower/lower.ts';
import { lex, type Token } from '../../../server/lang/syntax/lexer.ts';
import { parse } from '../../../server/lang/syntax/parse.ts';
import { testHost, testUri } from '../../support/fixture.ts';
import { rounds } from '../../support/fuzz.ts';

const host = testHost();
const example = (name: string) => readFileSync(new URL(`../../../examples/${name}.strata`, import.meta.url), 'utf8');
const programs = [example('first'), example('mnist')];

const scraps = [
  '(',
  ')',
  '{',
  '}',
  '[',
  ']',
  '|>',
  '=',
  ',',
  ':',
  'x',
  '1',
  '"',
  'model',
  'train',
  '\n',
  'where',
  '...',
  '-',
  '//',
  'repeat',
];

interface Mutation {
  readonly kind: 'delete' | 'insert' | 'replace';
  readonly at: number;
  readonly scrap: string;
}

const mutation: fc.Arbitrary<Mutation> = fc.record({
  kind: fc.constantFrom('delete', 'insert', 'replace'),
  at: fc.nat(),
  scrap: fc.constantFrom(...scraps),
});

function mutate(text: string, { kind, at, scrap }: Mutation): string {
  const tokens = lex(text).filter(t => t.kind !== 'space');
  const token = tokens[at % Math.max(1, tokens.length)];
  if (token === undefined) return scrap;
  const end = kind === 'insert' ? token.start : token.end;
  return text.slice(0, token.start) + (kind === 'delete' ? '' : ` ${scrap} `) + text.slice(end);
}

/** All that the editor can ask for. */
function everything(a: Analysis) {
  const offsets = [0, a.text.length >> 2, a.text.length >> 1, a.text.length];
  return {
    facts: a.facts,
    inlays: a.inlays(),
    declarations: a.declarations,
    trains: a.trains,
    data: a.data,
    tokens: a.tokens,
    folds: a.folds,
    counts: a.declarations.map(d => a.parameterCount(d.name)),
    places: offsets.map(o => [a.hover(o), a.symbol(o), a.completion(o), a.signature(o), a.selection(o)]),
  };
}

const damaged = fc.tuple(fc.constantFrom(...programs), fc.array(mutation, { minLength: 1, maxLength: 6 }));

describe('damaged programs', () => {
  it('are analysed, lowered or refused, and formatted, without an exception', () => {
    fc.assert(
      fc.property(damaged, ([text, mutations]) => {
        const broken = mutations.reduce(mutate, text);
        const analysis = analyze(testUri, broken, host);
        everything(analysis);
        lower(analysis);
        const once = format(broken);
        expect(format(once)).toBe(once);
        expect(
          lex(once)
            .filter(code)
            .map(t => t.text),
        ).toEqual(
          lex(broken)
            .filter(code)
            .map(t => t.text),
        );
      }),
      rounds(300),
    );
  });

  it('are the same to an incremental analysis as to a full one', () => {
    fc.assert(
      fc.property(damaged, ([text, mutations]) => {
        let current = text;
        let incremental = analyze(testUri, current, host);
        let tree = parse(current);
        for (const m of mutations) {
          current = mutate(current, m);
          incremental = analyze(testUri, current, host, incremental);
          tree = parse(current, tree);
        }
        expect(tree).toEqual(parse(current));
        expect(everything(incremental)).toEqual(everything(analyze(testUri, current, host)));
      }),
      rounds(150),
    );
  });

  it('keep every character in the tree', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), text => {
        expect(
          lex(text)
            .map(t => t.text)
            .join(''),
        ).toBe(text);
        everything(analyze(testUri, text, host));
      }),
      rounds(200),
    );
  });
});

/** White space at the end of comments goes. */
function code({ kind }: Token): boolean {
  return kind !== 'space' && kind !== 'newline' && kind !== 'comment' && kind !== 'doc';
}
