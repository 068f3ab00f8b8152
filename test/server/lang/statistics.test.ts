/** Running statistics of a layer that a step applies several times, as a GAN's discriminator is: they move with each application, as PyTorch's do. */
import { expect, it } from 'vitest';
import { prepareTraining } from '../../../engine/train/setup.ts';
import { lower } from '../../../server/lang/lower/lower.ts';
import { fixture } from '../../support/fixture.ts';

it('move with each application of a step', async () => {
  const lowered = lower(
    fixture(`
data Moons = moons(samples: 32) {
  batch 16
}
train t on Moons {
  norm  = batch_norm()
  real  = norm(ones([B, 3]))
  fake  = norm(3 * ones([B, 3]))
  minimize mean(real + fake) using sgd(lr: 0)
  device cpu
  steps 1
}
`).analysis,
  );
  if (lowered.kind !== 'program') throw new Error(JSON.stringify(lowered));
  const { session } = await prepareTraining({ program: lowered.program, resolvePath: path => path });
  session.setOrder(0);
  session.train(0, 1);
  const { buffers } = await session.readWeights(1);
  const { buffer, offset } = session.layout.parameters['norm.running_mean']!;
  await session.dispose();
  // 0 moves by a tenth towards 1, then by a tenth towards 3.
  const expected = 0.9 * 0.1 + 0.3;
  for (const at of [0, 1, 2]) expect(buffers[buffer]![offset + at]).toBeCloseTo(expected, 6);
});
