/** Entry points ready to run: pipelines compiled, bind groups made once. */
import type { Dispatched } from '../../codegen/wgsl/beside.ts';
import type { Binding, Shader } from '../../codegen/wgsl/shader.ts';
import type { Kernel, Schedule } from '../../kernel/kernel.ts';
import { bytesOf } from '../../kernel/memory.ts';
import { type Memory, padded } from './buffers.ts';
import type { Device } from './index.ts';
import { compileShaders, type PipelineWork } from './pipelines.ts';

export interface Dispatch {
  /** What it runs, or runs a part of. */
  readonly kernels: readonly Kernel[];
  readonly pipeline: GPUComputePipeline;
  readonly group: GPUBindGroup;
  readonly workgroups: Shader['workgroups'];
}

export interface Program {
  readonly schedule: Schedule;
  readonly dispatches: readonly Dispatched[];
}

/** Compiles all entries together and binds each dispatch to its buffers; `offsets` is a uniform buffer to be destroyed with the memory. */
export async function buildEntries(
  own: Device,
  programs: readonly Program[],
  memory: Memory,
): Promise<{
  readonly entries: ReadonlyMap<string, readonly Dispatch[]>;
  readonly work: PipelineWork;
  readonly offsets: GPUBuffer | undefined;
}> {
  const all = programs.flatMap(program => program.dispatches.map(each => each.shader));
  const { compiled, work } = await compileShaders(own, all);
  const { buffer: offsets, places } = uploadOffsets(
    own,
    all.filter(shader => compiled.get(shader)!.takesOffsets),
  );
  const bind = (schedule: Schedule, { kernels, shader }: Dispatched): Dispatch => {
    const { pipeline, layout } = compiled.get(shader)!;
    const resources = shader.bindings.map(({ buffer }) => resourceOf(schedule, buffer, memory));
    const place = places.get(shader);
    if (place !== undefined) resources.push({ buffer: offsets!, ...place });
    const entries = resources.map((resource, binding) => ({ binding, resource }));
    const group = own.device.createBindGroup({ layout, entries });
    return { kernels, pipeline, group, workgroups: shader.workgroups };
  };
  const entries = new Map(programs.map(p => [p.schedule.name, p.dispatches.map(each => bind(p.schedule, each))]));
  return { entries, work, offsets };
}

function resourceOf(schedule: Schedule, name: Binding['buffer'], memory: Memory): GPUBufferBinding {
  if (name === 'arena') return { buffer: memory.arena };
  if (name === 'scratch') return { buffer: memory.scratch! };
  const { kind, offset = 0, length, dtype, name: label } = schedule.buffers[name]!;
  if (kind !== 'temporary') return { buffer: memory.persistent.get(label)!.gpu };
  return { buffer: memory.arena, offset, size: padded(length * bytesOf(dtype)) };
}

/** Where a uniform binding may begin: WebGPU's greatest `minUniformBufferOffsetAlignment`. */
const UNIFORM_ALIGNMENT = 256;

/** All offsets in one buffer, equal lists once. */
function uploadOffsets({ device }: Device, shaders: readonly Shader[]) {
  const places = new Map<Shader, { readonly offset: number; readonly size: number }>();
  if (shaders.length === 0) return { buffer: undefined, places };
  const known = new Map<string, number>();
  const words: number[] = [];
  for (const shader of shaders) {
    const key = shader.offsets.join();
    const size = Math.ceil(shader.offsets.length / 4) * 16;
    const at = known.get(key) ?? words.length;
    if (!known.has(key)) {
      known.set(key, at);
      const room = Math.ceil(size / UNIFORM_ALIGNMENT) * (UNIFORM_ALIGNMENT / 4);
      words.push(...shader.offsets, ...Array<number>(room - shader.offsets.length).fill(0));
    }
    places.set(shader, { offset: at * 4, size });
  }
  const usage = GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST;
  const buffer = device.createBuffer({ label: 'offsets', size: words.length * 4, usage });
  device.queue.writeBuffer(buffer, 0, Int32Array.from(words));
  return { buffer, places };
}
