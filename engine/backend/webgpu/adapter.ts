/** Finds a WebGPU adapter under Node: the native addon, loaded on demand, and software Vulkan drivers that the loader isn't told of. */
import { existsSync } from 'node:fs';
import { EngineError } from '../../util/errors.ts';

export interface AdapterOptions {
  /** Whether an adapter emulated by the CPU will do. Default true. */
  readonly software?: boolean;
  /** Whether tiles are measured for shapes that are new to the adapter. Default: on hardware, unless STRATA_WEBGPU_TUNE is 0; elsewhere if it is 1. */
  readonly tune?: boolean;
  /** Milliseconds that a compilation may spend on it. Default 2000. */
  readonly tuneMilliseconds?: number;
  /** Where measurements are kept; by default in the user's cache folder. */
  readonly cacheFolder?: string;
  /** Path of the manifest of a Vulkan driver, in place of those that Vulkan's loader finds. */
  readonly driver?: string;
}

export interface OpenAdapter {
  readonly adapter: GPUAdapter;
  /** For people: `NVIDIA H200 (Vulkan)`, `SwiftShader (software WebGPU)`. */
  readonly description: string;
  readonly software: boolean;
  /** Kept alive as long as the device: the addon ends with it. */
  readonly gpu: GPU;
}

/**
 * Our kernels write workgroup memory before they read it. Clearing it first costs SwiftShader's compiler half a second a shader.
 * Timestamps are rounded to 100 µs for web pages' sake; here nobody spies on anybody.
 */
const dawnOptions = ['enable-dawn-features=disable_workgroup_init', 'disable-dawn-features=timestamp_quantization'];

/** Software drivers as Debian's chromium and Chrome install them; Vulkan's loader, which finds Mesa's by itself, looks elsewhere. */
export const softwareDrivers = [
  '/usr/lib/chromium/vk_swiftshader_icd.json',
  '/opt/google/chrome/vk_swiftshader_icd.json',
];

/** What names drivers to Vulkan's loader; newer ones prefer VK_DRIVER_FILES. */
const DRIVER = 'VK_ICD_FILENAMES';

/** Throws EngineError `no-adapter`, saying what is missing: the addon, or a driver. */
export async function openAdapter({ software = true, driver }: AdapterOptions = {}): Promise<OpenAdapter> {
  const found = driver
    ? await requestFrom(driver)
    : ((await requestAdapter()) ?? (software ? await requestEmulated() : undefined));
  if (found && (software || !found.software)) return found;
  const what = 'expected a GPU with a Vulkan, Metal or Direct3D 12 driver, found none; use device: cpu';
  throw new EngineError('no-adapter', what);
}

async function requestAdapter(): Promise<OpenAdapter | undefined> {
  const gpu = await loadAddon();
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  return adapter ? { adapter, description: describe(adapter), software: isSoftware(adapter), gpu } : undefined;
}

async function loadAddon(): Promise<GPU> {
  try {
    const { create, globals } = await import('webgpu');
    Object.assign(globalThis, globals);
    return create([...dawnOptions]);
  } catch (cause) {
    const what = 'expected the webgpu addon for this platform, found none; use device: cpu';
    throw new EngineError('no-adapter', what, { cause });
  }
}

/** From a software driver, unless the environment names one. */
async function requestEmulated(): Promise<OpenAdapter | undefined> {
  const driver = softwareDrivers.find(path => existsSync(path));
  return process.env[DRIVER] || process.env.VK_DRIVER_FILES || !driver ? undefined : requestFrom(driver);
}

/** Points Vulkan's loader, which reads its environment anew for each instance, at a driver. */
async function requestFrom(driver: string): Promise<OpenAdapter | undefined> {
  const before = process.env[DRIVER];
  process.env[DRIVER] = driver;
  try {
    return await requestAdapter();
  } finally {
    if (before === undefined) delete process.env[DRIVER];
    else process.env[DRIVER] = before;
  }
}

function isSoftware({ info }: GPUAdapter): boolean {
  return /swiftshader|llvmpipe|software|basic render/i.test(`${info.architecture} ${info.device} ${info.description}`);
}

/** What measurements hold for: the GPU, its driver, and what it allows. */
export function identityOf({ info, limits }: GPUAdapter): string {
  const { vendor, architecture, device, description } = info;
  const allowed = [limits.maxComputeInvocationsPerWorkgroup, limits.maxComputeWorkgroupStorageSize];
  return [vendor, architecture, device, description, ...allowed].join('|');
}

/** By what the drivers call themselves; Mesa adds the version of its compiler. */
const softwareNames = [
  [/swiftshader/i, 'SwiftShader'],
  [/llvmpipe/i, 'lavapipe'],
] as const;

function describe(adapter: GPUAdapter): string {
  const { device, architecture, vendor } = adapter.info;
  const emulator = softwareNames.find(([pattern]) => pattern.test(`${architecture} ${device}`))?.[1];
  const name = emulator ?? (device || architecture || vendor || 'GPU');
  return `${name} (${isSoftware(adapter) ? 'software WebGPU' : 'WebGPU'})`;
}
