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
import { planTeam, type Share } from './team.ts';
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
  /** Dividing it among threads is worth their while. */
  readonly worthwhile: boolean;
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
        steps.push({ index, kernel: compiled, worthwhile: flops + bytes / 4 >= PARALLEL_WORK });
        infos.push({ name: kernel.name, export: name, points: compiled.points, flops, bytes });
      }
    }
    module.add(entryFunction(steps, [], barrier), schedule.name);
    if (options.threads > 1) {
      const team = steps.map(({ kernel, worthwhile }) => ({ ...kernel, worthwhile }));
      const shares = planTeam(team, options.threads);
      shared.push(module.add(entryFunction(steps, shares, barrier), sharedEntry(schedule.name)));
    }
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

/**
 * `(thread, times)`: all kernels in order, `times` times; with `shares`, each thread takes its own of every kernel, and all wait for each
 * other where they say so and at the end of a step, which may also be the end of the run.
 */
function entryFunction(steps: readonly Step[], shares: readonly Share[], barrier: number): Code {
  const code = new Code(['i32', 'i32']);
  const done = code.local('i32');
  const emitStep = ({ index, kernel: { points } }: Step, share: Share | undefined) => {
    if (share?.waits) code.call(barrier);
    const whole = () => code.i32(0).i32(points).i32(0).call(index);
    if (share === undefined) whole();
    else if (share.chunk >= points) code.get(0).op('i32.eqz').if(whole);
    else emitPart(code, index, points, share.chunk);
  };
  code.i32(0).count(
    done,
    1,
    () => code.get(1),
    () => {
      steps.forEach((step, i) => {
        emitStep(step, shares[i]);
      });
      if (shares.length > 0) code.call(barrier);
    },
  );
  return code;
}

function emitPart(code: Code, index: number, points: number, chunk: number): void {
  const bound = (add: number) => {
    const local = code.local('i32');
    code.get(0).i32(add).op('i32.add').i32(chunk).op('i32.mul').tee(local).i32(points);
    code.get(local).i32(points).op('i32.lt_s').op('select');
  };
  bound(0);
  bound(1);
  code.get(0).call(index);
}
