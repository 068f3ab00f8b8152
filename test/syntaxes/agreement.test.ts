/** The grammar and the semantic tokens tell the same story, so that colours don't jump when the server answers. */
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { type LineToken, semanticTokens } from '../../server/ide/semanticTokens.ts';
import { fixture, program } from '../server/ide/fixture.ts';
import { grammarTokenizer, type ScopedPiece } from './tokenize.ts';

let tokenize: (text: string) => readonly ScopedPiece[];
beforeAll(async () => {
  tokenize = await grammarTokenizer();
});

/** Scopes that a theme colours like the token type; the first is what VS Code maps the type to. */
const scopesOf: Readonly<Record<LineToken['type'], readonly string[]>> = {
  keyword: ['keyword.control', 'constant.language', 'keyword.operator.logical'],
  type: ['support.type', 'entity.name.type'],
  // An imported name may be a model's or a data block's.
  class: ['entity.name.type'],
  struct: ['entity.name.type'],
  function: ['entity.name.function', 'support.function'],
  // Without the checker, a bare lower-case name and a called one look alike.
  variable: ['variable.other', 'entity.name.function', 'variable.parameter'],
  parameter: ['variable.parameter', 'variable.other'],
  property: ['variable.other', 'variable.parameter'],
  number: ['constant.numeric'],
  string: ['string.quoted'],
  comment: ['comment'],
  operator: ['keyword.operator'],
  typeParameter: ['entity.name.type'],
};

describe.each([
  ['examples/first.strata', () => readFileSync('examples/first.strata', 'utf8')],
  ['examples/mnist.strata', () => readFileSync('examples/mnist.strata', 'utf8')],
  ['a whole program', () => program('stop early(patience: 5, monitor: validation.loss)')],
  [
    'hyperparameters and blocks',
    () =>
      'model Block(x: [B, T, D], heads: int, causal: bool = false, rate: float = 0.1) -> [B, T, D] {\n  y = x |> dropout(rate)\n  x + y\n}\n',
  ],
])('%s', (_, read) => {
  it('has the same kinds in both', () => {
    const text = read();
    const pieces = tokenize(text);
    const disagreements = semanticTokens(fixture(text).analysis).flatMap(({ span, type }) => {
      const piece = pieces.findLast(p => p.start <= span.start);
      const agrees = piece?.scopes.some(scope => scopesOf[type].some(wanted => scope.startsWith(wanted)));
      return agrees ? [] : [`${text.slice(span.start, span.end)}: ${type}, but ${piece?.scopes[0] ?? 'plain'}`];
    });
    expect(disagreements).toEqual([]);
  });
});
