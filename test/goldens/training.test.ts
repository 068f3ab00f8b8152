/** Curve parity with PyTorch: same initial weights, same batches, 100 steps with each optimiser. */
import { describe, expect, it } from 'vitest';
import { buildSteps, ORDER } from '../../engine/train/step.ts';
import { interpreter } from '../support/interpret.ts';
import { call } from '../support/macros.ts';
import { mlpProgram } from '../support/programs.ts';
import { expectDigest, type GoldenRun, type GoldenTraining, golden, relativeError } from './golden.ts';
import { type Net, problem } from './inputs.ts';

function stepsOf(net: Net, run: GoldenRun) {
  const lr = run.schedule ? call('step_decay', 'schedule', { ...run.schedule, lr: run.args.lr! }) : run.args.lr!;
  const program = mlpProgram({
    sizes: net.sizes,
    batch: net.batch,
    optimizer: call(run.optimizer, 'optimizer', { ...run.args, lr }),
    run: { steps: run.losses.length, ...(run.clip !== undefined && { clip: run.clip }) },
  });
  return buildSteps(program, { train: net.samples, validation: 0, test: 0 });
}

const small = golden<GoldenTraining>('training-small');
const { x, labels, parameters } = problem(small.net);
const names = ['net.fc1.weight', 'net.fc1.bias', 'net.fc2.weight', 'net.fc2.bias'];
const order = Int32Array.from(labels, (_, i) => i);

describe('100 steps on the reference backend', () => {
  it.each(Object.entries(small.runs))('%s follows the losses and weights of PyTorch', (_, run) => {
    const steps = stepsOf(small.net, run);
    const machine = interpreter(steps);
    machine.write('train.features', x);
    machine.write('train.label', labels);
    machine.write(ORDER, order);
    machine.write(
      'params',
      parameters.flatMap(p => [...p]),
    );
    for (let step = 0; step < run.losses.length; step++) machine.run('train');
    const { columns } = steps.layout.ring;
    const ring = machine.read('ring');
    const losses = run.losses.map((_, step) => ring[step * columns.length]!);
    expect(relativeError(losses, run.losses, 1e-3)).toBeLessThan(1e-4);
    for (const [i, name] of names.entries()) {
      const { offset, length } = steps.layout.parameters[name]!;
      expectDigest(machine.read('params').slice(offset, offset + length), run.weights[i]!, 1e-3, name);
    }
  });
});
