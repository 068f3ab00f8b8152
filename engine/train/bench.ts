/** Measures training: steps a second in the steady state, time to compile, memory, heap growth, and each kernel's share. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Backend, Executable } from '../backend/backend.ts';
import type { Program } from '../ir/program.ts';
import { plannedBytes } from '../kernel/memory.ts';
import { type GpuOptions, openers } from './devices.ts';
import { prepareTraining } from './setup.ts';

export interface BenchOptions {
  /** Also time each kernel by itself, where the backend can. */
  readonly profile?: boolean;
  /** Steps over which the growth of the heap is measured, fewer where they would take longer than `heapSeconds`; by default 10,000 where garbage can be collected on demand (`--expose-gc`), else none. */
  readonly heapSteps?: number;
  /** By default 10. */
  readonly heapSeconds?: number;
  /** Measurements of which the median and the best are reported. */
  readonly repeats?: number;
}

export interface KernelTime {
  readonly name: string;
  readonly microseconds: number;
  readonly flops: number;
  readonly bytes: number;
  /** What operations and bytes would take at the rates of the device, where those are known. */
  readonly boundMicroseconds?: number;
}

export interface BenchResult {
  /** The backend's own description. */
  readonly device: string;
  /** Threads that a step runs on, where the backend has a choice. */
  readonly threads?: number;
  readonly parameters: number;
  readonly batch: number;
  /** Median and best of the repeats. */
  readonly stepsPerSecond: number;
  readonly bestStepsPerSecond: number;
  readonly compileMs: number;
  /** On a GPU: what creating the pipelines took of it, and the dispatches of a step. */
  readonly pipelines?: { readonly count: number; readonly milliseconds: number };
  readonly dispatches?: number;
  /** Allocated on the device, and what the memory plan had said. */
  readonly deviceBytes: number;
  readonly plannedBytes: number;
  /** Growth of the JavaScript heap, and of the device's memory, over `heapSteps` steps. */
  readonly heapGrowthBytes?: number;
  readonly deviceGrowthBytes?: number;
  readonly heapSteps?: number;
  readonly kernels?: readonly KernelTime[];
}

interface Profiling extends Executable {
  readonly threads?: number;
  readonly pipelines?: BenchResult['pipelines'];
  dispatches?(entry: string): number;
  profile?(entry: string): readonly KernelTime[] | Promise<readonly KernelTime[] | undefined>;
}

const ENTRY = 'train';
const HEAP_STEPS = 10_000;
const HEAP_SECONDS = 10;
/** Short and many: on a busy machine the best ones find it idle. */
const REPEAT_MS = 80;
const REPEATS = 21;
/** V8 compiles hot code on other threads while the first steps run. */
const WARM_UP_MS = 300;

/** Trains `program` on `device` without writing a run. Its data must not depend on files. */
export async function benchProgram(
  program: Program,
  device: Program['run']['device'],
  { profile = false, heapSteps, heapSeconds = HEAP_SECONDS, repeats = REPEATS }: BenchOptions = {},
): Promise<BenchResult> {
  let compileMs = 0;
  let planned = 0;
  const timed = (backend: Backend): Backend => ({
    ...backend,
    async compile(entries) {
      planned = plannedBytes(entries);
      const start = performance.now();
      const executable = await backend.compile(entries);
      compileMs = performance.now() - start;
      return executable;
    },
  });
  const open = {
    wasm: async () => timed(await openers.wasm()),
    webgpu: async (options: GpuOptions) => timed(await openers.webgpu(options)),
  };
  const { session } = await prepareTraining({
    program: { ...program, run: { ...program.run, device } },
    resolvePath: path => path,
    open,
  });
  try {
    session.setOrder(0);
    const executable: Profiling = session.executable;
    const run = async (steps: number): Promise<number> => {
      const start = performance.now();
      executable.run(ENTRY, steps);
      await executable.sync();
      return performance.now() - start;
    };
    const steps = await warmUp(run);
    const rates: number[] = [];
    for (let i = 0; i < repeats; i++) rates.push((steps / (await run(steps))) * 1000);
    rates.sort((a, b) => a - b);
    const most = Math.ceil(rates.at(-1)! * heapSeconds);
    const growth = await heapGrowth(run, Math.min(heapSteps ?? HEAP_STEPS, most), () => executable.bytes);
    const kernels = profile ? await executable.profile?.(ENTRY) : undefined;
    return {
      device: session.backend.description,
      ...(executable.threads !== undefined && { threads: executable.threads }),
      parameters: program.parameters.reduce((n, p) => n + p.shape.reduce((a, d) => a * d, 1), 0),
      batch: program.data.batch,
      stepsPerSecond: rates[Math.floor(rates.length / 2)]!,
      bestStepsPerSecond: rates.at(-1)!,
      compileMs,
      ...(executable.pipelines && { pipelines: executable.pipelines, dispatches: executable.dispatches!(ENTRY) }),
      deviceBytes: executable.bytes,
      plannedBytes: planned,
      ...growth,
      ...(kernels && { kernels }),
    };
  } finally {
    await session.dispose();
  }
}

/** Runs until the machine has settled; returns how many steps make a measurement. */
async function warmUp(run: (steps: number) => Promise<number>): Promise<number> {
  let msPerStep = await run(1);
  const end = performance.now() + WARM_UP_MS;
  while (performance.now() < end) {
    msPerStep = Math.min(msPerStep, (await run(4)) / 4);
    await pause(1);
  }
  return Math.max(1, Math.round(REPEAT_MS / msPerStep));
}

/** What `steps` steps, in chunks as a training loop does them, add to the heap between two collections, and to the device's memory. */
async function heapGrowth(run: (steps: number) => Promise<number>, steps: number, deviceBytes: () => number) {
  const collect = globalThis.gc;
  if (collect === undefined || steps === 0) return {};
  const chunk = Math.ceil(steps / 100);
  await run(chunk);
  collect();
  const [heap, device] = [process.memoryUsage().heapUsed, deviceBytes()];
  for (let done = 0; done < steps; done += chunk) await run(chunk);
  collect();
  const heapGrowthBytes = process.memoryUsage().heapUsed - heap;
  return { heapSteps: steps, heapGrowthBytes, deviceGrowthBytes: deviceBytes() - device };
}
