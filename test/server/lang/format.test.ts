/** The formatter: one way to write a program. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { format, formatEdits } from '../../../server/lang/format/format.ts';
import { applyEdits } from '../../../server/lang/text.ts';

const cases: Readonly<Record<string, readonly [string, string]>> = {
  'spaces around operators, none within brackets': ['const a=( 1+2 )*-3\n', 'const a = (1 + 2) * -3\n'],
  'calls and types': [
    'model M( x:[ B,4 ] ,y ? :int=2)->[ ...,D ]{\nf (x)\n}',
    'model M(x: [B, 4], y?: int = 2) -> [..., D] {\n  f(x)\n}\n',
  ],
  slices: [
    'model M(x: [B]) {\n  x[ : ,1 : 3 :2,-1, : : n, :-1 ]\n}\n',
    'model M(x: [B]) {\n  x[:, 1:3:2, -1, ::n, :-1]\n}\n',
  ],
  'continued pipes are indented': [
    'model M(x: [B]) {\n  x\n|> f\n|> g\n}\n',
    'model M(x: [B]) {\n  x\n    |> f\n    |> g\n}\n',
  ],
  'brackets over lines': ['model M(x: [B]) {\nf(\nx,\n3\n)\n}\n', 'model M(x: [B]) {\n  f(\n    x,\n    3\n  )\n}\n'],
  'bindings and settings are aligned': [
    'train t on D {\n  net = N()\n  logits = net(x)\n  minimize a using adam()\n  seed 1\n}\n',
    'train t on D {\n  net    = N()\n  logits = net(x)\n  minimize a using adam()\n  seed     1\n}\n',
  ],
  'a blank line ends the alignment': [
    'train t on D {\n  a = 1\n\n  bcd = 2\n}\n',
    'train t on D {\n  a = 1\n\n  bcd = 2\n}\n',
  ],
  'blank lines': [
    '\n\nconst a = 1\n\n\n\nmodel M() {\n\n  a\n\n}\nmodel N() {\n  a\n}\n\n\n',
    'const a = 1\n\nmodel M() {\n  a\n}\n\nmodel N() {\n  a\n}\n',
  ],
  'comments stay': [
    'model M() { // why\n// what\n  a   // here\n}\n',
    'model M() {  // why\n  // what\n  a   // here\n}\n',
  ],
  'minus as a sign and as an operator': [
    'const a = f(-1, b -1)\ntrain t on D {\n  clip -1\n}\n',
    'const a = f(-1, b - 1)\n\ntrain t on D {\n  clip -1\n}\n',
  ],
  'line ends are kept': ['const a=1\r\nconst b=2\r\n', 'const a = 1\r\nconst b = 2\r\n'],
  'damaged text is only spaced': ['model M( {\n  a = f((1\n', 'model M( {\n    a = f((1\n'],
  nothing: ['', ''],
};

describe('format', () => {
  it.each(Object.entries(cases))('%s', (_, [text, expected]) => {
    expect(format(text)).toBe(expected);
    expect(format(expected)).toBe(expected);
    expect(applyEdits(text, formatEdits(text))).toBe(expected);
  });

  it.each(['first', 'mnist'])('example %s is formatted', name => {
    const text = readFileSync(new URL(`../../../examples/${name}.strata`, import.meta.url), 'utf8');
    expect(format(text)).toBe(text);
  });
});

describe('edits', () => {
  it('of a range touch its lines alone', () => {
    const text = 'const a=1\nconst b=2\nconst c=3\n';
    const edits = formatEdits(text, { start: 12, end: 14 });
    expect(applyEdits(text, edits)).toBe('const a=1\nconst b = 2\nconst c=3\n');
  });
});
