/** Finds a WebGPU adapter under Node: the native addon, loaded on demand, and software Vulkan drivers that the loader isn't told of. */
import { existsSync } from 'node:fs';
import type { MatrixShape } from '../../codegen/wgsl/tiles.ts';
import { EngineError } from '../../util/errors.ts';

export interface AdapterOptions {
  /** Whether an adapter emulated by the CPU will do. Default true. */
  readonly software?: boolean;
  /** Whether tiles are measured for shapes that are new to the adapter. Default: on hardware, unless STRATA_WEBGPU_TUNE is 0; elsewhere if it is 1. */
  readonly tune?: boolean;
  /** Whether operands of products will be numbers of f16, as in mixed precision. */
  readonly mixed?: boolean;
  /** Whether products may use subgroup matrices, which are an experiment of Dawn's. Default: where they are measured to be faster, so only where tiles are. */
  readonly matrices?: boolean;
  /** Milliseconds that a compilation may spend on it. Default 2000. */
  readonly tuneMilliseconds?: number;
  /** Where measurements are kept; by default in the user's cache folder. */
  readonly cacheFolder?: string;
  /** Path of the manifest of a Vulkan driver, in place of those that Vulkan's loader finds. */
  readonly driver?: string;
}

/** Whether tiles are measured on an adapter. */
export function tunes({ tune }: AdapterOptions, software: boolean): boolean {
  const asked = process.env.STRATA_WEBGPU_TUNE;
  return tune ?? (asked === undefined ? !software : asked !== '0');
}

/** What the types of WebGPU don't have yet. */
interface SubgroupMatrixConfig {
  readonly componentType: string;
  readonly resultComponentType: string;
  readonly M: number;
  readonly N: number;
  readonly K: number;
}
type Info = GPUAdapterInfo & { readonly subgroupMatrixConfigs?: Iterable<SubgroupMatrixConfig> };

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
const dawnOptions = ['disable-dawn-features=timestamp_quantization'];
const dawnFeatures = ['disable_workgroup_init'];
/** Lists features that are experiments; without asking for one of them nothing else changes. */
const experiments = 'allow_unsafe_apis';

/** Software drivers as Debian's chromium and Chrome install them; Vulkan's loader, which finds Mesa's by itself, looks elsewhere. */
export const softwareDrivers = [
  '/usr/lib/chromium/vk_swiftshader_icd.json',
  '/opt/google/chrome/vk_swiftshader_icd.json',
];

/** What names drivers to Vulkan's loader; newer ones prefer VK_DRIVER_FILES. */
const DRIVER = 'VK_ICD_FILENAMES';

/** Throws EngineError `no-adapter`, saying what is missing: the addon, or a driver. */
export async function openAdapter(options: AdapterOptions = {}): Promise<OpenAdapter> {
  const { software = true, driver, mixed = false } = options;
  const { matrices = (mixed || MULTIPLIES_F32) && tunes(options, false) } = options;
  const features = matrices ? [...dawnFeatures, experiments] : dawnFeatures;
  const found = driver
    ? await requestFrom(driver, features)
    : ((await requestAdapter(features)) ?? (software ? await requestEmulated(features) : undefined));
  if (found && (software || !found.software)) return found;
  const what = 'expected a GPU with a Vulkan, Metal or Direct3D 12 driver, found none; use device: cpu';
  throw new EngineError('no-adapter', what);
}

async function requestAdapter(features: readonly string[]): Promise<OpenAdapter | undefined> {
  const gpu = await loadAddon(features);
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  return adapter ? { adapter, description: describe(adapter), software: isSoftware(adapter), gpu } : undefined;
}

async function loadAddon(features: readonly string[]): Promise<GPU> {
  try {
    const { create, globals } = await import('webgpu');
    Object.assign(globalThis, globals);
    return create([...dawnOptions, `enable-dawn-features=${features.join()}`]);
  } catch (cause) {
    const what = 'expected the webgpu addon for this platform, found none; use device: cpu';
    throw new EngineError('no-adapter', what, { cause });
  }
}

/** From a software driver, unless the environment names one. */
async function requestEmulated(features: readonly string[]): Promise<OpenAdapter | undefined> {
  const driver = softwareDrivers.find(path => existsSync(path));
  return process.env[DRIVER] || process.env.VK_DRIVER_FILES || !driver ? undefined : requestFrom(driver, features);
}

/** Points Vulkan's loader, which reads its environment anew for each instance, at a driver. */
async function requestFrom(driver: string, features: readonly string[]): Promise<OpenAdapter | undefined> {
  const before = process.env[DRIVER];
  process.env[DRIVER] = driver;
  try {
    return await requestAdapter(features);
  } finally {
    if (before === undefined) delete process.env[DRIVER];
    else process.env[DRIVER] = before;
  }
}

function isSoftware({ info }: GPUAdapter): boolean {
  return /swiftshader|llvmpipe|software|basic render/i.test(`${info.architecture} ${info.device} ${info.description}`);
}

/** Only GPUs of Apple have subgroup matrices of f32, whose products any program has. */
const MULTIPLIES_F32 = process.platform === 'darwin';
/** Subgroups of most devices, and of all of Apple's, though Dawn doesn't say so there. */
const USUAL_SUBGROUP = 32;

/** Extensions of WebGPU: subgroup matrices, and the choice of how many threads a subgroup has, which they need where that varies. */
export const MATRIX_FEATURE = 'chromium-experimental-subgroup-matrix';
export const SIZE_FEATURE = 'subgroup-size-control';

/**
 * The largest subgroup matrices of each type that add up in f32, of f16 if the program has such products: none where the adapter lacks them, or leaves open how many
 * threads a subgroup has.
 */
export function matrixShapes({ features, info, limits }: GPUAdapter, mixed: boolean): readonly MatrixShape[] {
  const has = (name: string) => (features as ReadonlySet<string>).has(name);
  const { subgroupMatrixConfigs = [], subgroupMinSize: least, subgroupMaxSize: most, vendor } = info as Info;
  const isChosen = least !== most && has(SIZE_FEATURE);
  const usual = least <= USUAL_SUBGROUP && USUAL_SUBGROUP <= most ? USUAL_SUBGROUP : most;
  const subgroup = least === most ? most : isChosen || vendor === 'apple' ? usual : undefined;
  if (subgroup === undefined || !has(MATRIX_FEATURE) || most > limits.maxComputeInvocationsPerWorkgroup) return [];
  const found = [...subgroupMatrixConfigs].filter(config => config.resultComponentType === 'f32');
  return (['f16', 'f32'] as const).flatMap(component => {
    if (component === 'f16' && !(mixed && has('shader-f16'))) return [];
    const own = found.filter(config => config.componentType === component).sort((x, y) => volume(y) - volume(x));
    return own.slice(0, 1).map(({ M: m, N: n, K: k }) => ({ component, m, n, k, subgroup, multiple: most, isChosen }));
  });
}

const volume = ({ M, N, K }: SubgroupMatrixConfig): number => M * N * K;

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
