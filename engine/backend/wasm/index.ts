/** The CPU backend: schedules compiled to WebAssembly SIMD, run synchronously in this process. */
import type { Place } from '../../codegen/wasm/access.ts';
import { type CompiledModule, compileModule } from '../../codegen/wasm/module.ts';
import type { Schedule } from '../../kernel/kernel.ts';
import { EngineError, never } from '../../util/errors.ts';
import type { Backend, Executable, HostArray } from '../backend.ts';
import { hasRelaxedSimd, tileFor } from './features.ts';

export interface WasmOptions {
  /** Threads that share each kernel; by default the faster of one and all cores. */
  readonly threads?: number;
  /** Whether to use relaxed SIMD; by default where the engine has it. */
  readonly relaxed?: boolean;
  /** Whether to let V8 pair vectors into 256-bit registers; by default where it does and gets it right. */
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
  /** Runs the kernels of `entry` one by one, `times` times (state changes as in `run`), and gives each one's median time. */
  profile(entry: string, times?: number): readonly KernelProfile[];
}

export interface WasmBackend extends Backend {
  compile(entries: readonly Schedule[]): Promise<WasmExecutable>;
}

type Run = (thread: number, times: number) => void;
type KernelRun = (from: number, to: number, thread: number) => void;

export async function wasmBackend(options: WasmOptions = {}): Promise<WasmBackend> {
  const relaxed = options.relaxed ?? hasRelaxedSimd();
  const wide = options.revectorize ?? true;
  const tile = tileFor({ relaxed, wide });
  return {
    name: 'wasm',
    description: `CPU (WASM ${relaxed ? 'relaxed ' : ''}SIMD, 1 thread)`,
    async compile(entries) {
      const compiled = compileModule(entries, { threads: 1, tile });
      const memory = new WebAssembly.Memory({ initial: compiled.pages, maximum: compiled.pages });
      const module = await WebAssembly.compile(compiled.binary);
      const instance = await WebAssembly.instantiate(module, { strata: { memory } });
      return executable(compiled, memory, instance);
    },
    async dispose() {},
  };
}

function executable(
  compiled: CompiledModule,
  memory: WebAssembly.Memory,
  instance: WebAssembly.Instance,
): WasmExecutable {
  const views = new Map([...compiled.persistent].map(([name, place]) => [name, viewOf(memory.buffer, place)]));
  const viewNamed = (name: string): HostArray => {
    const view = views.get(name);
    if (view === undefined) throw never('no such buffer', name);
    return view;
  };
  const runs = new Map([...compiled.entries.keys()].map(name => [name, instance.exports[name] as Run]));
  return {
    bytes: memory.buffer.byteLength,
    run(entry, times) {
      runs.get(entry)!(0, times);
    },
    async sync() {},
    write(buffer, data, offset = 0) {
      viewNamed(buffer).set(data, offset);
    },
    async read(buffer, offset = 0, length) {
      const view = viewNamed(buffer);
      return view.slice(offset, length === undefined ? undefined : offset + length);
    },
    profile(entry, times = 50) {
      const kernels = compiled.entries.get(entry)!;
      return kernels.map(({ name, export: exported, points, flops, bytes }) => {
        const run = instance.exports[exported] as KernelRun;
        const microseconds = Array.from({ length: times }, () => {
          const start = performance.now();
          run(0, points, 0);
          return (performance.now() - start) * 1000;
        });
        microseconds.sort((a, b) => a - b);
        return { name, microseconds: microseconds[Math.floor(times / 2)]!, flops, bytes };
      });
    },
    dispose() {},
  };
}

function viewOf(buffer: ArrayBufferLike, { base, dtype, length }: Place): HostArray {
  switch (dtype) {
    case 'f32':
      return new Float32Array(buffer, base, length);
    case 'i32':
      return new Int32Array(buffer, base, length);
    case 'u8':
      return new Uint8Array(buffer, base, length);
    default:
      return new Uint32Array(buffer, base, length);
  }
}

export { EngineError };
