/** The WebGPU backend: schedules compiled to WGSL, everything bound ahead, steps submitted in batches. */
import { kernelShaders } from '../../codegen/wgsl/generate.ts';
import { defaultOptions, type WgslOptions } from '../../codegen/wgsl/shader.ts';
import type { Schedule } from '../../kernel/kernel.ts';
import { widened } from '../../kernel/widen.ts';
import { EngineError } from '../../util/errors.ts';
import type { Backend } from '../backend.ts';
import { type AdapterOptions, type OpenAdapter, openAdapter } from './adapter.ts';
import { allocate, largestBuffer } from './buffers.ts';
import { buildEntries } from './entry.ts';
import { createExecutable, type WebgpuExecutable } from './executable.ts';

/** What the parts of the backend share. */
export interface Device {
  readonly device: GPUDevice;
  readonly software: boolean;
  readonly shader: WgslOptions;
  /** Throws EngineError `device-lost` once the device is gone. */
  check(): void;
}

export interface WebgpuBackend extends Backend {
  /** `shader` replaces what the device and its measurements say of how shaders are written. */
  compile(entries: readonly Schedule[], shader?: Partial<WgslOptions>): Promise<WebgpuExecutable>;
}

/**
 * Opens the machine's GPU, or one that the CPU emulates if `software` allows (the description says so).
 * Throws EngineError `no-adapter`; its executables reject with `device-lost` and `out-of-memory`.
 */
export async function webgpuBackend(options: AdapterOptions = {}): Promise<WebgpuBackend> {
  const opened = await openAdapter(options);
  const own = await openDevice(opened);
  let disposed = false;
  return {
    name: 'webgpu',
    description: opened.description,
    memory: { total: Number.POSITIVE_INFINITY, arena: largestBuffer(own) },
    compile: (entries, shader) => compile({ ...own, shader: { ...own.shader, ...shader } }, entries),
    async dispose() {
      if (disposed) return;
      disposed = true;
      // Work that is pending when the device goes has crashed the addon.
      await own.device.queue.onSubmittedWorkDone().catch(() => undefined);
      own.device.destroy();
    },
  };
}

async function openDevice({ adapter, software, gpu }: OpenAdapter): Promise<Device> {
  const { limits } = adapter;
  const wanted: readonly GPUFeatureName[] = ['timestamp-query', 'subgroups'];
  const device = await adapter.requestDevice({
    requiredFeatures: wanted.filter(feature => adapter.features.has(feature)),
    requiredLimits: {
      maxBufferSize: limits.maxBufferSize,
      maxStorageBufferBindingSize: limits.maxStorageBufferBindingSize,
      maxStorageBuffersPerShaderStage: limits.maxStorageBuffersPerShaderStage,
      maxComputeInvocationsPerWorkgroup: limits.maxComputeInvocationsPerWorkgroup,
      maxComputeWorkgroupSizeX: limits.maxComputeWorkgroupSizeX,
      maxComputeWorkgroupStorageSize: limits.maxComputeWorkgroupStorageSize,
    },
  });
  let lost: string | undefined;
  device.lost.then(({ reason, message }) => {
    if (reason !== 'destroyed') lost = message.split('\n')[0] || 'no reason given';
  });
  // The addon prints what nobody catches to stdout.
  device.addEventListener('uncapturederror', event => {
    event.preventDefault();
    lost ??= event.error.message.split('\n')[0];
  });
  return {
    device,
    software,
    shader: {
      ...defaultOptions,
      software,
      workgroupSize: Math.min(limits.maxComputeInvocationsPerWorkgroup, limits.maxComputeWorkgroupSizeX),
      workgroupBytes: limits.maxComputeWorkgroupStorageSize,
      storageBuffers: limits.maxStorageBuffersPerShaderStage,
      workgroupsPerAxis: limits.maxComputeWorkgroupsPerDimension,
    },
    check() {
      // Naming `gpu` here keeps the addon's instance alive as long as the device.
      if (lost !== undefined && gpu) {
        throw new EngineError('device-lost', `the GPU stopped answering (${lost}); resume from the last checkpoint`);
      }
    },
  };
}

async function compile(own: Device, given: readonly Schedule[]): Promise<WebgpuExecutable> {
  own.check();
  const entries = given.map(widened);
  const programs = entries.map(schedule => ({
    schedule,
    shaders: schedule.kernels.flatMap(kernel =>
      kernelShaders(schedule, kernel, own.shader).map(shader => [kernel, shader] as const),
    ),
  }));
  const scratch = Math.max(0, ...programs.flatMap(p => p.shaders.map(([, shader]) => shader.scratchBytes ?? 0)));
  const memory = await allocate(own, entries, scratch);
  try {
    return createExecutable(own, entries, memory, await buildEntries(own, programs, memory));
  } catch (error) {
    memory.destroy();
    throw error;
  }
}
