/** Schedules into one WebAssembly module: a function a kernel, and a function an entry that runs its kernels step after step without leaving WASM. */
import type { Kernel, Schedule } from '../../kernel/kernel.ts';
import { MARGIN_BYTES, type Place } from './access.ts';
import { barrierFunction } from './barrier.ts';
import type { ModuleContext, TileOptions } from './context.ts';
import { kernelWork } from './cost.ts';
import { Code, ModuleBuilder } from './encoder.ts';
import { type Layout, layoutBuffers } from './layout.ts';
import { Library } from './library.ts';
import type { CompiledKernel } from './loop.ts';
import { operandKey, prepared, type SharedPanels, sharedOperands } from './panels.ts';
import { compileScatter } from './scatter.ts';
import { arenaGaps, createScratch } from './scratch.ts';
import { compileStaged } from './staged.ts';
import { type Strips, stripBytes } from './strips.ts';
import { planTeam, type Share } from './team.ts';
import { type Instance, pointersOf, type Template, templateOf, type Use, useOf } from './templates.ts';
import type { Span, TouchesOf } from './touches.ts';
import { compileProduct } from './widen.ts';
import { workFunction } from './worker.ts';

export interface ModuleOptions {
  /** More than one makes the memory shared and puts barriers between kernels. */
  readonly threads: number;
  readonly tile: TileOptions;
}

export interface KernelInfo {
  readonly name: string;
  /** Exported function `(from, to, thread, pointers …)`. */
  readonly export: string;
  readonly points: number;
  readonly pointers: readonly number[];
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
  /** Arguments behind those that say which points. */
  readonly pointers: readonly number[];
  readonly touches: TouchesOf;
  /** Dividing it among threads is worth their while. */
  readonly worthwhile: boolean;
}

export function compileModule(schedules: readonly Schedule[], options: ModuleOptions): CompiledModule {
  const layout = layoutBuffers(schedules);
  const module = new ModuleBuilder();
  const { threads, tile } = options;
  const strips: Strips = { base: layout.end, bytes: stripBytes(schedules.flatMap(s => s.kernels)), threads };
  const end = strips.base + threads * strips.bytes;
  const scratch = createScratch(end);
  const context: ModuleContext = { module, library: new Library(module, tile.fused), tile, threads, scratch, strips };
  const barrier = options.threads > 1 ? module.add(barrierFunction(options.threads)) : -1;
  const entries = new Map<string, readonly KernelInfo[]>();
  const shared: number[] = [];
  const compile = kernelCompiler(context);
  for (const plan of planEntries(schedules, layout, context)) {
    const { name } = plan.schedule;
    const { steps, infos } = compile(plan);
    module.add(entryFunction(module, steps, [], barrier), name);
    if (options.threads > 1) {
      const team = steps.map(({ kernel, touches, worthwhile }) => ({ ...kernel, touches, worthwhile }));
      const shares = planTeam(team, options.threads);
      shared.push(module.add(entryFunction(module, steps, shares, barrier), sharedEntry(name)));
    }
    entries.set(name, infos);
  }
  if (options.threads > 1) module.add(workFunction(shared), 'work');
  const pages = Math.ceil((end + scratch.most + MARGIN_BYTES) / PAGE);
  const binary = module.encode({ pages, shared: options.threads > 1 });
  return { binary, pages, persistent: layout.persistent, entries };
}

/** A function in the module, under the name of its export. */
interface Exported {
  readonly name: string;
  readonly index: number;
  readonly kernel: CompiledKernel;
}

/** An entry, its kernels matched with those of all entries that can share a function with them. */
interface EntryPlan {
  readonly schedule: Schedule;
  readonly places: readonly Place[];
  readonly uses: readonly Use[];
  /** Bytes of scratch that are the entry's own. */
  readonly kept: number;
}

function planEntries(
  schedules: readonly Schedule[],
  layout: Layout,
  { scratch, tile }: ModuleContext,
): readonly EntryPlan[] {
  const classes = new Map<string, Instance[]>();
  return schedules.map(schedule => {
    const places = layout.entries.get(schedule.name)!;
    const panels = new Map<string, SharedPanels>();
    scratch.openEntry();
    for (const [key, bytes] of sharedOperands(schedule, 4 * tile.vectors))
      panels.set(key, { base: scratch.keep(bytes), isPacked: false });
    const { kept } = scratch;
    const operandOf = (kernel: Kernel) =>
      kernel.kind === 'matmul' && panels.size > 0 ? panels.get(operandKey(prepared(kernel))) : undefined;
    const uses = schedule.kernels.map(kernel => useOf(kernel, places, operandOf(kernel), kept, classes));
    return { schedule, places, uses, kept };
  });
}

/** Compiles the steps of one entry after the other, their functions added to the module: one for all kernels that differ in places only. */
function kernelCompiler(context: ModuleContext): (plan: EntryPlan) => { steps: Step[]; infos: KernelInfo[] } {
  interface Compiled {
    readonly template: Template;
    readonly functions: readonly Exported[];
    /** The functions pack the operand that they share with others. */
    readonly packs: boolean;
  }
  const compiled = new Map<string, Compiled>();
  let functions = 0;
  const compile = (entry: string, { alike, operand }: Use, gaps: readonly Span[]): Compiled => {
    context.scratch.openKernel(gaps);
    const template = templateOf(alike);
    const made = compileKernel(template, context, operand).map((kernel): Exported => {
      const name = `${entry}:${functions++}`;
      return { name, index: context.module.add(kernel.code, name), kernel };
    });
    return { template, functions: made, packs: operand?.isPacked === true };
  };
  return ({ schedule, places, uses, kept }) => {
    const steps: Step[] = [];
    const infos: KernelInfo[] = [];
    const gapsAt = arenaGaps(schedule, places);
    context.scratch.openEntry(kept);
    for (const [number, use] of uses.entries()) {
      const { kernel, instance, operand } = use;
      // The first product that shares an operand also packs it, so that its functions are not those of the others.
      const key = `${instance.key}${operand?.isPacked}`;
      const gaps = use.alike.length === 1 ? gapsAt(number) : [];
      const found = compiled.get(key) ?? compile(schedule.name, use, gaps);
      if (instance.key !== undefined) compiled.set(key, found);
      if (operand !== undefined) operand.isPacked ||= found.packs;
      const { flops, bytes } = kernelWork(kernel, places);
      const pointers = pointersOf(found.template, instance);
      for (const { name, index, kernel: made } of found.functions) {
        const worthwhile = flops + bytes / 4 >= PARALLEL_WORK;
        steps.push({ index, kernel: made, pointers, touches: made.touches(instance.places), worthwhile });
        infos.push({ name: kernel.name, export: name, points: made.points, pointers, flops, bytes });
      }
    }
    return { steps, infos };
  };
}

function compileKernel(
  { kernel, places }: Template,
  context: ModuleContext,
  operand: SharedPanels | undefined,
): readonly CompiledKernel[] {
  switch (kernel.kind) {
    case 'loop':
      return [compileStaged(kernel, places, context)];
    case 'matmul':
      return compileProduct(kernel, places, context, operand);
    case 'scatter':
      return [compileScatter(kernel, places, context.library)];
  }
}

/**
 * `(thread, times)`: all kernels in order, `times` times; with `shares`, each thread takes its own of every kernel, and all wait for each
 * other where they say so and at the end of a step, which may also be the end of the run.
 */
function entryFunction(module: ModuleBuilder, steps: readonly Step[], shares: readonly Share[], barrier: number): Code {
  const code = new Code(['i32', 'i32']);
  const done = code.local('i32');
  const sections = steps.length > SECTION ? sectionsOf(module, steps, shares, barrier) : undefined;
  code.i32(0).count(
    done,
    1,
    () => code.get(1),
    () => {
      if (sections === undefined) emitSteps(code, steps, shares, barrier);
      else for (const section of sections) code.get(0).call(section);
      if (shares.length > 0) code.call(barrier);
    },
  );
  return code;
}

/** Steps in one function: what V8's optimising compiler takes for one of ten thousands, those of a long loop over time, grows much faster. */
const SECTION = 256;

/** Functions `(thread)` of `SECTION` steps each. */
function sectionsOf(
  module: ModuleBuilder,
  steps: readonly Step[],
  shares: readonly Share[],
  barrier: number,
): number[] {
  return Array.from({ length: Math.ceil(steps.length / SECTION) }, (_, n) => {
    const [from, to] = [n * SECTION, (n + 1) * SECTION];
    const code = new Code(['i32']);
    emitSteps(code, steps.slice(from, to), shares.slice(from, to), barrier);
    return module.add(code);
  });
}

/** The kernels in order, of the thread in local 0. */
function emitSteps(code: Code, steps: readonly Step[], shares: readonly Share[], barrier: number): void {
  const bound = code.local('i32');
  const emitStep = ({ index, kernel: { points }, pointers }: Step, share: Share | undefined) => {
    if (share?.waits) code.call(barrier);
    const call = () => {
      for (const pointer of pointers) code.i32(pointer);
      code.call(index);
    };
    const whole = () => {
      code.i32(0).i32(points).i32(0);
      call();
    };
    if (share === undefined) whole();
    else if (share.chunk >= points) code.get(0).op('i32.eqz').if(whole);
    else {
      emitPart(code, points, share.chunk, bound);
      call();
    }
  };
  for (const [i, step] of steps.entries()) emitStep(step, shares[i]);
}

/** Pushes the thread's part of the points, and the thread. */
function emitPart(code: Code, points: number, chunk: number, local: number): void {
  const bound = (add: number) => {
    code.get(0).i32(add).op('i32.add').i32(chunk).op('i32.mul').tee(local).i32(points);
    code.get(local).i32(points).op('i32.lt_s').op('select');
  };
  bound(0);
  bound(1);
  code.get(0);
}
