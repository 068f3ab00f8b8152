/** `broadcast-target`: a loss over every pair by accident. */
import type { Rule } from './rule.ts';

export const broadcastTarget: Rule<'broadcast-target'> = {
  message: ({ callee, prediction, target }) =>
    `expected prediction and target of one shape in ${callee}, found ${prediction} and ${target}, which broadcast`,
  page: {
    title: 'a target that broadcasts',
    about:
      '`[B, 1]` against `[B]` broadcasts to `[B, B]`: every prediction is compared with every target, and the loss falls to the variance of the data and no further.',
    example: { wrong: program('net(point)'), right: program('net(point)[:, 0]') },
  },
};

function program(prediction: string): string {
  return [
    'data Points = moons() {',
    '  batch 50',
    '}',
    '',
    'train radius on Points {',
    '  net    = linear(1)',
    '  target = sum(point ** 2, -1)',
    `  minimize mean((${prediction} - target) ** 2) using adam()`,
    '  epochs 2',
    '}',
    '',
  ].join('\n');
}
