/** From a checked program to the Program that the engine trains. */
import { describe, expect, it } from 'vitest';
import { evaluateGraph } from '../../../engine/backend/reference/evaluateGraph.ts';
import { showDim } from '../../../engine/dim/dim.ts';
import { bindGraph } from '../../../engine/ir/bind.ts';
import type { Graph } from '../../../engine/ir/graph.ts';
import { printGraph } from '../../../engine/ir/print.ts';
import type { Program } from '../../../engine/ir/program.ts';
import { lower } from '../../../server/lang/lower/lower.ts';
import { fixture } from '../../support/fixture.ts';
import { randomLeaves } from '../../support/runSchedule.ts';
import { difference } from '../../support/samples.ts';

const model =
  'model Net(x: [B, 784]) -> [B, 10] {\n  fc1 = linear(32)\n  x |> fc1 |> relu |> dropout(0.2) |> linear(10)\n}\n';
const data =
  'data Digits = digits(samples: 100) {\n  image = image |> scale(1 / 255) |> flatten\n  split validation: 0.1\n  batch 16\n}\n';
const train = (lines: string) => `train t on Digits {\n${lines}\n  epochs 3\n}\n`;
const usual =
  '  net = Net()\n  logits = net(image)\n  minimize cross_entropy(logits, label) using adam(lr: cosine(0.01))\n  report accuracy(logits, label)';

function program(text: string, files?: Readonly<Record<string, string>>): Program {
  const result = lower(fixture(text, files).analysis);
  if (result.kind !== 'program') throw new Error(JSON.stringify(result));
  return result.program;
}

const ops = (graph: Graph) => graph.nodes.map(n => n.op);
const named = (graph: Graph, op: string) => graph.nodes.filter(n => n.op === op).map(n => String(n.attributes.name));

describe('a train block', () => {
  const p = program(model + data + train(usual));

  it('names weights as PyTorch does, in order of use', () => {
    expect(p.parameters.map(w => `${w.name} [${w.shape.join(', ')}]`)).toEqual([
      'net.fc1.weight [32, 784]',
      'net.fc1.bias [32]',
      'net.linear_1.weight [10, 32]',
      'net.linear_1.bias [10]',
    ]);
    expect(p.parameters[0]?.init).toEqual({ kind: 'uniform', bound: 1 / Math.sqrt(784) });
  });

  it('fills in all defaults of the optimiser, schedules nested', () => {
    expect(p.objectives).toEqual([
      {
        loss: 'loss',
        over: p.parameters.map(w => w.name),
        optimizer: {
          name: 'adam',
          args: {
            lr: { name: 'cosine', args: { lr: 0.01, steps: 0, min: 0 } },
            beta1: 0.9,
            beta2: 0.999,
            eps: 1e-8,
            weight_decay: 0,
            amsgrad: false,
            decay_vectors: true,
          },
        },
      },
    ]);
  });

  it('reads fields and weights, and gives the loss and the reports', () => {
    expect(named(p.train, 'input')).toEqual(['image', 'label', 'seed', 'step']);
    expect(named(p.train, 'state')).toEqual(p.parameters.map(w => w.name));
    expect(p.train.outputs.map(o => o.name)).toEqual(['loss', 'accuracy']);
    expect(p.reports).toEqual([{ name: 'accuracy', better: 'higher' }]);
  });

  it('has no dropout in evaluation', () => {
    expect(ops(p.train)).toContain('random_bits');
    expect(ops(p.evaluate)).not.toContain('random_bits');
    expect(named(p.evaluate, 'input')).toEqual(['image', 'label']);
  });

  it('prepares the fields: bytes to f32, samples as batches', () => {
    expect(printGraph(p.data.prepare)).toContain('input {name: "image"} : u8[B, 28, 28]');
    expect(p.data.prepare.outputs.map(o => o.name)).toEqual(['image', 'label']);
    expect(p.data.augment).toBeUndefined();
  });

  it('carries the places in the source', () => {
    const labels = new Set(p.train.nodes.map(n => n.label));
    expect([...labels]).toEqual(expect.arrayContaining(['net.fc1', 'net.relu', 'net.linear_1', 'cross_entropy']));
  });

  it('plans data and run', () => {
    const { source, split, batch, shuffle } = p.data;
    expect({ source, split, batch, shuffle }).toEqual({
      source: { name: 'digits', args: { samples: 100, seed: 0 } },
      split: { validation: 0.1 },
      batch: 16,
      shuffle: true,
    });
    expect(p.run).toEqual({ epochs: 3, seed: 0, device: 'auto' });
  });

  it('is plain data', () => {
    expect(JSON.parse(JSON.stringify(p))).toEqual(p);
  });
});

describe('settings', () => {
  it('go into the plan of the run', () => {
    const p = program(
      model +
        data +
        train(`${usual}\n  stop early(patience: 4, monitor: validation.accuracy)\n  clip 1.5\n  device cpu\n  seed 7`),
    );
    expect(p.run).toEqual({
      epochs: 3,
      seed: 7,
      device: 'cpu',
      clip: 1.5,
      stop: { monitor: 'validation.accuracy', patience: 4, minDelta: 0 },
    });
  });

  it('of the updates too', () => {
    const lines =
      '  clip 2, value: 0.5\n  accumulate 4\n  average 0.99\n  checkpoint every: 2, keep: 3\n  precision mixed';
    expect(program(model + data + train(`${usual}\n${lines}`)).run).toMatchObject({
      clip: 2,
      clipValue: 0.5,
      accumulate: 4,
      average: 0.99,
      precision: 'mixed',
      checkpoint: { every: 2, keep: 3 },
    });
  });

  it('sweep makes a program of each combination', () => {
    const { analysis } = fixture(
      data +
        train(
          '  sweep rate: [0.1, 0.01], width: [8, 16]\n  minimize cross_entropy(image |> linear(width) |> linear(10), label) using sgd(lr: rate)',
        ),
    );
    const first = lower(analysis);
    const choices = first.kind === 'program' ? first.choices : [];
    expect(choices).toEqual([
      { rate: 0.1, width: 8 },
      { rate: 0.1, width: 16 },
      { rate: 0.01, width: 8 },
      { rate: 0.01, width: 16 },
    ]);
    const made = [undefined, ...choices].map(choice => {
      const result = lower(analysis, 't', choice);
      if (result.kind !== 'program') throw new Error(JSON.stringify(result));
      const { choice: chosen, parameters, objectives } = result.program;
      return { chosen, width: parameters[0]!.shape[0], rate: objectives[0]!.optimizer.args.lr };
    });
    expect(made).toEqual([choices[0]!, ...choices].map(chosen => ({ chosen, ...chosen })));
  });

  it('a sweep with a number of runs draws that many combinations, each once, by the seed', () => {
    const drawn = (runs: number, seed: number) => {
      const lists = 'sweep rate: [0.1, 0.03, 0.01], width: [8, 16, 32, 64]';
      const text = `  ${lists}, runs: ${runs}\n  minimize cross_entropy(image |> linear(width) |> linear(10), label) using sgd(lr: rate)\n  seed ${seed}`;
      const result = lower(fixture(data + train(text)).analysis);
      if (result.kind !== 'program') throw new Error(JSON.stringify(result));
      expect(result.program.choice).toEqual(result.choices[0]);
      return result.choices.map(choice => `${choice.rate} ${choice.width}`);
    };
    const all = new Set(drawn(12, 0));
    expect(all.size).toBe(12);
    const times = new Map<string, number>();
    for (let seed = 0; seed < 300; seed++) {
      const some = drawn(4, seed);
      expect([some.length, new Set(some).size, some.every(choice => all.has(choice))]).toEqual([4, 4, true]);
      for (const choice of some) times.set(choice, (times.get(choice) ?? 0) + 1);
    }
    expect(drawn(4, 7)).toEqual(drawn(4, 7));
    // 300 draws of 4 of 12: each is expected 100 times, with a standard deviation of 8.2.
    for (const count of times.values()) expect(Math.abs(count - 100)).toBeLessThan(4 * 8.2);
    expect(drawn(50, 0)).toEqual([...all]);
  });

  it('freeze leaves weights as they are', () => {
    const p = program(model + data + train(`${usual}\n  freeze net.fc1`));
    expect(p.parameters.filter(w => !w.trainable).map(w => w.name)).toEqual(['net.fc1.weight', 'net.fc1.bias']);
    expect(p.objectives[0]?.over).toEqual(['net.linear_1.weight', 'net.linear_1.bias']);
  });
});

describe('several objectives', () => {
  const p = program(
    `${data}${train('  a = linear(10)\n  b = linear(10)\n  x = image |> a\n  minimize cross_entropy(x, label) over a using sgd()\n  minimize cross_entropy(detach(x) |> relu |> b, label) using adam()')}`,
  );
  it('have a loss each, and move what they name or what gradients reach', () => {
    expect(p.train.outputs.map(o => o.name)).toEqual(['loss_1', 'loss_2']);
    expect(p.objectives.map(o => o.over)).toEqual([
      ['a.weight', 'a.bias'],
      ['b.weight', 'b.bias'],
    ]);
  });
});

describe('sharing', () => {
  const layers = (body: string) =>
    program(
      `model M(x: [B, 784]) -> [B, 10] {\n${body}\n}\n${data}${train('  net = M()\n  minimize cross_entropy(net(image), label) using adam()')}`,
    );
  it('a layer applied twice has one set of weights', () => {
    expect(layers('  f = linear(784)\n  x |> f |> f |> linear(10)').parameters).toHaveLength(4);
  });
  it('repeat has fresh ones each turn', () => {
    const names = layers('  repeat 2 { x = x |> linear(8) }\n  x |> linear(10)').parameters.map(w => w.name);
    expect(names.filter(n => n.endsWith('weight'))).toEqual([
      'net.repeat_1.0.linear_1.weight',
      'net.repeat_1.1.linear_1.weight',
      'net.linear_1.weight',
    ]);
  });
  it('if selects by the value at the call', () => {
    const text = `model M(x: [B, 784], deep: bool) -> [B, 10] {\n  if deep { x = x |> linear(784) }\n  x |> linear(10)\n}\n${data}`;
    const at = (deep: boolean) =>
      program(`${text}${train(`  minimize cross_entropy(image |> M(deep: ${deep}), label) using adam()`)}`);
    expect(at(true).parameters).toHaveLength(4);
    expect(at(false).parameters).toHaveLength(2);
  });
  it('scan shares its weights among the turns', () => {
    const text =
      'model R(x: [B, T, 28]) -> [B, 10] {\n  hs = scan t in x from h = (x[:, 0] |> linear(4)) {\n    h = tanh((t |> linear(4)) + (h |> linear(4)))\n    h\n  }\n  hs[:, -1] |> linear(10)\n}\n';
    const p = program(
      `${text}data Digits = digits() {\n  batch 8\n}\n${train('  net = R()\n  minimize cross_entropy(net(image), label) using adam()')}`,
    );
    expect(p.parameters.map(w => w.name).filter(n => n.endsWith('weight'))).toEqual([
      'net.linear_1.weight',
      'net.scan_1.linear_1.weight',
      'net.scan_1.linear_2.weight',
      'net.linear_2.weight',
    ]);
    expect(p.train.outputs).toHaveLength(1);
    expect(p.train.nodes.filter(({ op }) => op === 'scan').map(({ attributes }) => attributes.length)).toEqual([28]);
  });
  it.each([
    ['random numbers', 'dropout(0.5)'],
    ['running statistics', 'batch_norm'],
    ['nothing but its inputs and weights', 'layer_norm'],
  ])('scan is a loop: a body of %s', (_, stage) => {
    const text = `model R(x: [B, T, 28]) -> [B, 10] {\n  hs = scan t in x from h = (x[:, 0] |> linear(4)) {\n    h = tanh((t |> linear(4)) + (h |> ${stage}))\n    h\n  }\n  hs[:, -1] |> linear(10)\n}\n`;
    const p = program(
      `${text}data Digits = digits() {\n  batch 8\n}\n${train('  net = R()\n  minimize cross_entropy(net(image), label) using adam()')}`,
    );
    const count = (graph: Graph) => graph.nodes.filter(({ op }) => op === 'scan').length;
    expect({ train: count(p.train), evaluate: count(p.evaluate) }).toEqual({ train: 1, evaluate: 1 });
    const streams = p.train.nodes.filter(({ op }) => op === 'random_bits').map(({ attributes }) => attributes.stream);
    expect(streams).toEqual([...streams.keys()]);
    expect(
      p.train.nodes.filter(({ op, attributes }) => op === 'input' && / from /.test(String(attributes.name))),
    ).toEqual([]);
  });
});

it.each([
  ['of a layer', '  h = (t |> norm) + 0.5 * h'],
  ['of a layer that it meets twice', '  h = (t |> norm) + 0.5 * (h |> norm)'],
  [
    'of a layer in a loop inside it',
    '  hs = scan u in unsqueeze(t, 1) from g = h {\n    g = (u |> norm) + g\n    g\n  }\n  h = hs[:, 0]',
  ],
])('scan hands running statistics from turn to turn, those %s', (_, turn) => {
  const state = (body: string) => {
    const text = `model R(x: [B, T, D]) -> [B, 10] {\n  norm = batch_norm\n  h = x[:, 5]\n${body}\n  h |> linear(10)\n}\n`;
    const digits = 'data Digits = digits(samples: 100) {\n  batch 8\n}\n';
    const minimized = train('  net = R()\n  minimize cross_entropy(net(image), label) using adam()');
    const graph = bindGraph(program(text + digits + minimized).train, { B: 3 });
    return evaluateGraph(graph, randomLeaves(graph));
  };
  const looped = state(`  hs = scan t in x[:, 10:13] from h = h {\n  ${turn}\n    h\n  }\n  h = hs[:, -1]`);
  const expected = state([10, 11, 12].map(t => `  t = x[:, ${t}]\n${turn}`).join('\n'));
  expect(Object.keys(expected)).toContain('net.norm.running_mean');
  for (const [name, { data }] of Object.entries(expected))
    expect(difference(looped[name]!.data, data)).toBeLessThan(1e-9);
});

it('slices with steps', () => {
  const cut = 'model Cut(x: [B, T], by: int) {\n  x[::2, 3:-1:by]\n}\n';
  const p = program(`${cut}${data}${train('  minimize mean(image |> Cut(5) |> linear(1)) using adam()')}`);
  const [slice] = p.train.nodes.filter(n => n.op === 'slice');
  expect(slice?.attributes).toMatchObject({ starts: [0, 3], steps: [2, 5] });
  expect(slice?.type.shape.map(showDim)).toEqual(['(B + 1) / 2', '156']);
});

describe('augmentation', () => {
  const p = program(
    model + data.replace('  split', '  augment { image = image |> shift(2) |> rotate(10) }\n  split') + train(usual),
  );
  it('maps fields to fields with random numbers of its own', () => {
    expect(p.data.augment?.outputs.map(o => o.name)).toEqual(['image']);
    const streams = (g: Graph | undefined) =>
      g?.nodes.filter(n => n.op === 'random_bits').map(n => Number(n.attributes.stream)) ?? [];
    expect(streams(p.data.augment).some(s => streams(p.train).includes(s))).toBe(false);
  });
});

describe('imports', () => {
  it('bring models and data', () => {
    const files = { 'file:///project/lib.strata': model + data };
    const p = program(`import Net, Digits from "lib.strata"\n${train(usual)}`, files);
    expect(p.parameters).toHaveLength(4);
    expect(p.data.name).toBe('Digits');
  });
});

describe('refusals', () => {
  it('an error in what the block uses', () => {
    const result = lower(fixture(model.replace('linear(10)', 'linear(12)') + data + train(usual)).analysis);
    expect(result).toMatchObject({ kind: 'errors', facts: [{ code: 'shape-mismatch' }] });
  });
  it('not an error elsewhere', () => {
    const other = 'model Other(x: [B, 4]) -> [B, 5] {\n  x\n}\n';
    expect(lower(fixture(other + model + data + train(usual)).analysis).kind).toBe('program');
  });
  it('a name that is no train block', () => {
    const { analysis } = fixture(model + data + train(usual));
    expect(lower(analysis, 'x')).toEqual({ kind: 'unknown-train', names: ['t'] });
  });
  it('data that is not known yet', () => {
    const { analysis } = fixture(
      'data D = csv("a.csv")\ntrain t on D {\n  minimize mse(y, 0) using adam()\n  epochs 1\n}\n',
    );
    expect(lower(analysis)).toMatchObject({ kind: 'errors', facts: [{ code: 'unsupported' }] });
  });
  it('a loss without weights', () => {
    const { analysis } = fixture(`${data}${train('  minimize mean(image) using adam()')}`);
    expect(lower(analysis)).toMatchObject({ kind: 'errors', facts: [{ code: 'no-gradient' }] });
  });
  it('an objective without optimiser, also where a damaged model has silenced that', () => {
    const damaged = model.replace('-> [', '-> |> ');
    const { analysis } = fixture(damaged + data + train(usual.replace(/ using .*/, '')));
    expect(lower(analysis).kind).toBe('errors');
  });
});

describe('what is shown', () => {
  const shown = (lines: string) => program(model + data + train(`${usual}\n  ${lines}`));
  const format = (value: string) => shown(`show ${value}`).views?.map(view => view.as)[0];

  it('is computed by a graph of its own, and leaves those of training as they are', () => {
    const p = shown('show logits, extra: image |> linear(3), logits |> relu');
    const plain = program(model + data + train(usual));
    expect([printGraph(p.train), printGraph(p.evaluate)]).toEqual([
      printGraph(plain.train),
      printGraph(plain.evaluate),
    ]);
    expect(p.views?.map(view => view.name)).toEqual(['logits', 'extra', 'relu']);
    expect(p.infer?.outputs.map(o => o.name)).toEqual(['show.1', 'show.2', 'show.3', 'predict.label']);
    const names = (q: Program) => q.parameters.map(w => w.name);
    expect(names(p)).toEqual([...names(plain), 'show.linear_1.weight', 'show.linear_1.bias']);
  });

  it('looks like what its shape says', () => {
    const image = { kind: 'image', channels: 1, height: 28, width: 28, order: 'planes' };
    expect(format('image')).toEqual(image);
    expect(format('reshape(image, [B, 1, 28, 28])')).toEqual(image);
    expect(format('reshape(image, [B, 14, 56])')).toEqual({ ...image, height: 14, width: 56 });
    expect(format('reshape(image, [B, 14, 14, 4])')).toEqual({ kind: 'numbers' });
    expect(format('normal([16, 28, 28, 3])')).toEqual({
      ...image,
      channels: 3,
      order: 'pixels',
    });
    expect(format('logits')).toEqual({ kind: 'numbers' });
    expect(format('label')).toEqual({ kind: 'numbers' });
  });

  it('knows what the losses compare with fields', () => {
    const p = program(model + data + train(usual));
    expect(p.predictions).toEqual([{ output: 'predict.label', target: 'label', as: 'scores' }]);
    expect(named(p.infer!, 'input')).toEqual(['image']);
  });

  it.each([
    ['in another type', 'bce(image |> linear(1) |> squeeze, 1.0 * label)', 'odds'],
    ['and again', 'mse(image |> linear(1) |> squeeze, label * 1 * 1.0)', 'value'],
  ])('knows a field %s', (_, loss, as) => {
    const p = program(model + data + train(`  minimize ${loss} using adam()`));
    expect(p.predictions).toEqual([{ output: 'predict.label', target: 'label', as }]);
  });

  it('takes no other target for the field that it is made of', () => {
    const target = 'cross_entropy(image |> linear(2), label % 2)';
    expect(program(model + data + train(`  minimize ${target} using adam()`)).predictions).toBeUndefined();
  });

  it('is drawn from scores of one field alone', () => {
    const made = 'data Made = sequences(length: 16, symbols: 10) { batch 8 }\n';
    const text = (scores: string) =>
      `${made}train t on Made {\n  x = tokens |> embedding(8) |> linear(10)\n  y = next |> embedding(8) |> linear(10)\n  minimize cross_entropy(x, next) using adam()\n  generate ${scores}, prompt: "1"\n  epochs 1\n}\n`;
    expect(program(text('x')).views).toEqual([
      { name: 'x', output: 'show.1', as: { kind: 'generate', prompt: '1', tokens: 200, temperature: 1 } },
    ]);
    expect(() => program(text('x + y'))).toThrow(/scores that depend on tokens, next/);
    expect(() => program(text('normal([B, 16, 10])'))).toThrow(/scores that depend on no field/);
  });
});
