/** Runs entries on the device: batches of steps a submit, writes through the queue, reads through mapped staging buffers. */
import type { DType } from '../../ir/graph.ts';
import type { Schedule } from '../../kernel/kernel.ts';
import { bytesOf } from '../../kernel/memory.ts';
import { EngineError, never } from '../../util/errors.ts';
import { floatsOfHalves, halvesOf } from '../../util/half.ts';
import type { Executable, HostArray } from '../backend.ts';
import { type Memory, padded } from './buffers.ts';
import type { Dispatch, Entries } from './entry.ts';
import type { Device } from './index.ts';
import type { PipelineWork } from './pipelines.ts';
import { canProfile, type KernelProfile, profileEntry } from './profile.ts';

/** Dispatches a submit: some 50 ms at most on the slowest hardware; Windows resets a GPU that is busy for 2 s. */
const DISPATCHES_PER_SUBMIT = 512;

const arrays = {
  f32: Float32Array,
  i32: Int32Array,
  u32: Uint32Array,
  bool: Uint32Array,
  u8: Uint8Array,
  f16: Uint16Array,
} as const satisfies Record<DType, unknown>;

export interface RunnableExecutable extends Executable {
  /** What creating the pipelines has taken. */
  readonly pipelines: PipelineWork;
  /** Dispatches of one run of `entry`. */
  dispatches(entry: string): number;
  /** Times each kernel of `entry` in `times` runs; undefined where the adapter has no timestamps. */
  profile(entry: string, times?: number): Promise<readonly KernelProfile[] | undefined>;
}

/** Runs of which `profile` takes the median. */
const PROFILE_RUNS = 15;

export function createExecutable(
  own: Device,
  schedules: readonly Schedule[],
  memory: Memory,
  { dispatches, ready, work, offsets }: Entries,
): RunnableExecutable {
  const { device, software, check } = own;
  const find = (name: string) => memory.persistent.get(name) ?? fail('no such buffer', name);
  const dispatchesOf = (entry: string) => dispatches.get(entry) ?? fail('no such entry, or not ready', entry);
  return {
    bytes: memory.bytes + (offsets?.size ?? 0),
    pipelines: work,
    async ready(entries = [...ready.keys()]) {
      await Promise.all(entries.map(entry => ready.get(entry) ?? fail('no such entry', entry)));
    },
    dispatches: entry => dispatchesOf(entry).length,
    async profile(entry, times = PROFILE_RUNS) {
      check();
      if (!canProfile(own)) return undefined;
      return profileEntry(own, schedules.find(each => each.name === entry)!, dispatchesOf(entry), times);
    },
    run(entry, times) {
      check();
      const found = dispatchesOf(entry);
      // Software devices get slow beyond a few dispatches in flight.
      const batch = software ? 1 : Math.max(1, Math.floor(DISPATCHES_PER_SUBMIT / Math.max(1, found.length)));
      for (let left = times; left > 0; left -= batch) submit(device, found, Math.min(left, batch));
    },
    async sync() {
      check();
      await device.queue.onSubmittedWorkDone().catch(lostOr(own));
      check();
    },
    write(name, data, offset = 0) {
      check();
      const { gpu, spec } = find(name);
      const size = bytesOf(spec.dtype);
      if (offset + data.length > spec.length)
        throw never(`${name} holds ${spec.length} elements`, offset + data.length);
      writeWords(device, gpu, spec.dtype === 'f16' ? halvesOf(data) : data, offset * size);
    },
    async read(name, offset = 0, length) {
      check();
      const { gpu, spec } = find(name);
      return readWords(own, gpu, spec.dtype, offset, length ?? spec.length - offset);
    },
    dispose() {
      memory.destroy();
      offsets?.destroy();
    },
  };
}

function fail(what: string, name: string): never {
  throw never(what, name);
}

function submit(device: GPUDevice, dispatches: readonly Dispatch[], times: number): void {
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  let current: GPUComputePipeline | undefined;
  for (let i = 0; i < times; i++) {
    for (const { pipeline, group, workgroups } of dispatches) {
      if (pipeline !== current) pass.setPipeline(pipeline);
      current = pipeline;
      pass.setBindGroup(0, group);
      pass.dispatchWorkgroups(workgroups[0], workgroups[1], workgroups[2]);
    }
  }
  pass.end();
  device.queue.submit([encoder.finish()]);
}

/** The queue takes whole words: data of u8 and f16 may only start at one, and its end is filled with zeros. */
function writeWords(device: GPUDevice, buffer: GPUBuffer, data: HostArray | Uint16Array, byteOffset: number): void {
  const bytes = new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
  if (byteOffset % 4 !== 0) throw never('a write starts within a word', byteOffset);
  const whole = bytes.length - (bytes.length % 4);
  if (whole > 0) device.queue.writeBuffer(buffer, byteOffset, bytes, 0, whole);
  if (whole === bytes.length) return;
  const rest = new Uint8Array(4);
  rest.set(bytes.subarray(whole));
  device.queue.writeBuffer(buffer, byteOffset + whole, rest);
}

async function readWords(
  own: Device,
  source: GPUBuffer,
  dtype: DType,
  offset: number,
  length: number,
): Promise<HostArray> {
  const { device, check } = own;
  const [from, to] = [offset * bytesOf(dtype), (offset + length) * bytesOf(dtype)];
  const start = from - (from % 4);
  const size = padded(to - start);
  const staging = device.createBuffer({ size, usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ });
  try {
    const encoder = device.createCommandEncoder();
    encoder.copyBufferToBuffer(source, start, staging, 0, size);
    device.queue.submit([encoder.finish()]);
    await staging.mapAsync(GPUMapMode.READ).catch(lostOr(own));
    check();
    const words = staging.getMappedRange().slice(0);
    const found = new arrays[dtype](words, from - start, length);
    return found instanceof Uint16Array ? floatsOfHalves(found) : found;
  } finally {
    staging.destroy();
  }
}

/** What a rejected promise of the device means: that it is gone. */
function lostOr({ check }: Device): (cause: unknown) => never {
  return cause => {
    check();
    throw new EngineError('device-lost', 'the GPU stopped answering; resume from the last checkpoint', { cause });
  };
}
