/** What people see in a file before the language server has answered. */
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { grammarTokenizer, type ScopedPiece } from './tokenize.ts';

let tokenize: (text: string) => readonly ScopedPiece[];
beforeAll(async () => {
  tokenize = await grammarTokenizer();
});

/** Innermost scope of the first piece that is `word`. */
function scopeOf(text: string, word: string): string {
  return tokenize(text).find(piece => piece.text.trim() === word)?.scopes[0] ?? 'none';
}

describe('scopes', () => {
  const cases: readonly (readonly [text: string, word: string, scope: string])[] = [
    ['model Net(x: [B, 784]) -> [B, 10] {', 'model', 'keyword.control.declaration.strata'],
    ['model Net(x: [B, 784]) -> [B, 10] {', 'Net', 'entity.name.type.class.model.strata'],
    ['model Net(x: [B, 784]) -> [B, 10] {', 'x', 'variable.parameter.strata'],
    ['model Net(x: [B, 784]) -> [B, 10] {', 'B', 'entity.name.type.parameter.dimension.strata'],
    ['model Net(x: [B, 784]) -> [B, 10] {', '784', 'constant.numeric.strata'],
    ['model Net(x: [B, 784]) -> [B, 10] {', '->', 'keyword.operator.arrow.strata'],
    ['  x |> fc1 |> relu', '|>', 'keyword.operator.pipeline.strata'],
    ['  x |> fc1 |> relu', 'relu', 'support.function.library.strata'],
    ['  x |> fc1 |> relu', 'fc1', 'variable.other.readwrite.strata'],
    ['  fc1 = linear(128)', 'linear', 'support.function.library.strata'],
    ['  fc1 = linear(128)', 'fc1', 'variable.other.readwrite.strata'],
    ['  fc1 = linear(128)', '=', 'keyword.operator.assignment.strata'],
    ['train first on Digits {', 'first', 'entity.name.function.train.strata'],
    ['train first on Digits {', 'on', 'keyword.control.clause.strata'],
    ['train first on Digits {', 'Digits', 'entity.name.type.data.strata'],
    ['  minimize cross_entropy(a, b) using adam(lr: 2e-4)', 'minimize', 'keyword.control.statement.strata'],
    ['  minimize cross_entropy(a, b) using adam(lr: 2e-4)', 'using', 'keyword.control.clause.strata'],
    ['  minimize cross_entropy(a, b) using adam(lr: 2e-4)', 'adam', 'support.function.training.strata'],
    ['  minimize cross_entropy(a, b) using adam(lr: 2e-4)', 'lr', 'variable.parameter.strata'],
    ['  minimize cross_entropy(a, b) using adam(lr: 2e-4)', '2e-4', 'constant.numeric.strata'],
    ['  augment { image = image |> shift(2) }', 'augment', 'keyword.control.statement.strata'],
    ['  split validation: 0.1', 'validation', 'variable.parameter.strata'],
    ['  test  idx(images: "a.gz")', 'test', 'keyword.control.statement.strata'],
    // Statement words are ordinary names where no statement begins.
    ['  stop early(patience: 5, monitor: validation.loss)', 'loss', 'variable.other.property.strata'],
    ['  batch = 3', 'batch', 'variable.other.readwrite.strata'],
    ['  y = x |> test', 'test', 'variable.other.readwrite.strata'],
    ['model M(t: index(V)[B, T], n: int = 4) {', 'index', 'support.type.strata'],
    ['model M(t: index(V)[B, T], n: int = 4) {', 'int', 'support.type.strata'],
    ['  causal: true', 'true', 'constant.language.boolean.strata'],
    ['a / 2 // the half', '// the half', 'comment.line.double-slash.strata'],
    ['/// What it is.', '/// What it is.', 'comment.line.documentation.strata'],
  ];
  it.each(cases)('%s: %s', (text, word, scope) => {
    expect(scopeOf(text, word)).toBe(scope);
  });
});

it('a string that is never closed ends with its line', () => {
  const pieces = tokenize('import "half\nmodel Net() {}');
  expect(pieces.find(p => p.text === 'model')?.scopes[0]).toBe('keyword.control.declaration.strata');
});

it('colours every piece of the example that is not blank or punctuation', () => {
  const text = readFileSync('examples/first.strata', 'utf8');
  const plain = tokenize(text).filter(p => p.scopes.length === 0 && /[\w"]/.test(p.text));
  expect(plain).toEqual([]);
});
