/** Numbers as the panel, the tree and the status bar print them. */
import { describe, expect, it } from 'vitest';
import * as format from '../../client/format.ts';

describe('numbers for people', () => {
  it.each([
    [2.30251, '2.3025'],
    [0.08123, '0.0812'],
    [12.3456, '12.35'],
    [123.456, '123.5'],
    [12345.6, '12346'],
    [0.00001234, '1.23e-5'],
    [0, '0'],
    [-0.5, '-0.5000'],
    [Number.NaN, 'NaN'],
    [Number.POSITIVE_INFINITY, '∞'],
    [undefined, '–'],
  ])('loss %s is %s', (value, text) => expect(format.formatLoss(value)).toBe(text));

  it.each([
    ['accuracy', 0.95314, '95.31%'],
    ['validation.accuracy', 1, '100.00%'],
    ['perplexity', 3.21, '3.2100'],
    ['accuracy', undefined, '–'],
  ])('%s %s is %s', (name, value, text) => expect(format.formatMetric(name, value)).toBe(text));

  it.each([
    [0.001, '0.001'],
    [0.00100000005, '0.001'],
    [0.000025, '2.5e-5'],
    [0.5, '0.5'],
    [0, '0'],
  ])('rate %s is %s', (value, text) => expect(format.formatRate(value)).toBe(text));

  it.each([
    [0.519, '0.52'],
    [87.34, '87.3'],
    [1240.4, '1,240'],
    [79400, '79.4k'],
    [1_240_000, '1.2M'],
    [-1, '–'],
  ])('speed %s is %s', (value, text) => expect(format.formatSpeed(value)).toBe(text));

  it.each([
    [7, '0:07'],
    [760, '12:40'],
    [11109, '3:05:09'],
    [187_200, '2 d 4 h'],
    [Number.POSITIVE_INFINITY, '–'],
    [undefined, '–'],
  ])('%s seconds to go are %s', (value, text) => expect(format.formatDuration(value)).toBe(text));

  it.each([
    [0.081, '0.08 s'],
    [7.34, '7.3 s'],
    [9.96, '0:10'],
    [75, '1:15'],
  ])('%s seconds taken are %s', (value, text) => expect(format.formatSeconds(value)).toBe(text));

  it.each([
    [9999, '9,999'],
    [12_500, '12.5k'],
    [6_300_000, '6.3M'],
  ])('%s is %s where room is scarce', (value, text) => expect(format.formatShort(value)).toBe(text));

  it('makes titles of names', () => expect(format.title('top5_accuracy')).toBe('Top5 accuracy'));
});
