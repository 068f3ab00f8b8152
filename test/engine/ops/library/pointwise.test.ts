/** log1p, expm1 and prod in 32 bits: no digits are lost near 0, and products of zeros have the gradients that they have. */
import { describe, expect, it } from 'vitest';
import { wasmBackend } from '../../../../engine/backend/wasm/index.ts';
import { gradients } from '../../../../engine/passes/autodiff.ts';
import { optimize } from '../../../../engine/passes/pipeline.ts';
import { apply, testContext } from '../../../support/macros.ts';
import { runGraph } from '../../../support/runGraph.ts';

/** The values of a function of x on the CPU in f32, and the gradient of their sum. */
async function run(name: string, shape: readonly number[], values: readonly number[]) {
  const context = testContext();
  const { b } = context;
  const x = b.input('x', { dtype: 'f32', shape });
  const y = apply(context, name, { x });
  const [gradient] = gradients(b, b.sum(y), [x]);
  const outputs = [
    { name: 'y', value: y },
    { name: 'gradient', value: gradient! },
  ];
  const leaves = { x: { dtype: 'f32' as const, shape, data: Float64Array.from(values) } };
  const backend = await wasmBackend({ threads: 1 });
  try {
    const found = await runGraph(backend, optimize(b.finish('f', outputs)), leaves);
    return { y: Array.from(found.y!, Number), gradient: Array.from(found.gradient!, Number) };
  } finally {
    await backend.dispose();
  }
}

/** From 1e-30 to 10 on either side, the seams at 1/4 and 1/2 among them. */
const places = [1e-30, 1e-12, 1e-7, 1e-4, 0.01, 0.2, 0.2499, 0.25, 0.3, 0.4999, 0.5, 0.51, 0.9]
  .flatMap(x => [x, -x])
  .concat([0, 2, 10])
  .map(Math.fround);

describe('near 0 every digit counts', () => {
  it.each([
    ['log1p', Math.log1p, (x: number) => 1 / (1 + x)],
    ['expm1', Math.expm1, Math.exp],
  ] as const)('%s', async (name, exact, slope) => {
    const { y, gradient } = await run(name, [places.length], places);
    for (const [i, x] of places.entries()) {
      const away = Math.abs(y[i]! - exact(x));
      expect(away, `${name}(${x})`).toBeLessThanOrEqual(1e-6 * Math.abs(exact(x)));
      expect(Math.abs(gradient[i]! / slope(x) - 1), `slope at ${x}`).toBeLessThan(1e-6);
    }
  });
});

it('prod has the product of the other elements as its gradient, zeros among them', async () => {
  const { y, gradient } = await run('prod', [3, 3], [2, 4, 3, 2, 0, 3, 0, 0, 5]);
  expect(y).toEqual([24, 0, 0]);
  expect(gradient).toEqual([12, 6, 8, 0, 6, 0, 0, 0, 0]);
});
