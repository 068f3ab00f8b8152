/** What transforms learnt stays with the weights: resumed runs and evaluations use it, whatever the data has become since. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { referenceBackend } from '../../../engine/backend/reference/reference.ts';
import { workspacePaths } from '../../../engine/data/paths.ts';
import { dimVar } from '../../../engine/dim/dim.ts';
import type { DataPlan, Program } from '../../../engine/ir/program.ts';
import { readCheckpoint } from '../../../engine/train/checkpoint.ts';
import { evaluateSplit } from '../../../engine/train/evaluate.ts';
import { prepareTraining } from '../../../engine/train/setup.ts';
import { createTrainer } from '../../../engine/train/trainer.ts';
import { temporaryFolder } from '../../support/files.ts';
import { apply, testContext } from '../../support/macros.ts';
import { moonsProgram } from '../../support/moons.ts';

const reference = async () => referenceBackend();
const open = { wasm: reference, webgpu: reference };
const NAME = 'features.standardize_1.moments';

/** Standardized moons; `noise` makes other points of as many samples. */
function program(noise: number): Program {
  const context = testContext();
  const { b } = context;
  const B = dimVar('B');
  const point = b.input('point', { dtype: 'f32', shape: [B, 2] });
  const named = {
    ...context,
    fitted: (name: string, ...rest: [Parameters<typeof context.fitted>[1], Parameters<typeof context.fitted>[2]]) =>
      context.fitted(`features.standardize_1.${name}`, ...rest),
  };
  const features = apply(named, 'standardize', { x: point }, 'transform');
  const data: Partial<DataPlan> = {
    source: { name: 'moons', args: { samples: 200, noise, seed: 0 } },
    prepare: b.finish('prepare', [
      { name: 'features', value: features },
      { name: 'label', value: b.input('label', { dtype: 'i32', shape: [B] }) },
      ...context.fits.map(fit => ({ name: fit.name, value: fit.values })),
    ]),
    fits: context.fits.map(({ name, statistic }) => ({ name, statistic })),
  };
  return moonsProgram({ data, run: { epochs: 2 } });
}

test('they are in the checkpoint, by field and transform, and come back from there', async () => {
  const folder = temporaryFolder();
  const paths = { last: 'last.safetensors', best: 'best.safetensors' };
  const resolvePath = workspacePaths(folder);
  const trainer = createTrainer({ program: program(0.1), folder, paths, resolvePath, open, emit: () => {} });
  expect((await trainer.run()).reason).toBe('finished');
  const path = join(folder, paths.last);
  const checkpoint = await readCheckpoint(path);
  const kept = checkpoint.tensors.get(`data.${NAME}`)!;
  expect(kept.shape).toEqual([2, 2]);

  const fresh = await prepareTraining({ program: program(0.4), resolvePath, open });
  expect(fresh.fitted[NAME]!.data).not.toEqual(kept.data);
  await fresh.session.dispose();
  const resumed = await prepareTraining({ program: program(0.4), resolvePath, open, resumeFrom: { checkpoint, path } });
  expect(resumed.fitted[NAME]).toEqual(kept);
  await resumed.session.dispose();

  const { metrics } = await evaluateSplit(
    { program: program(0.1), resolvePath, open, resumeFrom: { checkpoint, path } },
    'validation',
  );
  expect(metrics.loss).toBe(checkpoint.state.metrics['validation.loss']);

  const { [`data.${NAME}`]: _, ...rest } = Object.fromEntries(checkpoint.tensors);
  const without = { ...checkpoint, tensors: new Map(Object.entries(rest)) };
  await expect(
    prepareTraining({ program: program(0.1), resolvePath, open, resumeFrom: { checkpoint: without, path } }),
  ).rejects.toMatchObject({
    code: 'checkpoint-mismatch',
    message: expect.stringContaining(`expected what ${NAME} learnt from the data as "data.${NAME}", found none`),
  });
});
