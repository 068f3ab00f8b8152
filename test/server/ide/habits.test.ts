/** Who writes as in Python, PyTorch or another language is told how Strata says it, and the fix says it. */
import { describe, expect, it } from 'vitest';
import { diagnostics } from '../../../server/ide/diagnostics/registry.ts';
import { body, digits, fixture } from './fixture.ts';

const data = (line: string) => `data Digits = digits() {\n  image = image |> flatten\n  ${line}\n}\n`;
const train = (lines: string) => `${body('  x |> linear(10)')}${digits}train first on Digits {\n${lines}\n}\n`;
const net = '  logits = Net(image)\n';
const minimize = '  minimize cross_entropy(logits, label) using adam(lr: 0.001)';

/** A program, a part of the help of its first diagnostic, and what its first fix makes of the line. */
const cases: readonly (readonly [what: string, program: string, help: string, line?: string])[] = [
  ['a comment with #', body('  # layers\n  x |> linear(10)'), 'begin with //', '  // layers'],
  [
    'a string in single quotes',
    body("  x |> rearrange('b d -> b d') |> linear(10)"),
    'double quotes',
    '  x |> rearrange("b d -> b d") |> linear(10)',
  ],
  ['a semicolon', body('  y = x |> relu;\n  y |> linear(10)'), 'end of the line', '  y = x |> relu'],
  ['braces around imports', 'import { Net } from "./a.strata"', 'without braces', 'import Net from "./a.strata"'],
  ['from … import', 'from "./a.strata" import Net', 'names come first', 'import Net from "./a.strata"'],
  ['import torch', 'import torch', 'always there'],
  ['from torch import nn', 'from torch import nn', 'always there'],
  [
    'class',
    'class Net(x: [B, 4]) -> [B, 10] {\n  x |> linear(10)\n}',
    'a network is a model',
    'model Net(x: [B, 4]) -> [B, 10] {',
  ],
  [
    'def',
    'def Net(x: [B, 4]) -> [B, 10] {\n  x |> linear(10)\n}',
    'a network is a model',
    'model Net(x: [B, 4]) -> [B, 10] {',
  ],
  [
    'a result behind :',
    'model Net(x: [B, 4]): [B, 10] {\n  x |> linear(10)\n}',
    'behind ->',
    'model Net(x: [B, 4]) -> [B, 10] {',
  ],
  [
    'a shape in round brackets',
    'model Net(x: (B, 4)) -> [B, 10] {\n  x |> linear(10)\n}',
    'square brackets',
    'model Net(x: [B, 4]) -> [B, 10] {',
  ],
  [
    'a whole number by default',
    'model Net(x: [B, 4], hidden = 8) -> [B, 10] {\n  x |> linear(hidden) |> linear(10)\n}',
    'says its type',
    'model Net(x: [B, 4], hidden: int = 8) -> [B, 10] {',
  ],
  [
    'a fraction by default',
    'model Net(x: [B, 4], rate = 0.5) -> [B, 10] {\n  x |> dropout(rate) |> linear(10)\n}',
    'says its type',
    'model Net(x: [B, 4], rate: float = 0.5) -> [B, 10] {',
  ],
  ['a parameter without a shape', 'model Net(x) {\n  x |> linear(10)\n}', 'says its shape'],
  [
    'Tensor',
    'model Net(x: Tensor[B, 4]) -> [B, 10] {\n  x |> linear(10)\n}',
    'is its shape',
    'model Net(x: [B, 4]) -> [B, 10] {',
  ],
  ['an argument by =', body('  x |> linear(10, bias=false)'), 'with a colon', '  x |> linear(10, bias: false)'],
  [
    'an argument by = with spaces',
    body('  x |> linear(10, bias = false)'),
    'with a colon',
    '  x |> linear(10, bias: false)',
  ],
  ['->', body('  x -> linear(10)'), 'joined by |>', '  x |> linear(10)'],
  ['return', body('  return x |> linear(10)'), 'no word before it', '  x |> linear(10)'],
  ['return of a call', body('  fc = linear(10)\n  return fc(x)'), 'no word before it', '  fc(x)'],
  ['let', body('  let y = x |> relu\n  y |> linear(10)'), 'by = alone', '  y = x |> relu'],
  [
    'for … in range',
    body('  y = x\n  for i in range(3) {\n    y = y |> linear(784)\n  }\n  y |> linear(10)'),
    'repeat n',
    '  repeat 3 {',
  ],
  ['a conditional expression of C', body('  y = x > 0 ? x : 0\n  y |> linear(10)'), 'select(condition, a, b)'],
  ['a conditional expression of Python', body('  y = x if true else x\n  y |> linear(10)'), 'select(condition, a, b)'],
  ['self', body('  self.fc = linear(10)\n  x |> fc'), 'name of the model', '  fc = linear(10)'],
  ['True', body('  x |> linear(10, bias: True)'), 'written small', '  x |> linear(10, bias: true)'],
  ['nn.', body('  x |> linear(8) |> nn.relu |> linear(10)'), 'stand alone', '  x |> linear(8) |> relu |> linear(10)'],
  ['F.', body('  F.relu(x) |> linear(10)'), 'stand alone', '  relu(x) |> linear(10)'],
  [
    'torch.nn.functional.',
    body('  torch.nn.functional.relu(x) |> linear(10)'),
    'stand alone',
    '  relu(x) |> linear(10)',
  ],
  ['a method', body('  x.relu() |> linear(10)'), 'by |>', '  x |> relu() |> linear(10)'],
  ['x.shape', body('  reshape(x, x.shape) |> linear(10)'), 'sizes have names'],
  ['x.size(0)', body('  reshape(x, [x.size(0), 784]) |> linear(10)'), 'sizes have names'],
  ['the size that comes in', body('  x |> linear(784, 10)'), 'is inferred', '  x |> linear(10)'],
  [
    'no flatten before the last layer',
    'model Net(x: [B, 1, 28, 28]) -> [B, 10] {\n  x |> conv2d(8, 3) |> relu |> linear(10)\n}',
    'flatten the axes before it',
    '  x |> conv2d(8, 3) |> relu |> flatten |> linear(10)',
  ],
  ['epochs =', train(`${net}${minimize}\n  epochs = 2`), 'no sign behind it', '  epochs 2'],
  ['epochs:', train(`${net}${minimize}\n  epochs: 2`), 'no sign behind it', '  epochs 2'],
  ['batch:', data('batch: 32'), 'no sign behind it', '  batch 32'],
  ['batch =', data('batch = 32'), 'no sign behind it', '  batch 32'],
  ['batch_size', data('batch_size 32'), 'did you mean batch?', '  batch 32'],
  ['num_epochs', train(`${net}${minimize}\n  num_epochs 2`), 'did you mean epochs?', '  epochs 2'],
  [
    'dim',
    body('  x |> linear(10) |> softmax(dim: -1)'),
    'did you mean axis?',
    '  x |> linear(10) |> softmax(axis: -1)',
  ],
  [
    'learning_rate',
    train(`${net}${minimize.replace('lr', 'learning_rate')}\n  epochs 2`),
    'did you mean lr?',
    minimize,
  ],
  [
    'CrossEntropyLoss',
    train(`${net}${minimize.replace('cross_entropy', 'CrossEntropyLoss')}\n  epochs 2`),
    'did you mean cross_entropy?',
    minimize,
  ],
  ['Linear', body('  x |> Linear(10)'), 'did you mean linear?', '  x |> linear(10)'],
  [
    'MaxPool2d',
    'model Net(x: [B, 1, 8, 8]) {\n  x |> MaxPool2d(2)\n}',
    'did you mean max_pool2d',
    '  x |> max_pool2d(2)',
  ],
];

describe('a habit of another language', () => {
  it.each(cases.map(([what, program, help, line]) => ({ what, program, help, line })))(
    '$what',
    ({ program, help, line }) => {
      const { analysis, text } = fixture(program);
      const found = diagnostics(analysis);
      expect(found).toHaveLength(1);
      expect(found[0]!.help).toContain(help);
      if (line === undefined) return;
      const { span, text: replacement = '' } = found[0]!.fixes[0]!.edits[0]!;
      const mended = text.slice(0, span.start) + replacement + text.slice(span.end);
      expect(mended.split('\n')).toContain(line);
      const left = diagnostics(fixture(mended).analysis);
      expect(left.filter(d => d.severity === 'error' && d.code !== 'invalid-import')).toEqual([]);
    },
  );
});
