/** Trains a golden run of PyTorch on a backend: same initial weights, same batches. */
import type { Backend } from '../../engine/backend/backend.ts';
import { scheduleGraph } from '../../engine/kernel/schedule.ts';
import { BUFFERS, buildSteps, ORDER, type Steps } from '../../engine/train/step.ts';
import type { GoldenRun, GoldenTraining } from '../goldens/golden.ts';
import { problem } from '../goldens/inputs.ts';
import { call } from './macros.ts';
import { mlpProgram } from './programs.ts';

/** The step graphs of the run. */
export function goldenSteps({ net }: Pick<GoldenTraining, 'net'>, run: GoldenRun): Steps {
  const lr = run.schedule ? call('step_decay', 'schedule', { ...run.schedule, lr: run.args.lr! }) : run.args.lr!;
  const { clip, clipValue, average } = run;
  const program = mlpProgram({
    sizes: net.sizes,
    batch: net.batch,
    optimizer: call(run.optimizer, 'optimizer', { ...run.args, lr }),
    run: {
      steps: run.losses.length,
      ...(clip !== undefined && { clip }),
      ...(clipValue !== undefined && { clipValue }),
      ...(average !== undefined && { average }),
    },
  });
  return buildSteps(program, { train: net.samples, validation: 0, test: 0 });
}

const names = ['net.fc1.weight', 'net.fc1.bias', 'net.fc2.weight', 'net.fc2.bias'];

/** The loss of each step, and after the last the weights, their moving averages, and Adam's of the gradients. */
export async function trainGolden(backend: Backend, training: GoldenTraining, run: GoldenRun) {
  const { entries, layout } = goldenSteps(training, run);
  const executable = await backend.compile(entries.map(scheduleGraph));
  try {
    const { x, labels, parameters } = problem(training.net);
    executable.write('train.features', x);
    executable.write('train.label', Int32Array.from(labels));
    executable.write(
      ORDER,
      Int32Array.from(labels, (_, i) => i),
    );
    const places = names.map(name => layout.parameters[name]!);
    for (const [i, { buffer, offset }] of places.entries()) executable.write(buffer, parameters[i]!, offset);
    // SwiftShader slows down when many dispatches ride in one submit.
    const steps = run.losses.length;
    for (let done = 0; done < steps; done += 10) executable.run('train', Math.min(10, steps - done));
    await executable.sync();
    const ring = await executable.read(BUFFERS.ring);
    const losses = run.losses.map((_, step) => ring[step * layout.ring.columns.length]!);
    const read = (of: string) =>
      Promise.all(places.map(({ buffer, offset, length }) => executable.read(`${buffer}${of}`, offset, length)));
    return {
      names,
      losses,
      weights: await read(''),
      means: run.optimizer === 'adam' ? await read('.m') : [],
      averages: run.average === undefined ? [] : await read('.average'),
    };
  } finally {
    executable.dispose();
  }
}
