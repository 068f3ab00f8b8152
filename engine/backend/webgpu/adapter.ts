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

/** Software drivers as Debian's chromium and Chrome install them; Vulkan's loader looks elsewhere. */
const softwareDrivers = ['/usr/lib/chromium/vk_swiftshader_icd.json', '/opt/google/chrome/vk_swiftshader_icd.json'];

/** Throws EngineError `no-adapter`, saying what is missing: the addon, or a driver. */
export async function openAdapter({ software = true }: AdapterOptions = {}): Promise<OpenAdapter> {
  const found = (await requestAdapter()) ?? (software ? await requestEmulated() : undefined);
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

/** Points Vulkan's loader, which reads its environment anew for each instance, at a software driver unless one is named already. */
async function requestEmulated(): Promise<OpenAdapter | undefined> {
  const driver = softwareDrivers.find(path => existsSync(path));
  if (process.env.VK_ICD_FILENAMES || process.env.VK_DRIVER_FILES || !driver) return undefined;
  process.env.VK_ICD_FILENAMES = driver;
  try {
    return await requestAdapter();
  } finally {
    delete process.env.VK_ICD_FILENAMES;
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

function describe(adapter: GPUAdapter): string {
  const { device, architecture, vendor } = adapter.info;
  const name = /swiftshader/i.test(`${architecture} ${device}`)
    ? 'SwiftShader'
    : device || architecture || vendor || 'GPU';
  return `${name} (${isSoftware(adapter) ? 'software WebGPU' : 'WebGPU'})`;
}
