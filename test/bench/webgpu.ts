/** `npm run bench:webgpu [PART…]`: what WebGPU reaches on this machine's adapter: creation of the pipelines of all programs. */
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { wasmBackend } from '../../engine/backend/wasm/index.ts';
import { webgpuBackend } from '../../engine/backend/webgpu/index.ts';
import { loadData } from '../../engine/data/dataset.ts';
import { workspacePaths } from '../../engine/data/paths.ts';
import { scheduleGraph } from '../../engine/kernel/schedule.ts';
import { withShown } from '../../engine/train/show.ts';
import { buildSteps } from '../../engine/train/step.ts';
import { programNamed, programNames } from './programs.ts';

/** Milliseconds of pipeline creation that no program's step may exceed on hardware. */
const BAR_MS = 1000;

/** All entries of each program, compiled on a device of its own, since drivers may remember pipelines. */
async function pipelines(examples: string, parts: readonly string[]): Promise<void> {
  console.log(`${'program'.padEnd(20)}kernels  pipelines  created in ms  dispatches a step`);
  for (const name of programNames(examples, parts)) {
    const program = await programNamed(examples, name);
    const cpu = await wasmBackend();
    const { counts } = await loadData(program.data, {
      resolvePath: workspacePaths(examples),
      seed: program.run.seed,
      backend: cpu,
    });
    const schedules = withShown(program, buildSteps(program, counts)).entries.map(scheduleGraph);
    const backend = await webgpuBackend();
    const executable = await backend.compile(schedules);
    const { count, milliseconds } = executable.pipelines;
    const kernels = schedules.reduce((n, each) => n + each.kernels.length, 0);
    const columns = [String(kernels).padStart(7), String(count).padStart(10), milliseconds.toFixed(0).padStart(14)];
    const steps = String(executable.dispatches('train')).padStart(18);
    console.log(
      `${name.padEnd(20)}${columns.join(' ')} ${steps}${milliseconds <= BAR_MS ? '' : `  above ${BAR_MS} ms`}`,
    );
    executable.dispose();
    await backend.dispose();
    await cpu.dispose();
  }
}

const [folder, ...args] = process.argv.slice(2);
const backend = await webgpuBackend();
console.log(`${backend.description}; ${cpus()[0]?.model}, load ${loadavg()[0]!.toFixed(1)}, Node ${process.version}`);
await backend.dispose();
await pipelines(join(folder!, '..', '..', 'examples'), args);
process.exit();
