/** Damaged programs: the language never throws or hangs, an incremental analysis equals a full one, and damage stays where it is. */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { analyze } from '../../../server/lang/analyze.ts';
import type { Analysis } from '../../../server/lang/api.ts';
import { format } from '../../../server/lang/format/format.ts';
import { lower } from '../../../server/lang/lower/lower.ts';
import { lex, type Token } from '../../../server/lang/syntax/lexer.ts';
import { testHost, testUri } from '../../support/fixture.ts';

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
      { numRuns: 300 },
    );
  });

  it('are the same to an incremental analysis as to a full one', () => {
    fc.assert(
      fc.property(damaged, ([text, mutations]) => {
        let current = text;
        let incremental = analyze(testUri, current, host);
        for (const m of mutations) {
          current = mutate(current, m);
          incremental = analyze(testUri, current, host, incremental);
        }
        expect(everything(incremental)).toEqual(everything(analyze(testUri, current, host)));
      }),
      { numRuns: 150 },
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
      { numRuns: 200 },
    );
  });
});

/** White space at the end of comments goes. */
function code({ kind }: Token): boolean {
  return kind !== 'space' && kind !== 'newline' && kind !== 'comment' && kind !== 'doc';
}

/** Five statements that don't depend on each other, a block among them. */
const independent = `model Wide(x: [B, 784], deep: bool = false) -> [B, 10] {
  _a = x |> linear(1, bias: false) |> relu
  _b = linear(2)(x) + 1
  repeat 2 {
    _c = x |> linear(3)
  }
  _d = (x @ transpose(x))[:, 0:1]
    |> relu
  if deep { _e = x |> linear(5) }
  x |> linear(10)
}
`;

function damage(text: string, { start, end }: Token, kind: Mutation['kind'], scrap: string): string {
  return text.slice(0, start) + (kind === 'delete' ? '' : ` ${scrap} `) + text.slice(kind === 'insert' ? start : end);
}

/** Shapes by line; damage puts in no line breaks, so lines keep their numbers. */
function shapes(a: Analysis): ReadonlyMap<number, string> {
  const found = new Map<number, string>();
  for (const { offset, kind, text } of a.inlays()) {
    const { line } = a.lines.position(offset);
    if (kind === 'shape') found.set(line, `${found.get(line) ?? ''} ${text}`);
  }
  return found;
}

/** For each token deleted, replaced or put before: the lines that lost their shapes though `depends` says that they need not. */
function lost(text: string, depends: (damagedLine: number, line: number) => boolean): readonly string[] {
  const whole = analyze(testUri, text, host);
  const before = shapes(whole);
  const kinds = ['delete', 'insert', 'replace'] as const;
  const cases = lex(text)
    .filter(code)
    .flatMap((token, i) => kinds.map(kind => ({ token, kind, scrap: scraps[(i * 7) % 15]! })));
  return cases
    .filter(c => c.scrap !== '\n')
    .flatMap(({ token, kind, scrap }) => {
      const after = shapes(analyze(testUri, damage(text, token, kind, scrap), host));
      const damagedLine = whole.lines.position(token.start).line;
      const gone = [...before].filter(
        ([line, shape]) => line !== damagedLine && after.get(line) !== shape && !depends(damagedLine, line),
      );
      return gone.map(
        ([line]) =>
          `${kind} ${token.text} with ${scrap} on line ${damagedLine + 1} cost line ${line + 1} ${after.get(line)}`,
      );
    });
}

describe('one token more, less or other', () => {
  it('costs the shapes of no other statement', () => {
    // The header declares what all use; the block and the lines of `_d` are one statement each.
    const statement = (line: number) => (line === 7 ? 6 : line === 4 ? 3 : line);
    expect(lost(independent, (damaged, line) => damaged === 0 || statement(damaged) === statement(line))).toEqual([]);
  });

  it.each(programs)('costs the shapes of no declaration that does not use it', text => {
    const { declarations, lines } = analyze(testUri, text, host);
    const kindAt = (line: number) => declarations.findLast(d => lines.position(d.span.start).line <= line)?.kind;
    // The train block uses the header of the model and all of the data; bodies are each their own.
    const header = (line: number) => declarations.some(d => lines.position(d.nameSpan.start).line === line);
    const uses = (damaged: number, line: number) => {
      const [from, to] = [kindAt(damaged), kindAt(line)];
      return from === to || (to === 'train' && (from === 'data' || header(damaged)));
    };
    expect(lost(text, uses)).toEqual([]);
  });
});
