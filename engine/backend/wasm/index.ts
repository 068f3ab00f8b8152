/** The CPU backend: schedules compiled to WebAssembly SIMD, run synchronously in this process, with worker threads where they help. */
import { availableParallelism, totalmem } from 'node:os';
import type { Place } from '../../codegen/wasm/access.ts';
import { type CompiledModule, compileModule, sharedEntry } from '../../codegen/wasm/module.ts';
import type { Schedule } from '../../kernel/kernel.ts';
import { EngineError, never } from '../../util/errors.ts';
import { floatsOfHalves, halvesOf } from '../../util/half.ts';
import { type Backend, CPU_MEMORY, type Executable, type HostArray } from '../backend.ts';
import { briefly } from '../flags.ts';
import { type Crew, recruit } from './crew.ts';
import { compileOptimized, detectFeatures } from './features.ts';
import { collectGarbage } from './garbage.ts';
import { createPace, type Pace } from './pace.ts';

export interface WasmOptions {
  /** Threads that share each kernel; by default one or all cores, whichever is faster at the time. */
  readonly threads?: number;
  /** False to do without relaxed SIMD. */
  readonly relaxed?: boolean;
  /** False to do without pairing vectors into 256-bit registers. */
  readonly revectorize?: boolean;
}

/** One kernel's share of a step. */
export interface KernelProfile {
  readonly name: string;
  readonly microseconds: number;
  readonly flops: number;
  readonly bytes: number;
}

export interface WasmExecutable extends Executable {
  /** Threads that most steps of the latest `run` used. */
  readonly threads: number;
  /** Runs the kernels of `entry` one by one on one thread, `times` times (state changes as in `run`): each one's median time. */
  profile(entry: string, times?: number): readonly KernelProfile[];
}

export interface WasmBackend extends Backend {
  compile(entries: readonly Schedule[]): Promise<WasmExecutable>;
}

/** Threads beside the caller's, and whether they must be used. */
interface Team {
  readonly crew: Crew;
  readonly threads: number;
  readonly forced: boolean;
}

/** A persistent buffer in the linear memory; f16 by its bits. */
type View = HostArray | Uint16Array;
type Run = (thread: number, times: number) => void;
type KernelRun = (from: number, to: number, thread: number, ...pointers: readonly number[]) => void;

/** More threads than this share too little work each. */
const MOST_THREADS = 16;
/** Operations of a step below which threads aren't tried: it takes about 20 µs. */
const WORTH_THREADS = 2e6;
const MAX_BYTES = 2 ** 32;
/** How much of the machine's memory a run may take. */
const MEMORY_SHARE = 0.75;

/** Bits don't depend on the number of threads: work is divided by outer points, never within a sum. */
export async function wasmBackend(options: WasmOptions = {}): Promise<WasmBackend> {
  const features = detectFeatures(options);
  const most = Math.min(options.threads ?? availableParallelism(), MOST_THREADS);
  const simd = `${features.relaxed ? 'relaxed ' : ''}SIMD${features.wide ? ' 256' : ''}`;
  const open = new Set<WasmExecutable>();
  return {
    name: 'wasm',
    description: `CPU (WASM ${simd}, ${most === 1 ? '1 thread' : `up to ${most} threads`})`,
    memory: { ...CPU_MEMORY, total: Math.min(CPU_MEMORY.total, MEMORY_SHARE * machineMemory()) },
    halves: 'stored',
    async compile(entries) {
      const executable = await compile(entries, most, options.threads !== undefined, features);
      open.add(executable);
      return executable;
    },
    async dispose() {
      for (const executable of open) executable.dispose();
    },
  };
}

/** Bytes of the machine, or of the container that the process runs in. */
function machineMemory(): number {
  const constrained = process.constrainedMemory();
  return constrained > 0 ? Math.min(totalmem(), constrained) : totalmem();
}

async function compile(
  entries: readonly Schedule[],
  most: number,
  forced: boolean,
  { tile, wide }: ReturnType<typeof detectFeatures>,
): Promise<WasmExecutable> {
  const worthwhile = (flops: number) => most > 1 && (forced || flops >= WORTH_THREADS);
  let recruits = worthwhile(Math.max(0, ...entries.map(productWork))) ? recruit(most) : undefined;
  try {
    const compiled = briefly(() => compileModule(entries, { threads: most, tile }));
    const work = [...compiled.entries.values()].map(kernels => kernels.reduce((sum, kernel) => sum + kernel.flops, 0));
    if (worthwhile(Math.max(0, ...work))) recruits ??= recruit(most);
    const memory = allocate(compiled.pages, most > 1);
    const module = compileOptimized(compiled.binary, wide);
    const instance = new WebAssembly.Instance(module, { strata: { memory } });
    const joining = recruits?.join(module, memory);
    collectGarbage(memory.buffer.byteLength);
    const crew = await joining;
    return executable(compiled, memory, instance, crew && { crew, threads: most, forced });
  } catch (error) {
    recruits?.dismiss();
    throw error;
  }
}

/** Operations of the products of an entry alone, which is known before anything is compiled. */
function productWork({ kernels }: Schedule): number {
  return kernels.reduce((sum, k) => (k.kind === 'matmul' ? sum + 2 * k.batch * k.m * k.n * k.k : sum), 0);
}

function allocate(pages: number, shared: boolean): WebAssembly.Memory {
  try {
    return new WebAssembly.Memory({ initial: pages, maximum: pages, shared });
  } catch (cause) {
    const gigabytes = ((pages * 65536) / 2 ** 30).toFixed(1);
    const limit = pages * 65536 > MAX_BYTES ? 'WebAssembly holds at most 4 GiB' : 'the system refused it';
    const message = `the model, its data and its activations need ${gigabytes} GiB on the CPU and ${limit}; use a smaller batch or less data`;
    throw new EngineError('out-of-memory', message, { cause });
  }
}

function executable(
  compiled: CompiledModule,
  memory: WebAssembly.Memory,
  { exports }: WebAssembly.Instance,
  team: Team | undefined,
): WasmExecutable {
  const views = new Map([...compiled.persistent].map(([name, place]) => [name, viewOf(memory.buffer, place)]));
  const viewNamed = (name: string): View => {
    const view = views.get(name);
    if (view === undefined) throw never('no such buffer', name);
    return view;
  };
  const runs = new Map([...compiled.entries.keys()].map((name, number) => [name, paceOf(exports, name, number, team)]));
  let latest: Pace | undefined;
  return {
    get bytes() {
      return memory.buffer.byteLength;
    },
    get threads() {
      return team !== undefined && (latest?.preferred ?? 1) === 1 ? team.threads : 1;
    },
    run(entry, times) {
      latest = runs.get(entry)!;
      latest.run(times);
    },
    async ready() {},
    async sync() {},
    write(buffer, data, offset = 0) {
      const view = viewNamed(buffer);
      view.set(view instanceof Uint16Array ? halvesOf(data) : data, offset);
    },
    async read(buffer, offset = 0, length) {
      return copyOf(viewNamed(buffer), offset, length);
    },
    profile(entry, times = 50) {
      return compiled.entries.get(entry)!.map(({ name, export: kernel, points, pointers, flops, bytes }) => {
        const run = exports[kernel] as KernelRun;
        const microseconds = Array.from({ length: times }, () => {
          const start = performance.now();
          run(0, points, 0, ...pointers);
          return (performance.now() - start) * 1000;
        });
        microseconds.sort((a, b) => a - b);
        return { name, microseconds: microseconds[Math.floor(times / 2)]!, flops, bytes };
      });
    },
    dispose() {
      team?.crew.dispose();
      runs.clear();
    },
  };
}

/** One entry alone, or on all threads, or whichever is faster at the time. */
function paceOf(exports: WebAssembly.Exports, name: string, number: number, team: Team | undefined): Pace {
  const run = exports[name] as Run;
  const alone = (times: number) => run(0, times);
  if (team === undefined) return { run: alone, preferred: 0 };
  const { crew, forced } = team;
  const shared = exports[sharedEntry(name)] as Run;
  const together = (times: number) => {
    crew.start(number, times);
    shared(0, times);
  };
  return forced ? { run: together, preferred: 1 } : createPace([alone, together]);
}

/** A copy in memory of its own, also of shared memory. */
function copyOf(view: View, offset: number, length: number | undefined): HostArray {
  const end = length === undefined ? view.length : offset + length;
  const part = view.subarray(offset, end);
  if (part instanceof Uint16Array) return floatsOfHalves(part);
  if (part instanceof Float32Array) return Float32Array.from(part);
  if (part instanceof Int32Array) return Int32Array.from(part);
  return part instanceof Uint32Array ? Uint32Array.from(part) : Uint8Array.from(part);
}

function viewOf(buffer: ArrayBufferLike, { base, dtype, length }: Place): View {
  switch (dtype) {
    case 'f32':
      return new Float32Array(buffer, base, length);
    case 'i32':
      return new Int32Array(buffer, base, length);
    case 'u8':
      return new Uint8Array(buffer, base, length);
    case 'f16':
      return new Uint16Array(buffer, base, length);
    default:
      return new Uint32Array(buffer, base, length);
  }
}
