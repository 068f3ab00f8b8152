/** Incremental changes, in each encoding, leave the text that the editor has. */
import { describe, expect, it } from 'vitest';
import type { Encoding } from '../../../server/lang/api.ts';
import { lineIndex } from '../../../server/lang/text.ts';
import { applyChanges } from '../../../server/lsp/documents.ts';

const at = (line: number, character: number) => ({ line, character });

describe('applyChanges', () => {
  it.each([
    ['replaces', 'ab\ncd', [{ range: { start: at(1, 0), end: at(1, 1) }, text: 'X' }], 'ab\nXd'],
    ['inserts at the end', 'ab', [{ range: { start: at(0, 2), end: at(0, 2) }, text: '\n' }], 'ab\n'],
    [
      'takes each change after the one before',
      'ab',
      [
        { range: { start: at(0, 0), end: at(0, 0) }, text: '\n' },
        { range: { start: at(1, 2), end: at(1, 2) }, text: '!' },
      ],
      '\nab!',
    ],
    ['replaces the whole', 'ab', [{ text: 'new' }], 'new'],
    ['clamps positions beyond the text', 'ab', [{ range: { start: at(0, 9), end: at(7, 0) }, text: '!' }], 'ab!'],
    [
      'survives a range that ends before it starts',
      'abc',
      [{ range: { start: at(0, 2), end: at(0, 1) }, text: '!' }],
      'ab!c',
    ],
    ['keeps carriage returns', 'a\r\nb\r\n', [{ range: { start: at(1, 0), end: at(1, 1) }, text: 'c' }], 'a\r\nc\r\n'],
  ] as const)('%s', (_, text, changes, expected) => {
    expect(applyChanges(text, changes, 'utf-16')).toBe(expected);
  });

  // `é` is 2, 1, 1 units and `𝛿` is 4, 2, 1 units in utf-8, -16, -32.
  it.each([
    ['utf-8', 6],
    ['utf-16', 3],
    ['utf-32', 2],
  ] as const)('counts %s units', (encoding: Encoding, character) => {
    const range = { start: at(0, character), end: at(0, character + 1) };
    expect(applyChanges('é𝛿x!', [{ range, text: 'y' }], encoding)).toBe('é𝛿y!');
  });

  it('takes an index of the old text as given', () => {
    const text = 'a\nb';
    const range = { start: at(1, 0), end: at(1, 1) };
    expect(applyChanges(text, [{ range, text: 'c' }], 'utf-16', lineIndex(text))).toBe('a\nc');
  });
});
