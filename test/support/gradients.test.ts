/** The checker must be able to fail. */
import { expect, it } from 'vitest';
import { checkGradient } from './gradients.ts';
import { randomTensor } from './samples.ts';

const x = randomTensor({ dtype: 'f32', shape: [3] }, [1, 2], 0);

it('passes a right gradient and notices a missing half of one', () => {
  const [right] = checkGradient({ x }, (b, v) => b.mul(v.x!, v.x!));
  const [wrong] = checkGradient({ x }, (b, v) => b.mul(v.x!, b.detach(v.x!)));
  expect(right!.error).toBeLessThan(1e-8);
  expect(wrong!.error).toBeGreaterThan(0.1);
});
