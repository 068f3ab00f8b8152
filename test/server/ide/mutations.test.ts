/** Seeded mistakes: one token of a sound program is damaged at a time, and the checker must notice, on the spot and once. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { library } from '../../../engine/ops/library/library.ts';
import { diagnostics } from '../../../server/ide/diagnostics/registry.ts';
import { semanticTokens } from '../../../server/ide/semanticTokens.ts';
import { fixture } from './fixture.ts';

interface Mutant {
  readonly kind: string;
  readonly text: string;
  /** Where the mistake was made. */
  readonly at: number;
}

const known = new Set(Object.values(library).flatMap(place => Object.keys(place)));

/** All single mistakes of these kinds in a program. */
function mutants(source: string): readonly Mutant[] {
  const found: Mutant[] = [];
  const put = (kind: string, start: number, end: number, by: string): void => {
    found.push({ kind, text: source.slice(0, start) + by + source.slice(end), at: start });
  };
  const tokens = semanticTokens(fixture(source).analysis).filter(t => t.type !== 'comment');
  for (const { span, type, modifiers } of tokens) {
    const { start, end } = span;
    const word = source.slice(start, end);
    const misspelt = `${word.slice(0, -1)}${word.endsWith('q') ? 'z' : 'q'}`;
    const declared = modifiers.includes('declaration');
    if (type === 'function' && modifiers.includes('defaultLibrary')) put('misspelt library name', start, end, misspelt);
    if (type === 'variable' && !declared) put('misspelt variable', start, end, misspelt);
    if (type === 'parameter' && source[end] === ':' && !declared) put('misspelt argument', start, end, misspelt);
    if (type === 'class' && !declared) put('misspelt model', start, end, misspelt);
    if (type === 'struct' && !declared) put('misspelt data set', start, end, misspelt);
    if (type === 'keyword' && /^(?:minimize|report|stop|epochs|seed|split|batch|using|on)$/.test(word))
      put('misspelt keyword', start, end, misspelt);
    if (type === 'number' && source[start - 1] === '(' && !known.has(word))
      put('text for a number', start, end, `"${word}"`);
  }
  const each = (kind: string, pattern: RegExp, by: string): void => {
    for (const m of source.matchAll(pattern))
      if (!inComment(source, m.index)) put(kind, m.index, m.index + m[0].length, by);
  };
  each('bracket left open', /\)/g, '');
  each('shape left open', /\]/g, '');
  each('block left open', /\}/g, '');
  each('pipe damaged', /\|>/g, '>');
  each('pipe lost', /\|> /g, '');
  each('comma lost', /,(?= \w)/g, '');
  each('input of another size', /784(?=\]\) ->)/g, '785');
  each('result of another size', /10(?=\] \{)/g, '11');
  each('layer of another size', /(?<=fc2 = linear\()10/g, '11');
  each('flatten forgotten', / \|> flatten/g, '');
  each('loss forgotten', /\n {2}minimize.*/g, '');
  each('length forgotten', /\n {2}epochs.*/g, '');
  each('rate out of range', /(?<=validation: )0\.1/g, '1.5');
  each('batch too large', /(?<=batch )64/g, '99999999');
  each('colon lost', /:(?= )/g, '');
  return found;
}

function inComment(text: string, at: number): boolean {
  return text.slice(text.lastIndexOf('\n', at) + 1, at).includes('//');
}

const extra = `model Block(x: [B, D], heads: int, rate: float = 0.1) -> [B, D] where D % heads == 0 {
  h = x |> linear(D / heads) |> gelu |> linear(D) |> dropout(rate)
  x + h
}

model Deep(x: [B, 784], width: int = 64) -> [B, 10] {
  y = x |> linear(width) |> relu
  repeat 3 { y = y |> Block(heads: 4) }
  y |> linear(10)
}

data Digits = digits(samples: 2000) {
  image = image |> flatten
  augment { image = image }
  split validation: 0.1
  batch 64
}

train deep on Digits {
  net = Deep(width: 32)
  logits = net(image)
  minimize cross_entropy(logits, label) using sgd(lr: cosine(0.1), momentum: 0.9)
  report accuracy(logits, label)
  epochs 3
}
`.replace('  augment { image = image }\n', '');

const sources = ['examples/first.strata'].map(path => readFileSync(path, 'utf8')).concat(extra);
const all = sources.flatMap(mutants);

describe('mutants', () => {
  it('come from sound programs, many and of many kinds', () => {
    for (const source of sources) expect(fixture(source).analysis.facts).toEqual([]);
    expect(all.length).toBeGreaterThan(150);
    expect(new Set(all.map(m => m.kind)).size).toBeGreaterThanOrEqual(15);
  });

  it('are found in at least 95 of 100, and once in at least 90', () => {
    const missed: string[] = [];
    const doubled: string[] = [];
    for (const { kind, text, at } of all) {
      const list = diagnostics(fixture(text).analysis);
      const line = text.slice(text.lastIndexOf('\n', at - 1) + 1, text.indexOf('\n', at));
      if (list.length === 0) missed.push(`${kind}: ${line.trim()}`);
      if (list.length > 1)
        doubled.push(`${kind}: ${line.trim()}: ${list.map(d => `${d.code} ${d.message}`).join(' | ')}`);
    }
    expect(missed.length, missed.join('\n')).toBeLessThanOrEqual(0.05 * all.length);
    expect(doubled.length, doubled.join('\n')).toBeLessThanOrEqual(0.1 * all.length);
  });
});
