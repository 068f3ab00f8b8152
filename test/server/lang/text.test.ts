/** Lines, columns in three encodings, and edits. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { closest, editDistance } from '../../../server/lang/names.ts';
import { applyEdits, type Encoding, lineIndex } from '../../../server/lang/text.ts';

describe('positions', () => {
  const text = 'a\n\u00e9\u{1f600}b\r\nc';
  it.each<[Encoding, number]>([
    ['utf-8', 6],
    ['utf-16', 3],
    ['utf-32', 2],
  ])('count %s', (encoding, character) => {
    const index = lineIndex(text);
    const offset = text.indexOf('b');
    expect(index.position(offset, encoding)).toEqual({ line: 1, character });
    expect(index.offset({ line: 1, character }, encoding)).toBe(offset);
  });

  it('end at \\n, \\r\\n and \\r alike', () => {
    const index = lineIndex('a\rb\nc\r\nd');
    expect(index.lineCount).toBe(4);
    expect([0, 1, 2, 3].map(line => index.lineStart(line))).toEqual([0, 2, 4, 7]);
  });

  it('beyond the line mean its end, beyond the text its end', () => {
    const index = lineIndex('ab\ncd');
    expect(index.offset({ line: 0, character: 99 })).toBe(2);
    expect(index.offset({ line: 9, character: 0 })).toBe(5);
    expect(index.position(99)).toEqual({ line: 1, character: 2 });
  });

  it('are the inverse of offsets', () => {
    const encodings: readonly Encoding[] = ['utf-8', 'utf-16', 'utf-32'];
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.constantFrom(...encodings), (text, encoding) => {
        const index = lineIndex(text);
        let offset = 0;
        for (const character of text) {
          expect(index.offset(index.position(offset, encoding), encoding)).toBe(offset);
          offset += character.length;
        }
      }),
    );
  });
});

describe('edits', () => {
  it('apply in any order', () => {
    const edits = [
      { span: { start: 0, end: 1 }, text: 'A' },
      { span: { start: 2, end: 3 }, text: '' },
    ];
    expect(applyEdits('abcd', edits)).toBe('Abd');
    expect(applyEdits('abcd', edits.toReversed())).toBe('Abd');
  });
});

describe('did you mean', () => {
  it.each([
    ['rleu', ['relu']],
    ['liner', ['linear']],
    ['Relu', ['relu']],
    ['xyz', []],
    ['relu', []],
  ])('%s', (name, expected) => {
    expect(closest(name, ['relu', 'linear', 'softmax'])).toEqual(expected);
  });

  it('counts a swap as one edit', () => {
    expect(editDistance('rleu', 'relu', 3)).toBe(1);
  });
});
