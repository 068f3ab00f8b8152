/** Runs commands that compute in this process on the engine's runtime, so that they measure and compute what a run would. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { engineEnvironment, findRuntime } from '../runs/runtime.ts';
import { enginePath } from './follow.ts';

/** Runs this very command line again on the engine's runtime and takes over its exit code; false if this already is that runtime. */
export function handedToEngineRuntime(): boolean {
  const setting = process.env.STRATA_RUNTIME;
  const runtime = findRuntime({ engine: enginePath, ...(setting === undefined ? {} : { setting }) });
  if (runtime.path === process.execPath || process.env.STRATA_HANDED_OVER !== undefined) return false;
  const { status } = spawnSync(runtime.path, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: 'inherit',
    env: { ...engineEnvironment(runtime), STRATA_HANDED_OVER: '1' },
  });
  process.exitCode = status ?? 1;
  return true;
}
