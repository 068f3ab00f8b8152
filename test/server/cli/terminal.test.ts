/** Tables as the terminal shows them. */
import { expect, it } from 'vitest';
import { tableText } from '../../../server/cli/terminal.ts';

it('a confusion matrix in percent of each target', () => {
  const text = tableText('test.confusion', [
    [0.3, 0.1, 0],
    [0, 0, 0],
    [0.2, 0.2, 0.2],
  ]);
  expect(text.split('\n').map(line => line.trimEnd())).toEqual([
    'test.confusion: targets down, predictions across, % of each target',
    '           0     1     2',
    '     0  75.0  25.0   0.0',
    '     1',
    '     2  33.3  33.3  33.3',
  ]);
});
