/** Backends that a machine may lack: tests that need one say so and are skipped. */
import { afterAll, beforeAll, it } from 'vitest';
import type { AdapterOptions } from '../../engine/backend/webgpu/adapter.ts';
import { type WebgpuBackend, webgpuBackend } from '../../engine/backend/webgpu/index.ts';
import { EngineError } from '../../engine/util/errors.ts';

/** A GPU, or the one that Chromium's SwiftShader emulates; undefined, with a line on stderr, where there is neither. */
export async function openWebgpu(options?: AdapterOptions): Promise<WebgpuBackend | undefined> {
  try {
    return await webgpuBackend(options);
  } catch (error) {
    if (!(error instanceof EngineError) || error.code !== 'no-adapter') throw error;
    console.warn(`SKIPPED: WebGPU tests need an adapter, for example of Debian's chromium package (${error.message})`);
    return undefined;
  }
}

/** Opens a GPU for the tests of a file; what is returned declares a test that is skipped where there is none. */
export function deviceTests(): (title: string, run: (backend: WebgpuBackend) => Promise<void>) => void {
  let gpu: WebgpuBackend | undefined;
  beforeAll(async () => {
    gpu = await openWebgpu();
  }, 60_000);
  afterAll(() => gpu?.dispose());
  return (title, run) => it(title, { timeout: 120_000 }, async context => (gpu ? run(gpu) : context.skip()));
}
