/** Backends that a machine may lack: tests that need one say so and are skipped. */
import { existsSync } from 'node:fs';
import { afterAll, beforeAll, it } from 'vitest';
import { type AdapterOptions, openAdapter, softwareDrivers } from '../../engine/backend/webgpu/adapter.ts';
import { type WebgpuBackend, webgpuBackend } from '../../engine/backend/webgpu/index.ts';
import { EngineError } from '../../engine/util/errors.ts';
import { lavapipeManifest } from './lavapipe.mjs';

/** An adapter of this machine: the one that runs get, or one of another driver. */
export interface TestAdapter {
  readonly name: string;
  readonly options: AdapterOptions;
}

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

/** The adapter that runs get, then those of software drivers: other ways to schedule threads, to round and to group them. */
async function findAdapters(): Promise<readonly TestAdapter[]> {
  const drivers = [...softwareDrivers, lavapipeManifest].filter(path => existsSync(path));
  const found: TestAdapter[] = [];
  for (const options of [{}, ...drivers.map(driver => ({ driver }))]) {
    const name = await openAdapter(options).then(
      ({ description }) => description.replace(/ \(.*/, ''),
      () => undefined,
    );
    if (name !== undefined && found.every(other => other.name !== name)) found.push({ name, options });
  }
  if (found.length < 2) console.warn('SKIPPED: tests on a second WebGPU adapter; `npm test` fetches one on Debian');
  return found;
}

export const adapters = await findAdapters();

type DeviceTest = (title: string, run: (backend: WebgpuBackend, isFirst: boolean) => Promise<void>) => void;

/**
 * Opens the machine's adapters for the tests of a file; what is returned declares a test on each, which is skipped where there is none. Property
 * tests try less on adapters that are not the `first`: they compile seconds at each new shader, which their timeout is for.
 */
export function deviceTests(): DeviceTest {
  const opened = new Map<TestAdapter, WebgpuBackend | undefined>();
  const wanted = adapters.length > 0 ? adapters : [{ name: 'no adapter', options: {} }];
  beforeAll(async () => {
    for (const adapter of wanted) opened.set(adapter, await openWebgpu(adapter.options));
  }, 60_000);
  afterAll(async () => {
    for (const backend of opened.values()) await backend?.dispose();
  });
  return (title, run) => {
    for (const adapter of wanted) {
      it(`${title} (${adapter.name})`, { timeout: 300_000 }, async context => {
        const backend = opened.get(adapter);
        await (backend ? run(backend, adapter === wanted[0]) : context.skip());
      });
    }
  };
}
