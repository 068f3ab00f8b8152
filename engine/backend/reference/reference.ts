/** The reference backend: interprets kernels plainly, in one thread, and refuses what others would do in silence. */
import type { DType } from '../../ir/graph.ts';
import type { Buffer, Schedule } from '../../kernel/kernel.ts';
import { EngineError, never } from '../../util/errors.ts';
import type { Backend, Executable, HostArray } from '../backend.ts';
import { type CompiledKernel, compileKernel } from './kernels.ts';

/** Slow and right; loads and stores outside a buffer throw. */
export function referenceBackend(): Backend {
  return {
    name: 'reference',
    description: 'CPU (reference interpreter)',
    compile: async entries => compileEntries(entries),
    dispose: async () => {},
  };
}

const arrayTypes = {
  f32: Float32Array,
  i32: Int32Array,
  u32: Uint32Array,
  bool: Uint32Array,
  u8: Uint8Array,
} as const satisfies Record<DType, unknown>;

function compileEntries(entries: readonly Schedule[]): Executable {
  const persistent = persistentBuffers(entries);
  const compiled = new Map<string, readonly CompiledKernel[]>();
  let bytes = [...persistent.values()].reduce((n, data) => n + data.byteLength, 0);
  for (const schedule of entries) {
    const arena = new ArrayBuffer(schedule.arenaBytes);
    bytes += schedule.arenaBytes;
    const data = schedule.buffers.map(buffer => persistent.get(persistentName(buffer)) ?? temporary(arena, buffer));
    compiled.set(
      schedule.name,
      schedule.kernels.map(kernel => compileKernel(kernel, data)),
    );
  }
  const find = (name: string): HostArray => {
    const data = persistent.get(name);
    if (data === undefined) throw never('no such buffer', name);
    return data;
  };
  return {
    bytes,
    run(entry, times) {
      const kernels = compiled.get(entry);
      if (kernels === undefined) throw never('no such entry', entry);
      for (let i = 0; i < times; i++) for (const kernel of kernels) kernel();
    },
    sync: async () => {},
    write(name, data, offset = 0) {
      const target = find(name);
      if (offset + data.length > target.length)
        throw never(`${name} holds ${target.length} elements`, offset + data.length);
      target.set(data, offset);
    },
    read: async (name, offset = 0, length) =>
      find(name).slice(offset, length === undefined ? undefined : offset + length),
    dispose: () => {
      persistent.clear();
      compiled.clear();
    },
  };
}

/** Temporaries have no name that the host knows. */
function persistentName(buffer: Buffer): string {
  return buffer.kind === 'temporary' ? '' : buffer.name;
}

function persistentBuffers(entries: readonly Schedule[]): Map<string, HostArray> {
  const buffers = new Map<string, HostArray>();
  for (const buffer of entries.flatMap(entry => entry.buffers)) {
    if (buffer.kind === 'temporary') continue;
    const known = buffers.get(buffer.name);
    if (known === undefined) {
      buffers.set(buffer.name, allocate(buffer));
    } else if (known.length !== buffer.length || !(known instanceof arrayTypes[buffer.dtype])) {
      throw never('entries disagree about a buffer', buffer.name);
    }
  }
  return buffers;
}

function allocate({ name, dtype, length }: Buffer): HostArray {
  try {
    return new arrayTypes[dtype](length);
  } catch (error) {
    throw new EngineError(
      'out-of-memory',
      `no memory for the ${length} elements of ${name}; use a smaller model or batch`,
      { cause: error },
    );
  }
}

function temporary(arena: ArrayBuffer, { name, dtype, length, offset }: Buffer): HostArray {
  if (offset === undefined) throw never('temporary without a place', name);
  return new arrayTypes[dtype](arena, offset, length);
}
