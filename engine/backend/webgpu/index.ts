/** The WebGPU backend: schedules compiled to WGSL, everything bound ahead, steps submitted in batches. */
import { scheduleShaders } from '../../codegen/wgsl/beside.ts';
import { defaultOptions, type WgslOptions } from '../../codegen/wgsl/shader.ts';
import { storable } from '../../codegen/wgsl/storable.ts';
import type { MatrixShape, Tile } from '../../codegen/wgsl/tiles.ts';
import type { Schedule } from '../../kernel/kernel.ts';
import { EngineError } from '../../util/errors.ts';
import type { Backend, CompileOptions } from '../backend.ts';
import {
  type AdapterOptions,
  identityOf,
  MATRIX_FEATURE,
  type OpenAdapter,
  openAdapter,
  SIZE_FEATURE,
} from './adapter.ts';
import { allocate, largestBuffer } from './buffers.ts';
import { buildEntries } from './entry.ts';
import { createExecutable, type RunnableExecutable } from './executable.ts';
import { type Gate, openGate } from './gate.ts';
import { storageOfHalves } from './halves.ts';
import type { TileCache } from './tileCache.ts';
import { reducesRightly } from './trial.ts';
import { measureTiles, TUNING_MS } from './tuning.ts';

/** What the parts of the backend share. */
export interface Device {
  readonly device: GPUDevice;
  readonly software: boolean;
  readonly shader: WgslOptions;
  /** Measured tiles, and how long measuring may take; undefined where nothing is to be measured. */
  readonly tuned: { readonly cache: TileCache; readonly milliseconds: number } | undefined;
  /** Throws EngineError `device-lost` once the device is gone. */
  check(): void;
}

/** Shapes whose tiles were measured, and how long that took. */
export interface TuningWork {
  readonly count: number;
  readonly milliseconds: number;
}

export interface WebgpuExecutable extends RunnableExecutable {
  readonly tuning: TuningWork;
}

export interface WebgpuBackend extends Backend {
  /** Vendor, architecture, device and driver, and the limits that measurements depend on. */
  readonly adapter: string;
  /** How shaders are written for the device at present. */
  shader(): WgslOptions;
  /** Options of `WgslOptions` replace what the device and its measurements say of how shaders are written. */
  compile(entries: readonly Schedule[], options?: CompileOptions & Partial<WgslOptions>): Promise<WebgpuExecutable>;
}

/**
 * Opens the machine's GPU, or one that the CPU emulates if `software` allows (the description says so).
 * Throws EngineError `no-adapter`; its executables reject with `device-lost` and `out-of-memory`.
 */
export async function webgpuBackend(options: AdapterOptions = {}): Promise<WebgpuBackend> {
  const opened = await openAdapter(options);
  const gate = openGate(opened, optionsOf(opened), options);
  const own = await withTrials(await openDevice(opened, gate.candidates), gate, options);
  const pending = new Set<Promise<void>>();
  let disposed = false;
  return {
    name: 'webgpu',
    description: opened.description,
    halves: own.shader.halves === undefined ? 'rounded' : 'stored',
    memory: {
      total: Number.POSITIVE_INFINITY,
      arena: largestBuffer(own),
      storable: schedule => storable(schedule, own.shader),
    },
    adapter: identityOf(opened.adapter),
    shader: () => ({ ...own.shader, ...(own.tuned && { tiles: own.tuned.cache.tiles }) }),
    async compile(entries, { first, ...shader } = {}) {
      const executable = await compile({ ...own, shader: { ...own.shader, ...shader } }, entries, first);
      const rest = executable.ready().catch(() => undefined);
      pending.add(rest);
      rest.then(() => pending.delete(rest));
      return executable;
    },
    async dispose() {
      if (disposed) return;
      disposed = true;
      // Work that is pending when the device goes has crashed the addon.
      await Promise.all(pending);
      await own.device.queue.onSubmittedWorkDone().catch(() => undefined);
      own.device.destroy();
    },
  };
}

/** How shaders are written for an adapter. */
function optionsOf({ adapter, software, gpu }: OpenAdapter): WgslOptions {
  const { limits } = adapter;
  const subgroups = subgroupsOf(adapter, gpu);
  return {
    ...defaultOptions,
    software,
    workgroupSize: Math.min(limits.maxComputeInvocationsPerWorkgroup, limits.maxComputeWorkgroupSizeX),
    workgroupBytes: limits.maxComputeWorkgroupStorageSize,
    storageBuffers: limits.maxStorageBuffersPerShaderStage,
    workgroupsPerAxis: limits.maxComputeWorkgroupsPerDimension,
    ...(subgroups && { subgroups }),
  };
}

/** The device, with what experiments `matrices` take. */
async function openDevice(opened: OpenAdapter, matrices: readonly MatrixShape[]): Promise<Device> {
  const { adapter, software, gpu } = opened;
  const { limits } = adapter;
  const more = matrices.length > 0 ? [MATRIX_FEATURE, SIZE_FEATURE] : [];
  const wanted = ['timestamp-query', 'subgroups', 'shader-f16', ...more] as readonly GPUFeatureName[];
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
    shader: { ...optionsOf(opened), matrices },
    tuned: undefined,
    check() {
      // Naming `gpu` here keeps the addon's instance alive as long as the device.
      if (lost !== undefined && gpu) {
        throw new EngineError('device-lost', `the GPU stopped answering (${lost}); resume from the last checkpoint`);
      }
    },
  };
}

/** The device with those subgroups, matrices and ways to store f16 alone that come out right, and with the tiles that were measured on it. */
async function withTrials(own: Device, gate: Gate, options: AdapterOptions): Promise<Device> {
  const on = (shader: Partial<WgslOptions>) => (schedule: Schedule) =>
    compile({ ...own, shader: { ...own.shader, ...shader } }, [schedule]);
  const [reduces, halves] = await Promise.all([
    own.shader.subgroups !== undefined && reducesRightly(on({})),
    own.device.features.has('shader-f16') ? storageOfHalves(way => on({ halves: way })) : undefined,
  ]);
  const inTile = (schedule: Schedule, tile: Tile) => on({ tiles: { get: () => tile } })(schedule);
  const matrices = reduces ? await gate.passing(own, inTile) : [];
  const shader = { ...own.shader, halves, matrices, subgroups: reduces ? own.shader.subgroups : undefined };
  const cache = gate.openCache(matrices);
  return { ...own, shader, tuned: cache && { cache, milliseconds: options.tuneMilliseconds ?? TUNING_MS } };
}

/** Subgroups whose number within the workgroup a shader can ask for. */
function subgroupsOf({ features, info }: GPUAdapter, gpu: GPU): WgslOptions['subgroups'] {
  // The names of what WGSL has come from the addon, which is ahead of the types.
  const hasNumbers = (gpu.wgslLanguageFeatures as ReadonlySet<string>).has('subgroup_id');
  return features.has('subgroups') && hasNumbers ? { least: info.subgroupMinSize } : undefined;
}

async function compile(
  device: Device,
  given: readonly Schedule[],
  first: readonly string[] = given.map(each => each.name),
): Promise<WebgpuExecutable> {
  device.check();
  const entries = given.map(schedule => storable(schedule, device.shader));
  const { own, tuning } = await tuned(device, entries);
  const programs = entries.map(schedule => ({
    schedule,
    dispatches: scheduleShaders(schedule, own.shader),
  }));
  const scratch = Math.max(0, ...programs.flatMap(p => p.dispatches.map(({ shader }) => shader.scratchBytes ?? 0)));
  const memory = await allocate(own, entries, scratch);
  try {
    return { ...createExecutable(own, entries, memory, await buildEntries(own, programs, memory, first)), tuning };
  } catch (error) {
    memory.destroy();
    throw error;
  }
}

/** The device with the tiles it is known to like, after measuring those of shapes that are new to it. */
async function tuned(own: Device, entries: readonly Schedule[]): Promise<{ own: Device; tuning: TuningWork }> {
  if (own.tuned === undefined || own.shader.tiles !== undefined) return { own, tuning: { count: 0, milliseconds: 0 } };
  const start = performance.now();
  const { cache, milliseconds } = own.tuned;
  const measured = await measureTiles(own, entries, cache.tiles, milliseconds);
  if (measured.size > 0) cache.add(measured);
  const tuning = { count: measured.size, milliseconds: performance.now() - start };
  return { own: { ...own, shader: { ...own.shader, tiles: cache.tiles } }, tuning };
}
