/** Entry points ready to run: pipelines compiled, bind groups made once. */
import type { Dispatched } from '../../codegen/wgsl/beside.ts';
import type { Binding, Shader } from '../../codegen/wgsl/shader.ts';
import type { Kernel, Schedule } from '../../kernel/kernel.ts';
import { bytesOf } from '../../kernel/memory.ts';
import { type Memory, padded } from './buffers.ts';
import type { Device } from './index.ts';
import { compilerOf, type PipelineWork } from './pipelines.ts';

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

/** Entries under construction. */
export interface Entries {
  /** What can run, by name. */
  readonly dispatches: ReadonlyMap<string, readonly Dispatch[]>;
  /** When an entry can run, by name. */
  readonly ready: ReadonlyMap<string, Promise<void>>;
  readonly work: PipelineWork;
  /** A uniform buffer to be destroyed with the memory. */
  readonly offsets: GPUBuffer | undefined;
}

/** Compiles entries and binds each dispatch to its buffers: resolves when those of `first` are ready, and goes on with the others. */
export async function buildEntries(
  own: Device,
  programs: readonly Program[],
  memory: Memory,
  first: readonly string[],
): Promise<Entries> {
  const all = programs.flatMap(shadersOf);
  const compiler = compilerOf(own, all);
  const { buffer: offsets, places } = uploadOffsets(own, all.filter(compiler.takesOffsets));
  const dispatches = new Map<string, readonly Dispatch[]>();
  const build = async (program: Program): Promise<void> => {
    const compiled = await compiler.compile(shadersOf(program));
    const bind = ({ kernels, shader }: Dispatched): Dispatch => {
      const { pipeline, layout } = compiled.get(shader)!;
      const resources = shader.bindings.map(({ buffer }) => resourceOf(program.schedule, buffer, memory));
      const place = places.get(shader);
      if (place !== undefined) resources.push({ buffer: offsets!, ...place });
      const entries = resources.map((resource, binding) => ({ binding, resource }));
      return {
        kernels,
        pipeline,
        group: own.device.createBindGroup({ layout, entries }),
        workgroups: shader.workgroups,
      };
    };
    dispatches.set(program.schedule.name, program.dispatches.map(bind));
  };
  let milliseconds = 0;
  const ready = new Map<string, Promise<void>>();
  const start = async (some: readonly Program[]): Promise<void> => {
    const begun = performance.now();
    for (const program of some) ready.set(program.schedule.name, build(program));
    await Promise.all(some.map(program => ready.get(program.schedule.name)));
    milliseconds += performance.now() - begun;
  };
  const isFirst = ({ schedule }: Program) => first.includes(schedule.name);
  await start(programs.filter(isFirst));
  // Who waits for an entry is told of its failure.
  start(programs.filter(program => !isFirst(program))).catch(() => undefined);
  const work: PipelineWork = {
    get count() {
      return compiler.count;
    },
    get milliseconds() {
      return milliseconds;
    },
  };
  return { dispatches, ready, work, offsets };
}

const shadersOf = ({ dispatches }: Program): readonly Shader[] => dispatches.map(each => each.shader);

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
