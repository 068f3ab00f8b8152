/** Device memory: a buffer for each persistent name, shared by all entries, and one arena for all temporaries. */
import type { Buffer, Schedule } from '../../kernel/kernel.ts';
import { bytesOf } from '../../kernel/memory.ts';
import { EngineError, never } from '../../util/errors.ts';
import type { Device } from './index.ts';

export interface Memory {
  readonly persistent: ReadonlyMap<string, { readonly gpu: GPUBuffer; readonly spec: Buffer }>;
  readonly arena: GPUBuffer;
  /** Partial sums between two dispatches of one kernel, where there are any. */
  readonly scratch: GPUBuffer | undefined;
  /** All that is held. */
  readonly bytes: number;
  destroy(): void;
}

/** Copies and bindings are counted in words of four bytes. */
export const padded = (bytes: number): number => Math.max(4, Math.ceil(bytes / 4) * 4);

/** Bytes of the largest buffer that a kernel can be given; no adapter says how much memory it has. */
export const largestBuffer = ({ device: { limits } }: Pick<Device, 'device'>): number =>
  Math.min(limits.maxBufferSize, limits.maxStorageBufferBindingSize);

/** Throws EngineError `out-of-memory`, naming the buffer that didn't fit. */
export async function allocate(
  { device }: Device,
  entries: readonly Schedule[],
  scratchBytes: number,
): Promise<Memory> {
  const buffers: GPUBuffer[] = [];
  const persistent = new Map<string, { gpu: GPUBuffer; spec: Buffer }>();
  let bytes = 0;
  const create = (label: string, size: number): GPUBuffer => {
    if (size > largestBuffer({ device })) throw outOfMemory(label, size);
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    const buffer = device.createBuffer({ label, size: padded(size), usage });
    buffers.push(buffer);
    bytes += padded(size);
    return buffer;
  };
  device.pushErrorScope('out-of-memory');
  try {
    for (const spec of entries.flatMap(e => e.buffers)) {
      if (spec.kind === 'temporary') continue;
      const known = persistent.get(spec.name)?.spec;
      if (known && (known.dtype !== spec.dtype || known.length !== spec.length))
        throw never('entries disagree about a buffer', spec.name);
      if (!known) persistent.set(spec.name, { gpu: create(spec.name, spec.length * bytesOf(spec.dtype)), spec });
    }
    const arena = create('arena', Math.max(...entries.map(e => e.arenaBytes), 4));
    const scratch = scratchBytes > 0 ? create('partial sums', scratchBytes) : undefined;
    const error = await device.popErrorScope();
    if (error) throw outOfMemory('the run', bytes);
    return { persistent, arena, scratch, bytes, destroy: () => buffers.forEach(b => void b.destroy()) };
  } catch (error) {
    for (const buffer of buffers) buffer.destroy();
    throw error;
  }
}

function outOfMemory(what: string, bytes: number): EngineError {
  const size = `${(bytes / 2 ** 20).toFixed(1)} MiB`;
  return new EngineError(
    'out-of-memory',
    `expected ${size} of GPU memory for ${what}, found less; use a smaller batch or device: cpu`,
  );
}
