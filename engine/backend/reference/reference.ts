/** The reference backend: interprets kernels plainly, in one thread, and refuses what others would do in silence. */
import type { Buffer, Schedule } from '../../kernel/kernel.ts';
import { EngineError, never } from '../../util/errors.ts';
import type { Backend, Executable } from '../backend.ts';
import { type CompiledKernel, compileKernel } from './kernels.ts';
import { copyOf, putAll, type Storage, storageTypes } from './storage.ts';

/** Slow and right; loads and stores outside a buffer throw. */
export function referenceBackend(): Backend {
  return {
    name: 'reference',
    description: 'CPU (reference interpreter)',
    memory: { total: Number.POSITIVE_INFINITY, arena: Number.POSITIVE_INFINITY },
    halves: 'stored',
    compile: async entries => compileEntries(entries),
    dispose: async () => {},
  };
}

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
  const find = (name: string): Storage => {
    const data = persistent.get(name);
    if (data === undefined) throw never('no such buffer', name);
    return data;
  };
  return {
    bytes,
    ready: async () => {},
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
      putAll(target, data, offset);
    },
    read: async (name, offset = 0, length) =>
      copyOf(find(name), offset, length === undefined ? undefined : offset + length),
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

function persistentBuffers(entries: readonly Schedule[]): Map<string, Storage> {
  const buffers = new Map<string, Storage>();
  for (const buffer of entries.flatMap(entry => entry.buffers)) {
    if (buffer.kind === 'temporary') continue;
    const known = buffers.get(buffer.name);
    if (known === undefined) {
      buffers.set(buffer.name, allocate(buffer));
    } else if (known.length !== buffer.length || !(known instanceof storageTypes[buffer.dtype])) {
      throw never('entries disagree about a buffer', buffer.name);
    }
  }
  return buffers;
}

function allocate({ name, dtype, length }: Buffer): Storage {
  try {
    return new storageTypes[dtype](length);
  } catch (error) {
    throw new EngineError(
      'out-of-memory',
      `no memory for the ${length} elements of ${name}; use a smaller model or batch`,
      { cause: error },
    );
  }
}

function temporary(arena: ArrayBuffer, { name, dtype, length, offset }: Buffer): Storage {
  if (offset === undefined) throw never('temporary without a place', name);
  return new storageTypes[dtype](arena, offset, length);
}
