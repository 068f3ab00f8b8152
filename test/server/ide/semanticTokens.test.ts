/** The wire form of semantic tokens, and its deltas. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeTokens, type LineToken, tokensDelta } from '../../../server/ide/semanticTokens.ts';

describe('encodeTokens', () => {
  it('counts lines and columns from the token before', () => {
    const tokens: LineToken[] = [
      { span: { start: 0, end: 5 }, type: 'keyword', modifiers: [] },
      { span: { start: 6, end: 9 }, type: 'class', modifiers: ['declaration'] },
      { span: { start: 12, end: 13 }, type: 'variable', modifiers: ['declaration', 'readonly'] },
    ];
    const place = ({ start, end }: LineToken['span']) => ({
      line: start < 10 ? 0 : 2,
      character: start < 10 ? start : start - 10,
      length: end - start,
    });
    expect(encodeTokens(tokens, place)).toEqual([0, 0, 5, 0, 0, 0, 6, 3, 2, 1, 2, 2, 1, 5, 9]);
  });
});

describe('tokensDelta', () => {
  it('is empty where nothing changed', () => {
    expect(tokensDelta([1, 2, 3], [1, 2, 3])).toEqual([]);
  });

  it('turns any list into any other', () => {
    const list = fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 12 });
    fc.assert(
      fc.property(list, list, (before, after) => {
        const result = [...before];
        for (const { start, deleteCount, data } of tokensDelta(before, after))
          result.splice(start, deleteCount, ...data);
        expect(result).toEqual(after);
      }),
    );
  });
});
