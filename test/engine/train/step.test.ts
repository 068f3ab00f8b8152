/** Step graphs: batches, partial batches, evaluation, several objectives, running statistics, the guard against NaN, augmentation. */
import { describe, expect, it } from 'vitest';
import type { Program } from '../../../engine/ir/program.ts';
import { GraphBuilder, type Value } from '../../../engine/ops/builder.ts';
import { initialParameters } from '../../../engine/train/initialize.ts';
import { buildSteps, type Counts, ORDER, passOf, trainEntry } from '../../../engine/train/step.ts';
import { type Interpreter, interpreter } from '../../support/interpret.ts';
import { call, type TestContext } from '../../support/macros.ts';
import { B, graphs, mlpProgram, program } from '../../support/programs.ts';

const sgd = call('sgd', 'optimizer', { lr: 0.1 });
const none = { validation: 0, test: 0 };

function field(context: TestContext, name: string, shape: readonly number[] = []): Value {
  return context.b.input(name, { dtype: 'f32', shape: [B, ...shape] });
}

/** A machine with the order of samples as stored, and the fields written. */
function machineOf(from: Program, counts: Counts, fields: Readonly<Record<string, readonly number[]>>): Interpreter {
  const machine = interpreter(buildSteps(from, counts));
  machine.write(ORDER, [...Array(counts.train).keys()]);
  for (const [name, values] of Object.entries(fields)) machine.write(name, values);
  return machine;
}

/** One weight `w`, loss mean(w * x): its gradient is the mean of the batch. */
function meanProgram(batch: number, run = {}): Program {
  const parts = graphs(context => {
    const w = context.parameter('w', [1], { kind: 'constant', value: 1 });
    const { b } = context;
    return {
      loss: b.div(
        b.sum(b.mul(field(context, 'x'), w)),
        batch === 1 ? 1 : b.sum(b.constant(1, { dtype: 'f32', shape: [B] })),
      ),
    };
  });
  return program(parts, batch, [{ loss: 'loss', over: ['w'], optimizer: sgd }], run);
}

describe('batches', () => {
  const counts = { ...none, train: 5 };

  it('walk the order of the epoch, end in a partial batch and begin again', () => {
    const machine = machineOf(meanProgram(2, { epochs: 2 }), counts, { 'train.x': [1, 2, 3, 4, 10], params: [1] });
    machine.write(ORDER, [4, 0, 1, 2, 3]);
    const { layout } = buildSteps(meanProgram(2, { epochs: 2 }), counts);
    const seen: number[] = [];
    for (let step = 0; step < layout.steps; step++) {
      const before = machine.read('params')[0]!;
      machine.run(trainEntry(layout, step));
      seen.push((before - machine.read('params')[0]!) / 0.1);
    }
    const means = [5.5, 2.5, 4];
    for (const [i, mean] of [...means, ...means].entries()) expect(seen[i]).toBeCloseTo(mean, 10);
    expect(machine.read('step')[0]).toBe(6);
    expect(passOf(layout, 'train')).toEqual({ full: 2, rest: 1 });
  });

  it('larger than the data are refused with what to do', () => {
    expect(() => buildSteps(meanProgram(8), counts)).toThrow(/batch of at most 5 training samples, found 8/);
  });

  it('record loss and learning rate a row a step', () => {
    const machine = machineOf(meanProgram(1, { steps: 5 }), counts, { 'train.x': [1, 2, 3, 4, 5], params: [1] });
    for (let step = 0; step < 3; step++) machine.run('train');
    const ring = machine.read('ring');
    // 1 * 1, then (1 - 0.1) * 2, then (0.9 - 0.2) * 3.
    expect([...ring.slice(0, 6)].map(v => Number(v.toFixed(6)))).toEqual([1, 0.1, 1.8, 0.1, 2.1, 0.1]);
  });
});

describe('accumulated gradients', () => {
  const features = Array.from({ length: 14 * 3 }, (_, i) => Math.sin(i * 1.7));
  const labels = Array.from({ length: 14 }, (_, i) => i % 2);
  const adam = call('adam', 'optimizer', { lr: call('exponential_decay', 'schedule', { lr: 0.1, gamma: 0.5 }) });

  /** The parameters after each epoch of 14 samples. */
  const trained = (batch: number, run: Program['run'] | object): number[][] => {
    const from = mlpProgram({ sizes: [3, 4, 2], batch, optimizer: adam, run: { epochs: 3, ...run } });
    const machine = machineOf(from, { ...none, train: 14 }, { 'train.features': features, 'train.label': labels });
    const { layout } = buildSteps(from, { ...none, train: 14 });
    machine.write(
      'params',
      Array.from({ length: layout.groups[0]!.length }, (_, i) => Math.cos(i)),
    );
    return [0, 1, 2].map(epoch => {
      for (let i = 0; i < layout.stepsPerEpoch; i++) machine.run(trainEntry(layout, epoch * layout.stepsPerEpoch + i));
      return [...machine.read('params')];
    });
  };

  it.each([
    ['a batch four times larger', 2, 4, 8],
    ['a batch of the whole epoch where it is longer', 4, 9, 14],
  ])('are those of %s, the partial one at the end of an epoch included', (_, batch, accumulate, large) => {
    const [found, expected] = [trained(batch, { accumulate, clip: 0.5 }), trained(large, { clip: 0.5 })];
    for (const [epoch, values] of found.entries())
      for (const [i, value] of values.entries()) expect(value).toBeCloseTo(expected[epoch]![i]!, 7);
  });

  it('move the weights with the last of the batches alone', () => {
    const from = meanProgram(1, { accumulate: 3, epochs: 1 });
    const machine = machineOf(from, { ...none, train: 5 }, { 'train.x': [3, 6, 9, 2, 4], params: [1] });
    const seen = Array.from({ length: 5 }, () => {
      machine.run('train');
      return [machine.read('params')[0]!, machine.read('params.gradient')[0]!].map(v => Number(v.toFixed(6)));
    });
    expect(seen).toEqual([
      [1, 1],
      [1, 3],
      [0.4, 0],
      [0.4, 1],
      [0.1, 0],
    ]);
  });
});

describe('limits of gradients', () => {
  it('by value leave each element within it, and notice what is not finite all the same', () => {
    const from = meanProgram(1, { clipValue: 2 });
    const machine = machineOf(
      from,
      { ...none, train: 4 },
      { 'train.x': [1, -5, 7, Number.POSITIVE_INFINITY], params: [1] },
    );
    const seen = Array.from({ length: 4 }, () => {
      machine.run('train');
      return Number(machine.read('params')[0]!.toFixed(6));
    });
    expect(seen).toEqual([0.9, 1.1, 0.9, 0.9]);
    expect(machine.read('bad')[0]).toBe(4);
  });
});

describe('frozen weights', () => {
  it('have no state of an optimiser, and the step computes no gradient for them', () => {
    const base = mlpProgram({ sizes: [6, 5, 3], batch: 2, optimizer: call('adam', 'optimizer', {}) });
    const cold = (name: string) => name.startsWith('net.fc1');
    const from: Program = {
      ...base,
      parameters: base.parameters.map(p => ({ ...p, trainable: !cold(p.name) })),
      objectives: base.objectives.map(o => ({ ...o, over: o.over.filter(name => !cold(name)) })),
    };
    const { layout, entries } = buildSteps(from, { ...none, train: 2 });
    expect(layout.moments.map(m => [m.buffer, m.group.length])).toEqual([
      ['params.m', 18],
      ['params.v', 18],
    ]);
    expect(entries[0]!.outputs.map(o => o.name)).not.toContain('frozen');
    const products = (graph: Program['train']) => graph.nodes.filter(n => n.op === 'matmul').length;
    // Two products forwards, and one backwards: that of the second weight.
    expect(products(entries[0]!)).toBe(3);
    expect(products(buildSteps(base, { ...none, train: 2 }).entries[0]!)).toBeGreaterThan(3);
  });
});

describe('the average of the weights', () => {
  it('starts as the first updated ones, follows each update, and is what evaluation uses', () => {
    const from = meanProgram(1, { average: 0.5, epochs: 1 });
    const counts = { train: 3, validation: 1, test: 0 };
    const machine = machineOf(from, counts, { 'train.x': [1, 2, 4], 'validation.x': [1], params: [1] });
    const seen = [0, 1, 2].map(() => {
      machine.run('train');
      return Number(machine.read('params.average')[0]!.toFixed(6));
    });
    expect(seen).toEqual([0.9, 0.8, 0.55]); // of 0.9, 0.7, 0.3
    machine.run('validation');
    expect(machine.read('sums')[0]).toBeCloseTo(0.55, 6);
  });
});

describe('evaluation', () => {
  it('weighs batches by their size, so that the sums are those of the split', () => {
    const counts = { train: 2, validation: 5, test: 1 };
    const machine = machineOf(meanProgram(2), counts, { params: [3], 'validation.x': [1, 2, 3, 4, 10], 'test.x': [7] });
    machine.run('validation');
    machine.run('validation');
    machine.run('validationLast');
    expect(machine.read('sums')[0]! / 5).toBeCloseTo((3 * 20) / 5, 5);
    machine.write('sums', [0]);
    machine.write('evaluated', [0]);
    machine.run('testLast');
    expect(machine.read('sums')[0]).toBeCloseTo(21, 5);
    expect(machine.read('params')[0]).toBe(3);
  });
});

describe('the guard', () => {
  it.each([Number.NaN, Number.POSITIVE_INFINITY])(
    'keeps the last good weights when a batch holds %d, and stays',
    value => {
      const momentum = call('sgd', 'optimizer', { lr: 0.1, momentum: 0.9 });
      const from = { ...meanProgram(1), objectives: [{ loss: 'loss', over: ['w'], optimizer: momentum }] };
      const machine = machineOf(from, { ...none, train: 3 }, { 'train.x': [1, value, 1], params: [1] });
      machine.run('train');
      const good = [machine.read('params')[0], machine.read('params.m')[0]];
      for (let i = 0; i < 3; i++) machine.run('train');
      expect([machine.read('params')[0], machine.read('params.m')[0]]).toEqual(good);
      expect(machine.read('bad')[0]).toBe(2);
      expect(machine.read('step')[0]).toBe(1);
    },
  );
});

describe('several objectives', () => {
  /** d * g * x is minimised over d, then maximised over g: the second sees what the first has made of d. */
  const adversarial = () => {
    const parts = graphs(context => {
      const { b } = context;
      const [d, g] = ['d', 'g'].map(name => context.parameter(name, [], { kind: 'constant', value: 1 }));
      context.parameter('still', [2], { kind: 'constant', value: 5 });
      const product = b.mul(b.mul(d!, g!), b.max(field(context, 'x')));
      return { loss_1: product, loss_2: b.neg(product) };
    });
    return program(parts, 1, [
      { loss: 'loss_1', over: ['d'], optimizer: sgd },
      { loss: 'loss_2', over: ['g'], optimizer: call('adam', 'optimizer', { lr: 0.5 }) },
    ]);
  };

  it('update their own parameters in order, and leave the others', () => {
    const machine = machineOf(
      adversarial(),
      { ...none, train: 1 },
      { 'train.x': [2], params: [3], params2: [4], frozen: [5, 5] },
    );
    machine.run('train');
    const d = 3 - 0.1 * (4 * 2);
    expect(machine.read('params')[0]).toBeCloseTo(d, 6);
    expect(machine.read('params2')[0]).toBeCloseTo(4 + 0.5, 5);
    expect(machine.read('params2.m')[0]).toBeCloseTo(-0.1 * d * 2, 5);
    expect([...machine.read('frozen')]).toEqual([5, 5]);
    const { layout } = buildSteps(adversarial(), { ...none, train: 1 });
    expect(layout.ring.columns).toEqual(['loss', 'loss_1', 'loss_2', 'lr', 'lr_2']);
    // The second loss is -(d' * g * x), after d was updated.
    expect(machine.read('ring')[2]).toBeCloseTo(-d * 4 * 2, 5);
  });

  it('may share parameters, each with an optimiser state of its own', () => {
    const base = adversarial();
    const both = [
      { loss: 'loss_1', over: ['d', 'g'], optimizer: call('adam', 'optimizer', {}) },
      { loss: 'loss_2', over: ['g'], optimizer: call('adam', 'optimizer', {}) },
    ];
    const { layout } = buildSteps({ ...base, objectives: both }, { ...none, train: 1 });
    expect(layout.moments.map(m => m.buffer)).toEqual([
      'params.m',
      'params.v',
      'params2.m',
      'params2.v',
      'params2.m.2',
      'params2.v.2',
    ]);
  });
});

describe('running statistics', () => {
  it('are assigned by the train graph and read by evaluation', () => {
    const parts = graphs(context => {
      const { b } = context;
      const mean = context.statistic('mean', [1], 0);
      const x = b.sum(field(context, 'x'));
      mean.update(b.reshape(b.add(b.mul(b.sum(mean.value), 0.5), b.mul(x, 0.5)), [1]));
      const w = context.parameter('w', [], { kind: 'constant', value: 1 });
      return { loss: b.mul(w, context.training ? x : b.sum(mean.value)) };
    });
    const from = program(parts, 1, [{ loss: 'loss', over: ['w'], optimizer: sgd }]);
    const machine = machineOf(from, { train: 1, validation: 1, test: 0 }, { 'train.x': [4], params: [1] });
    machine.run('train');
    machine.run('train');
    expect(machine.read('statistics')[0]).toBe(3);
    machine.run('validation');
    expect(machine.read('sums')[0]).toBeCloseTo((1 - 0.8) * 3, 5);
  });
});

describe('augmentation', () => {
  it('changes training batches alone, anew every step', () => {
    const base = meanProgram(2);
    const b = new GraphBuilder();
    const scalar = { dtype: 'i32', shape: [] } as const;
    const draws = b.uniform(b.input('seed', scalar), b.input('step', scalar), [B], 0);
    const x = b.input('x', { dtype: 'f32', shape: [B] });
    const augment = b.finish('augment', [{ name: 'x', value: b.add(x, draws) }]);
    const from = { ...base, data: { ...base.data, augment } };
    const machine = machineOf(
      from,
      { train: 2, validation: 2, test: 0 },
      { 'train.x': [1, 1], 'validation.x': [1, 1], params: [1] },
    );
    machine.run('validation');
    expect(machine.read('sums')[0]).toBe(2);
    const shifts = [0, 1, 2].map(() => {
      const before = machine.read('params')[0]!;
      machine.run('train');
      return (before - machine.read('params')[0]!) / 0.1 - 1;
    });
    for (const shift of shifts) expect(shift > 0 && shift < 1).toBe(true);
    expect(new Set(shifts).size).toBe(3);
  });
});

describe('initial parameters', () => {
  const { layout } = buildSteps(mlpProgram({ sizes: [300, 40, 4], batch: 2, optimizer: sgd }), { ...none, train: 2 });
  const names = Object.keys(layout.parameters);
  const draw = (seed: number) => initialParameters(layout, names, seed).params!;

  it('are the same bits for the same seed, and others for another', () => {
    expect(draw(7)).toEqual(draw(7));
    expect(draw(7)).not.toEqual(draw(8));
  });

  it('are uniform within 1 / sqrt(in), differently in each parameter', () => {
    const { offset, length } = layout.parameters['net.fc1.weight']!;
    const weight = draw(7).subarray(offset, offset + length);
    const bound = 1 / Math.sqrt(300);
    expect(Math.max(...weight)).toBeLessThan(bound);
    expect(Math.max(...weight)).toBeGreaterThan(0.99 * bound);
    expect(Math.min(...weight)).toBeGreaterThanOrEqual(-bound);
    const variance = weight.reduce((sum, v) => sum + v * v, 0) / length;
    expect(variance / (bound * bound)).toBeCloseTo(1 / 3, 1);
    expect(draw(7)[layout.parameters['net.fc2.weight']!.offset]).not.toBe(weight[0]);
  });
});
