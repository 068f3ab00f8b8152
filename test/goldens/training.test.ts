/** Curve parity with PyTorch: same initial weights, same batches, 100 steps with each optimiser, on every backend at hand. */
import { describe, expect, it } from 'vitest';
import type { Backend } from '../../engine/backend/backend.ts';
import { referenceBackend } from '../../engine/backend/reference/reference.ts';
import { wasmBackend } from '../../engine/backend/wasm/index.ts';
import { webgpuBackend } from '../../engine/backend/webgpu/index.ts';
import { EngineError } from '../../engine/util/errors.ts';
import { trainGolden } from '../support/goldenRun.ts';
import { expectDigest, type GoldenTraining, golden, relativeError } from './golden.ts';

function follows(netName: string, tolerance: number, backend: () => Promise<Backend> | Backend): void {
  const stored = golden<GoldenTraining>(`training-${netName}`);
  it(`${netName}: gradients of every tensor`, async () => {
    const adam = stored.runs.adam!;
    const { names, means } = await trainGolden(await backend(), stored, { ...adam, losses: adam.losses.slice(0, 1) });
    // The mean of one gradient is 1 - beta1 of it.
    for (const [i, m] of means.entries()) {
      const gradient = Array.from(m, v => v / (1 - 0.9));
      expectDigest(gradient, stored.gradients[i]!, tolerance, names[i]!);
    }
    expect(means).toHaveLength(stored.gradients.length);
  });

  it.each(Object.entries(stored.runs))(`${netName}: %s`, async (_, run) => {
    const { names, losses, weights, averages } = await trainGolden(await backend(), stored, run);
    expect(relativeError(losses, run.losses, 0)).toBeLessThan(tolerance);
    for (const [i, values] of weights.entries()) expectDigest(values, run.weights[i]!, 30 * tolerance, names[i]!);
    for (const [i, digest] of (run.averages ?? []).entries())
      expectDigest(averages[i]!, digest, 30 * tolerance, `average of ${names[i]!}`);
  });
}

describe('100 steps follow the losses and weights of PyTorch', () => {
  describe('reference', () => follows('small', 1e-4, referenceBackend));
  describe('wasm', async () => {
    const backend = await wasmBackend({ threads: 1 });
    follows('small', 1e-4, () => backend);
    follows('simplenet', 1e-4, () => backend);
  });
  describe('webgpu', async () => {
    const backend = await webgpuBackend().catch((error: unknown) => {
      if (error instanceof EngineError && error.code === 'no-adapter') return undefined;
      throw error;
    });
    if (backend === undefined) it.skip('no adapter: parity on WebGPU is not checked', () => undefined);
    else follows('small', 1e-3, () => backend);
  });
});
