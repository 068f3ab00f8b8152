/** Losses of whole training runs on the interpreter against PyTorch's. */
import { expect, it } from 'vitest';
import { referenceBackend } from '../../../../engine/backend/reference/reference.ts';
import { type GoldenTraining, golden, relativeError } from '../../../goldens/golden.ts';
import { trainGolden } from '../../../support/goldenRun.ts';

const small = golden<GoldenTraining>('training-small');

it.each(Object.entries(small.runs))('100 steps of %s follow PyTorch', async (_, run) => {
  const { losses } = await trainGolden(referenceBackend(), small, run);
  expect(relativeError(losses, run.losses, 1e-3)).toBeLessThan(1e-5);
});

it('100 steps of SimpleNet follow PyTorch', async () => {
  const simplenet = golden<GoldenTraining>('training-simplenet');
  const run = simplenet.runs.adam!;
  const { losses } = await trainGolden(referenceBackend(), simplenet, run);
  expect(relativeError(losses, run.losses, 1e-3)).toBeLessThan(1e-5);
});
