/** Schedules into one WebAssembly module: a function a kernel, and a function an entry that runs its kernels step after step without leaving WASM. */
import type { Kernel, Schedule } from '../../kernel/kernel.ts';
import { MARGIN_BYTES, type Place } from './access.ts';
import { barrierFunction } from './barrier.ts';
import { kernelWork } from './cost.ts';
import { Code, ModuleBuilder } from './encoder.ts';
import { align, layoutBuffers } from './layout.ts';
import { Library } from './library.ts';
import { type CompiledKernel, compileLoop } from './loop.ts';
import { compileMatmul, type ModuleContext, type TileOptions } from './matmul.ts';
import { sharedOperands } from './panels.ts';
import { compileScatter } from './scatter.ts';
import { workFunction } from './worker.ts';

export interface ModuleOptions {
  /** More than one makes the memory shared and puts barriers between kernels. */
  readonly threads: number;
  readonly tile: TileOptions;
}

export interface KernelInfo {
  readonly name: string;
  /** Exported function `(from, to, thread)`. */
  readonly export: string;
  readonly points: number;
  /** Additions and multiplications of one run, counted from the kernel's scalars; bytes read and written at least. */
  readonly flops: number;
  readonly bytes: number;
}

export interface CompiledModule {
  readonly binary: Uint8Array<ArrayBuffer>;
  readonly pages: number;
  readonly persistent: ReadonlyMap<string, Place>;
  /**
   * Kernels of each entry, in the order in which the entries are numbered. The entry itself is exported under its name as
   * `(thread, times)`; with several threads, `sharedEntry(name)` does the same together with `work` on the other threads.
   */
  readonly entries: ReadonlyMap<string, readonly KernelInfo[]>;
}

const PAGE = 65536;
/** Work below which waking the other threads costs more than they bring, in additions (about 5 µs on one core). */
const PARALLEL_WORK = 300_000;

/** Export that runs an entry on all threads; every thread must call it, by way of `work`. */
export function sharedEntry(name: string): string {
  return `${name}*`;
}

interface Step {
  readonly index: number;
  readonly kernel: CompiledKernel;
  readonly parallel: boolean;
}

export function compileModule(schedules: readonly Schedule[], options: ModuleOptions): CompiledModule {
  const layout = layoutBuffers(schedules);
  const module = new ModuleBuilder();
  let used = 0;
  let most = 0;
  let kept = 0;
  const context: ModuleContext = {
    module,
    library: new Library(module),
    tile: options.tile,
    threads: options.threads,
    scratch: bytes => {
      const at = layout.end + kept + used;
      used = align(used + bytes, 64);
      most = Math.max(most, kept + used);
      return at;
    },
    shared: new Map(),
  };
  const barrier = options.threads > 1 ? module.add(barrierFunction(options.threads)) : -1;
  const entries = new Map<string, readonly KernelInfo[]>();
  const shared: number[] = [];
  for (const schedule of schedules) {
    const places = layout.entries.get(schedule.name)!;
    const steps: Step[] = [];
    const infos: KernelInfo[] = [];
    kept = 0;
    context.shared.clear();
    for (const [key, bytes] of sharedOperands(schedule, 4 * options.tile.vectors)) {
      context.shared.set(key, { base: layout.end + kept, isPacked: false });
      kept += align(bytes, 64);
    }
    for (const kernel of schedule.kernels) {
      used = 0;
      const { flops, bytes } = kernelWork(kernel, places);
      for (const compiled of compileKernel(kernel, places, context)) {
        const name = `${schedule.name}:${infos.length}`;
        const index = module.add(compiled.code, name);
        const parallel = options.threads > 1 && compiled.points > 1 && flops + bytes / 4 >= PARALLEL_WORK;
        steps.push({ index, kernel: compiled, parallel });
        infos.push({ name: kernel.name, export: name, points: compiled.points, flops, bytes });
      }
    }
    module.add(entryFunction(steps, 1, barrier), schedule.name);
    if (options.threads > 1)
      shared.push(module.add(entryFunction(steps, options.threads, barrier), sharedEntry(schedule.name)));
    entries.set(schedule.name, infos);
  }
  if (options.threads > 1) module.add(workFunction(shared), 'work');
  const pages = Math.ceil((layout.end + most + MARGIN_BYTES) / PAGE);
  const binary = module.encode({ pages, shared: options.threads > 1 });
  return { binary, pages, persistent: layout.persistent, entries };
}

function compileKernel(kernel: Kernel, places: readonly Place[], context: ModuleContext): readonly CompiledKernel[] {
  switch (kernel.kind) {
    case 'loop':
      return [compileLoop(kernel, places, context.library)];
    case 'matmul':
      return compileMatmul(kernel, places, context);
    case 'scatter':
      return [compileScatter(kernel, places, context.library)];
  }
}

/** `(thread, times)`: all kernels in order, `times` times. Each thread takes a fixed part of each parallel kernel. */
function entryFunction(steps: readonly Step[], threads: number, barrier: number): Code {
  const code = new Code(['i32', 'i32']);
  const done = code.local('i32');
  code.i32(0).count(
    done,
    1,
    () => code.get(1),
    () => {
      steps.forEach((step, i) => {
        const next = steps[(i + 1) % steps.length]!;
        if (threads > 1 && step.parallel) emitPart(code, step, threads);
        else if (threads > 1) {
          code.get(0).op('i32.eqz');
          code.if(() => code.i32(0).i32(step.kernel.points).i32(0).call(step.index));
        } else code.i32(0).i32(step.kernel.points).i32(0).call(step.index);
        // Between two kernels of thread 0 nobody waits; the last barrier also ends the run.
        const isLast = i === steps.length - 1;
        if (threads > 1 && (step.parallel || next.parallel || isLast)) code.call(barrier);
      });
    },
  );
  return code;
}

function emitPart(code: Code, { index, kernel }: Step, threads: number): void {
  const { points, granule } = kernel;
  const chunk = Math.ceil(points / threads / granule) * granule;
  const bound = (add: number) => {
    const local = code.local('i32');
    code.get(0).i32(add).op('i32.add').i32(chunk).op('i32.mul').tee(local).i32(points);
    code.get(local).i32(points).op('i32.lt_s').op('select');
  };
  bound(0);
  bound(1);
  code.get(0).call(index);
}
