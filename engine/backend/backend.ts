/** The interface every backend implements: compile schedules that share named persistent buffers, run them, move data. */
import type { Schedule } from '../kernel/kernel.ts';
import type { DeviceMemory } from '../kernel/rematerialize.ts';

export type BackendName = 'reference' | 'wasm' | 'webgpu';
export type HostArray = Float32Array | Int32Array | Uint32Array | Uint8Array;

/** WebAssembly's 4 GiB, less what packed operands and tiles take beside the plan. */
export const CPU_MEMORY: DeviceMemory = { total: 0.9 * 2 ** 32, arena: 0.9 * 2 ** 32 };

export interface CompileOptions {
  /** Entries to be ready first; a device that compiles beside the program makes the others ready afterwards. All by default. */
  readonly first?: readonly string[];
}

export interface Backend {
  readonly name: BackendName;
  /** For people: `CPU (WASM SIMD, 1 thread)`, `NVIDIA H200 (Vulkan)`, `SwiftShader (software)`. */
  readonly description: string;
  /** What it has for a run: steps that need more compute parts again instead of holding them. */
  readonly memory: DeviceMemory;
  /** Whether f16 takes two bytes, or is rounded to its numbers in the four of f32. */
  readonly halves: 'stored' | 'rounded';
  /** Compiles all entries ahead. Buffers of kind input, state and result with the same name are one buffer across entries and must agree in dtype and length. */
  compile(entries: readonly Schedule[], options?: CompileOptions): Promise<Executable>;
  dispose(): Promise<void>;
}

export interface Executable {
  /** Resolves when all of `entries` (every one by default) can run, at once where they were compiled first; rejects as `compile` does. */
  ready(entries?: readonly string[]): Promise<void>;
  /** Runs `entry` `times` times back to back. On the CPU it has finished when it returns; on a GPU it has been submitted. Allocates nothing. */
  run(entry: string, times: number): void;
  /** Resolves when all submitted work is done; rejects with EngineError (`device-lost`, `out-of-memory`). */
  sync(): Promise<void>;
  /** Copies into a persistent buffer, `offset` in elements; what goes to an f16 buffer is rounded. Submitted work that was issued earlier sees the old contents. */
  write(buffer: string, data: HostArray, offset?: number): void;
  /** Copies a persistent buffer (or `length` elements from `offset`) out, after all submitted work. bool buffers come as Uint32Array, f16 ones as Float32Array. */
  read(buffer: string, offset?: number, length?: number): Promise<HostArray>;
  /** Bytes held on the device by this executable. */
  readonly bytes: number;
  dispose(): void;
}
