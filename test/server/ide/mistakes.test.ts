/** Mistakes people make, each in a program that is otherwise sound: one diagnostic, on the smallest span that explains it. */
import { describe, expect, it } from 'vitest';
import { diagnostics } from '../../../server/ide/diagnostics/registry.ts';
import { fixture } from './fixture.ts';

const model = `model Net(x: [B, 784]) -> [B, 10] {
  fc1 = linear(128)
  fc2 = linear(10)
  x |> fc1 |> relu |> fc2
}
`;
const data = `data Digits = digits() {
  image = image |> flatten
  split validation: 0.1, test: 0.1
  batch 64
}
`;
const train = `train first on Digits {
  net    = Net()
  logits = net(image)
  minimize cross_entropy(logits, label) using adam(lr: step_decay(0.001, every: 5, gamma: 0.1))
  report   accuracy(logits, label)
  stop     early(patience: 5, monitor: validation.loss)
  epochs   10
  seed     42
}
`;
const whole = `${model}\n${data}\n${train}`;

/** `before` becomes `after`; then `marked` is underlined with this message. */
const cases: readonly (readonly [what: string, before: string, after: string, marked: string, message: string])[] = [
  [
    'a last layer of the wrong size',
    'linear(10)',
    'linear(12)',
    'fc2',
    'error[shape-mismatch]: expected [B, 10] as the result of Net, found [B, 12]: axis 1 is 12, not 10',
  ],
  [
    'an input of the wrong size',
    '[B, 784]',
    '[B, 700]',
    'image',
    'error[shape-mismatch]: expected [B, 700] for x of Net, found [B, 784]: axis 1 is 784, not 700',
  ],
  [
    'an image that is not flat',
    '  image = image |> flatten\n',
    '',
    'image',
    'error[shape-mismatch]: expected [B, 784] for x of Net, found [B, 28, 28]',
  ],
  ['a misspelt function', 'relu', 'rellu', 'rellu', 'error[unknown-name]: nothing here is called rellu'],
  [
    'a misspelt argument',
    'linear(128)',
    'linear(128, bais: true)',
    'bais',
    'error[unknown-argument]: linear has no parameter bais',
  ],
  [
    'a layer without its size',
    'linear(128)',
    'linear()',
    'linear',
    'error[missing-argument]: expected out: int in the call of linear',
  ],
  ['an unknown data set', 'on Digits', 'on Digit', 'Digit', 'error[unknown-name]: no data block is called Digit'],
  ['an unknown field', 'net(image)', 'net(images)', 'images', 'error[unknown-name]: nothing here is called images'],
  ['an unknown optimiser', 'using adam', 'using adm', 'adm', 'error[unknown-name]: no optimiser is called adm'],
  ['a setting that does not exist', '  seed ', '  sede ', 'sede', 'error[unknown-name]: no setting is called sede'],
  [
    'a metric that is not reported',
    'validation.loss',
    'validation.f1',
    'validation.f1',
    'error[unknown-name]: no metric is called validation.f1',
  ],
  ['no length of the run', '  epochs   10\n', '', 'first', 'error[missing-statement]: expected epochs in train first'],
  [
    'a batch larger than the data',
    'batch 64',
    'batch 6400',
    '6400',
    'error[batch-too-large]: expected a batch of at most 4,000, the training samples there are, found 6,400',
  ],
  [
    'a rate beyond 1',
    '|> relu',
    '|> dropout(1.5)',
    'dropout',
    'error[value-out-of-range]: expected a rate of at least 0 and below 1 for dropout, found 1.5',
  ],
  [
    'softmax before cross_entropy',
    'net(image)',
    'net(image) |> softmax',
    'logits',
    'warning[softmax-before-cross-entropy]: cross_entropy takes logits and applies softmax itself',
  ],
  [
    'a random transform outside of augment',
    '|> flatten',
    '|> shift(2) |> flatten',
    'shift',
    'error[misplaced-transform]: expected a fixed transform outside of augment, found a random one',
  ],
  [
    'a crop larger than the image',
    '|> flatten',
    '|> crop(32, 28) |> flatten',
    'crop',
    "error[value-out-of-range]: expected a height from 1 to the image's 28 for crop, found 32",
  ],
  [
    'a misspelt word',
    '|> flatten',
    '|> resize(28, 28, method: neerest) |> flatten',
    'neerest',
    'error[unknown-name]: expected nearest or bilinear, found neerest',
  ],
  [
    'a string where a number belongs',
    'linear(128)',
    'linear("128")',
    '"128"',
    'error[type-mismatch]: expected a whole number for out of linear, found a string',
  ],
  [
    'a layer that is never applied',
    '|> fc1 |> relu ',
    '',
    'fc1',
    'warning[unused-binding]: layer fc1 is never applied',
  ],
  [
    'a bracket that is not closed',
    'linear(128)',
    'linear(128',
    '',
    'error[syntax-error]: expected , or ), found nothing',
  ],
];

function found(text: string): readonly (readonly [marked: string, message: string])[] {
  return diagnostics(fixture(text).analysis).map(({ span, code, severity, message }) => [
    text.slice(span.start, span.end),
    `${severity}[${code}]: ${message}`,
  ]);
}

it('the program without a mistake has no diagnostics', () => {
  expect(found(whole)).toEqual([]);
});

describe('one mistake, one diagnostic', () => {
  it.each(cases)('%s', (_, before, after, marked, message) => {
    expect(whole).toContain(before);
    expect(found(whole.replace(before, after))).toEqual([[marked, message]]);
  });
});
