/** Trains a golden run of PyTorch on a backend: same initial weights, same batches. */
import type { Backend } from '../../engine/backend/backend.ts';
import { scheduleGraph } from '../../engine/kernel/schedule.ts';
import { BUFFERS, buildSteps, ORDER, type Steps } from '../../engine/train/step.ts';
import type { GoldenRun, GoldenTraining } from '../goldens/golden.ts';
import { problem } from '../goldens/inputs.ts';
import { call } from './macros.ts';
import { mlpProgram } from './programs.ts';

/** The step graphs of the run. */
export function goldenSteps({ net }: GoldenTraining, run: GoldenRun): Steps {
  const lr = run.schedule ? call('step_decay', 'schedule', { ...run.schedule, lr: run.args.lr! }) : run.args.lr!;
  const program = mlpProgram({
    sizes: net.sizes,
    batch: net.batch,
    optimizer: call(run.optimizer, 'optimizer', { ...run.args, lr }),
    run: { steps: run.losses.length, ...(run.clip !== undefined && { clip: run.clip }) },
  });
  return buildSteps(program, { train: net.samples, validation: 0, test: 0 });
}

/** The loss of each step and the weights after the last. */
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
    executable.write('params', Float32Array.from(parameters.flatMap(p => [...p])));
    executable.run('train', run.losses.length);
    await executable.sync();
    const ring = await executable.read(BUFFERS.ring);
    const losses = run.losses.map((_, step) => ring[step * layout.ring.columns.length]!);
    return { losses, weights: await executable.read('params'), layout };
  } finally {
    executable.dispose();
  }
}
