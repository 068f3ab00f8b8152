/** Chooses the backend of a run: the one asked for, or for `auto` the one that a few steps show to be faster. */
import type { Backend } from '../backend/backend.ts';
import { EngineError } from '../util/errors.ts';

export interface GpuOptions {
  /** Whether an adapter emulated by the CPU will do. */
  readonly software: boolean;
  /** Whether the program is of mixed precision. */
  readonly mixed?: boolean;
}

/** Opens a backend; throws EngineError (`no-adapter`) where the machine has none. */
export interface Openers {
  readonly wasm: () => Promise<Backend>;
  readonly webgpu: (options: GpuOptions) => Promise<Backend>;
}

/** The backends of this build. WebGPU is loaded only when it is tried: its addon is native, large and optional. */
export const openers: Openers = {
  wasm: async () => (await import('../backend/wasm/index.ts')).wasmBackend(),
  webgpu: async options => (await import('../backend/webgpu/index.ts')).webgpuBackend(options),
};

/** What `auto` compares: opened on a backend and ready to train, with milliseconds a step. */
export interface Trial<T> {
  readonly value: T;
  readonly msPerStep: number;
  dispose(): Promise<void>;
}

/**
 * Opens what runs on the chosen backend. `auto` tries both where there is hardware for it and keeps the faster; `before` is the backend that a
 * resumed run began on, which `auto` keeps to so that its numbers stay the same.
 */
export async function chooseDevice<T>(
  device: 'auto' | 'webgpu' | 'cpu',
  before: string | undefined,
  open: Openers,
  tryOn: (backend: Backend, measure: boolean) => Promise<Trial<T>>,
): Promise<T> {
  const wanted = device === 'auto' ? before : { cpu: 'wasm', webgpu: 'webgpu' }[device];
  if (wanted === 'wasm') return (await tryOn(await open.wasm(), false)).value;
  if (device === 'webgpu') return (await tryOn(await open.webgpu({ software: true }), false)).value;
  const gpu = await openHardware(open);
  if (gpu === undefined) return (await tryOn(await open.wasm(), false)).value;
  if (wanted === 'webgpu') return (await tryOn(gpu, false)).value;
  return faster(await tryOn(await open.wasm(), true), gpu, tryOn);
}

async function faster<T>(
  cpu: Trial<T>,
  gpu: Backend,
  tryOn: (backend: Backend, measure: boolean) => Promise<Trial<T>>,
): Promise<T> {
  const other = await tryOn(gpu, true).catch((error: unknown) => {
    // A GPU that fails at its first steps (out of memory, lost) leaves the CPU, which has just worked.
    if (error instanceof EngineError) return undefined;
    throw error;
  });
  if (other === undefined) return cpu.value;
  const [kept, dropped] = other.msPerStep < cpu.msPerStep ? [other, cpu] : [cpu, other];
  await dropped.dispose();
  return kept.value;
}

/** The GPU, if there is one that isn't emulated in software: that is never faster than the CPU backend itself. */
async function openHardware(open: Openers): Promise<Backend | undefined> {
  try {
    return await open.webgpu({ software: false });
  } catch (error) {
    if (error instanceof EngineError) return undefined;
    throw error;
  }
}
