/** The language configuration and the snippets: patterns that editors run on lines. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { analyze } from '../../server/lang/analyze.ts';
import { analyzeSettled } from '../../server/runs/langHost.ts';
import { host } from '../server/ide/fixture.ts';

const read = (path: string): unknown => JSON.parse(readFileSync(path, 'utf8'));
const configuration = read('syntaxes/language-configuration.json') as {
  readonly wordPattern: string;
  readonly indentationRules: { readonly increaseIndentPattern: string; readonly decreaseIndentPattern: string };
  readonly onEnterRules: readonly { readonly beforeText: string; readonly action: { readonly appendText?: string } }[];
};
const snippets = read('syntaxes/snippets.json') as Record<string, { readonly body: readonly string[] }>;

describe('indentation', () => {
  const { increaseIndentPattern, decreaseIndentPattern } = configuration.indentationRules;
  it.each([
    ['model Net(x: [B, 4]) -> [B, 2] {', true],
    ['data Digits = digits() { // all of them', true],
    ['  augment { image = image |> shift(2) }', false],
    ['  x |> linear(128)', false],
    ['// a note {', false],
  ])('behind %j: deeper %s', (line, deeper) => {
    expect(new RegExp(increaseIndentPattern).test(line)).toBe(deeper);
  });
  it('a closing bracket goes back', () => {
    expect(new RegExp(decreaseIndentPattern).test('  }')).toBe(true);
  });
});

it('a doc comment goes on in the next line', () => {
  const rule = configuration.onEnterRules.find(({ beforeText }) => new RegExp(beforeText).test('  /// What it is.'));
  expect(rule?.action.appendText).toBe('/// ');
});

it('words are names and numbers', () => {
  const words = 'fc1 |> linear(1e-3, out_dim: 0.5)'.match(new RegExp(configuration.wordPattern, 'g'));
  expect(words).toEqual(['fc1', 'linear', '1e-3', 'out_dim', '0.5']);
});

describe('snippets', () => {
  const filled = (name: string) =>
    snippets[name]!.body.join('\n')
      .replaceAll(/\$\{\d+:([^}]*)\}/g, '$1')
      .replaceAll(/\$\d/g, '')
      .replaceAll('\t', '  ');
  const data = filled('Built-in digits');

  it.each([
    ['Model', filled('Model')],
    ['Built-in digits', data],
    ['Train a classifier', `${filled('Model')}\n\n${data}\n\n${filled('Train a classifier')}`],
    [
      'Early stopping',
      `${filled('Model')}\n\n${data}\n\n${filled('Train a classifier').replace('  seed', `  ${filled('Early stopping')}\n  seed`)}`,
    ],
  ])('%s is a sound program as it stands', (_, text) => {
    expect(analyze('file:///nowhere/a.strata', text, host).facts).toEqual([]);
  });

  it.each(['Data from IDX files', 'Data from a CSV file'])('%s lacks nothing but its files', async name => {
    const { facts } = await analyzeSettled('file:///nowhere/a.strata', filled(name), host);
    expect(new Set(facts.map(f => f.code))).toEqual(new Set(['data-missing']));
  });
});
