/** Lints that read more than one expression: what losses move, batches of one sample, axes out of order. Each also says where it stays silent. */
import { describe, expect, it } from 'vitest';
import { renderFact } from '../../../server/ide/diagnostics/registry.ts';
import { fixture } from '../../support/fixture.ts';

/** Marked text, code and message of each fact. */
function found(program: string): readonly string[] {
  const { analysis } = fixture(program);
  return analysis.facts.map(f => `${program.slice(f.span.start, f.span.end)}: [${f.code}] ${renderFact(f).message}`);
}

const gan = (...lines: string[]) => `model Generator(z: [B, 8]) -> [B, 2] {
  z |> linear(16) |> relu |> linear(2)
}

model Critic(x: [B, 2]) -> [B, 1] {
  x |> linear(16) |> relu |> linear(1)
}

data Points = moons() {
  batch 50
}

train t on Points {
  g    = Generator()
  d    = Critic()
  fake = normal([B, 8]) |> g
${lines.map(line => `  ${line}`).join('\n')}
  epochs 1
}
`;

const real = 'bce(d(point), 1)';
const opposite = (weights: string) => `[opposing-objectives] this loss and its opposite both move ${weights}`;
const lacking = (layer: string) =>
  `[no-gradient] expected a loss whose gradient reaches ${layer}, found one that stops before`;

describe('opposing losses', () => {
  it.each([
    [
      'the discriminator moves the generator',
      [`minimize ${real} + bce(d(fake), 0) using adam()`, 'minimize bce(d(fake), 1) over g using adam()'],
      [`${real} + bce(d(fake), 0): ${opposite('g')}`],
    ],
    [
      'the generator moves the discriminator',
      [`minimize ${real} + bce(d(fake), 0) over d using adam()`, 'minimize bce(d(fake), 1) using adam()'],
      [`bce(d(fake), 1): ${opposite('d')}`],
    ],
    [
      'behind names',
      [
        'fooled = fake |> d',
        'loss = 0.5 * (bce(d(point), 1) + bce(fooled, 0))',
        'minimize loss using adam()',
        'minimize bce(fooled, 1) using adam()',
      ],
      [`bce(fooled, 1): ${opposite('g and d')}`],
    ],
    [
      'by sign',
      ['minimize mean(d(fake) - d(point)) using adam()', 'minimize -mean(d(fake)) over g using adam()'],
      [`mean(d(fake) - d(point)): ${opposite('g')}`],
    ],
    [
      'anonymous layers',
      [
        'judged = fake |> linear(1)',
        'minimize bce(judged, 0) using adam()',
        'minimize bce(judged, 1) over g using adam()',
      ],
      [`bce(judged, 0): ${opposite('g')}`],
    ],
  ])('%s', (_, lines, expected) => {
    expect(found(gan(...lines))).toEqual(expected);
  });

  it.each([
    [
      'over each',
      [`minimize ${real} + bce(d(fake), 0) over d using adam()`, 'minimize bce(d(fake), 1) over g using adam()'],
    ],
    [
      'detach',
      [`minimize ${real} + bce(fake |> detach |> d, 0) using adam()`, 'minimize bce(d(fake), 1) over g using adam()'],
    ],
    [
      'two tasks',
      ['h = g(normal([B, 8]))', 'minimize mse(h, point) using adam()', 'minimize cross_entropy(h, label) using adam()'],
    ],
    [
      'the same target',
      [
        'minimize bce(d(fake), 1) over g using adam()',
        'minimize bce(d(fake), 1) over d using adam()',
        `minimize ${real} over d using sgd()`,
      ],
    ],
    ['another slice', ['minimize mean(fake[:, 0]) using adam()', 'minimize -mean(fake[:, 1]) using adam()']],
    [
      'a frozen layer',
      ['freeze d', 'minimize bce(d(fake), 0) over d using adam()', 'minimize bce(d(fake), 1) over g, d using adam()'],
    ],
  ])('not with %s', (_, lines) => {
    expect(found(gan(...lines)).filter(f => f.includes('opposing'))).toEqual([]);
  });
});

const normed = (batch: number, layers: string, samples = 400) => `model Net(x: [B, 2]) -> [B, 2] {
  x |> ${layers} |> linear(2)
}

model Outer(x: [B, 2]) -> [B, 2] {
  x |> Net
}

data Points = moons(samples: ${samples}) {
  split validation: 0.5
  batch ${batch}
}

train t on Points {
  net = Outer()
  minimize cross_entropy(net(point), label) using adam()
  epochs 1
}
`;
const last = (rest: string) => `net: [batch-of-one] expected several values a channel for batch_norm, found ${rest}`;

describe('a batch of one sample', () => {
  it.each([
    [
      'at the end of an epoch',
      normed(199, 'linear(8) |> batch_norm'),
      [last('one sample in the last batch: 200 in batches of 199 leave 1')],
    ],
    ['always', normed(1, 'linear(8) |> batch_norm'), [last('batches of one sample')]],
    [
      'pooled images',
      normed(1, 'reshape([B, 1, 1, 2]) |> conv2d(4, kernel: [1, 2]) |> batch_norm |> flatten'),
      [last('batches of one sample')],
    ],
    ['no batch norm', normed(199, 'linear(8) |> layer_norm'), []],
    ['batches that divide', normed(50, 'linear(8) |> batch_norm'), []],
    ['images', normed(1, 'reshape([B, 1, 1, 2]) |> batch_norm |> flatten'), []],
  ])('%s', (_, program, expected) => {
    expect(found(program)).toEqual(expected);
  });

  it('names the nearest batch that leaves more, and where the batch is said', () => {
    const text = normed(3, 'linear(8) |> batch_norm', 200);
    const [fact] = fixture(text).analysis.facts;
    expect(renderFact(fact!).help).toBe('use batches of 4');
    expect(fact!.related.map(r => text.slice(r.location.start, r.location.end))).toEqual(['3', 'Net']);
  });
});

const layers = (body: string, call = 'net(point)', header = 'x: [B, T, D]') => `model Net(${header}) {
  ${body}
}

data Points = moons() {
  point = point |> reshape([2, 1])
  batch 50
}

train t on Points {
  net = Net()
  minimize mean(${call}) using adam()
  epochs 1
}
`;
const decided = (axis: string, size = 'B') =>
  `[batch-axis] expected a size known before training for ${axis}, found ${size}, which the batch decides`;

describe('the batch out of place', () => {
  it.each([
    ['recurrent', layers('x |> transpose(0, 1) |> lstm(8)'), [`lstm: ${decided('T of lstm')}`]],
    ['as an argument', layers('gru(x |> transpose(0, 1), 8)'), [`x |> transpose(0, 1): ${decided('T of gru')}`]],
    ['scan', layers('scan t in x |> transpose(0, 1) { t }'), [`x |> transpose(0, 1): ${decided('T of scan')}`]],
    ['linear', layers('x |> transpose(0, 2) |> linear(3)'), [`linear: ${decided('in of linear')}`]],
    ['folded', layers('x |> transpose(0, 1) |> flatten |> linear(3)'), [`linear: ${decided('in of linear', 'B * D')}`]],
    ['convolution', layers('x |> transpose(0, 1) |> conv1d(3, kernel: 1)'), [`conv1d: ${decided('C of conv1d')}`]],
    [
      'known at the call alone',
      layers('y |> lstm(8)', 'net(point |> transpose(0, 1))', 'y: [S, T, D]'),
      [`net: ${decided('T of lstm')}`],
    ],
    ['first', layers('x |> lstm(8)'), []],
    ['another name', layers('y |> transpose(0, 1) |> lstm(8)', 'net(point |> transpose(0, 1))', 'y: [T, S, D]'), []],
    ['attention over the batch', layers('x |> transpose(0, 1) |> self_attention(heads: 1)'), []],
    ['a table', layers('y |> transpose |> linear(3)', 'net(normal([6, 4]))', 'y: [N, D]'), []],
  ])('%s', (_, program, expected) => {
    expect(found(program)).toEqual(expected);
  });

  it('names the place in the model that counts on it', () => {
    const text = layers('y |> lstm(8)', 'net(point |> transpose(0, 1))', 'y: [S, T, D]');
    const [fact] = fixture(text).analysis.facts;
    expect(fact!.related.map(r => text.slice(r.location.start, r.location.end))).toEqual(['lstm']);
  });
});

describe('a layer that nothing trains', () => {
  it.each([
    [
      'over another',
      [`minimize ${real} + bce(d(fake), 0) over d using adam()`],
      ['g: [untrained-layer] expected a minimize that moves the weights of g, found none'],
    ],
    [
      'behind detach',
      [`minimize ${real} + bce(fake |> detach |> d, 0) using adam()`],
      ['g: [untrained-layer] expected a minimize that moves the weights of g, found none'],
    ],
    ['frozen', ['freeze g', `minimize ${real} + bce(d(fake), 0) over d using adam()`], []],
    ['a part of it', ['freeze g.linear_1', `minimize ${real} + bce(d(fake), 0) using adam()`], []],
    ['a function', ['act = leaky_relu(0.2)', `minimize ${real} + bce(fake |> act |> d, 0) using adam()`], []],
  ])('%s', (_, lines, expected) => {
    expect(found(gan(...lines))).toEqual(expected);
  });
});

describe('a loss without gradient', () => {
  it.each([
    [
      'behind detach',
      ['minimize bce(d(fake), 0) over d using adam()', 'minimize bce(fake |> detach |> d, 1) over g using adam()'],
      [`g: ${lacking('g')}`],
    ],
    [
      'behind whole numbers',
      ['minimize mean(argmax(fake) |> one_hot) over g using adam()', `minimize ${real} over d using adam()`],
      [`g: ${lacking('g')}`],
    ],
    [
      'of another layer',
      [`minimize ${real} + mean(fake) over d, g using adam()`, `minimize ${real} over d, g using adam()`],
      [`g: ${lacking('g')}`],
    ],
    [
      'of no layer',
      [`minimize ${real} + mean(fake) using adam()`, 'minimize mean(point) using adam()'],
      [`mean(point): ${lacking('weights')}`],
    ],
  ])('%s', (_, lines, expected) => {
    expect(found(gan(...lines))).toEqual(expected);
  });

  it.each([
    [
      'scan',
      [
        'minimize mean(scan t in point |> unsqueeze(1) from h = (point |> linear(2)) { h = h + (t |> linear(2)) }) using adam()',
        `minimize ${real} + mean(fake) using adam()`,
      ],
    ],
    [
      'parts of a model',
      [`minimize ${real} over d.linear_1 using adam()`, 'minimize bce(d(fake), 1) over g using adam()'],
    ],
    [
      'a soft choice',
      [
        'minimize mean(select(label > 0, sum(fake, -1), sum(point, -1))) over g using adam()',
        `minimize ${real} over d using adam()`,
      ],
    ],
  ])('not through %s', (_, lines) => {
    expect(found(gan(...lines)).filter(f => f.includes('no-gradient'))).toEqual([]);
  });
});
