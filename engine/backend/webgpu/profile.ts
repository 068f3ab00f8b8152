/** Measures each kernel on the device by timestamp queries, beside the time that the device's own rates of arithmetic and memory would take. */
import type { Kernel, Schedule } from '../../kernel/kernel.ts';
import { kernelWork } from '../../kernel/print.ts';
import type { Dispatch } from './entry.ts';
import type { Device } from './index.ts';

export interface KernelProfile {
  readonly name: string;
  readonly microseconds: number;
  readonly flops: number;
  readonly bytes: number;
  /** What its operations and bytes would take at the device's rates, measured as well. */
  readonly boundMicroseconds: number;
}

/** Operations and bytes a microsecond. */
interface Rates {
  readonly flops: number;
  readonly bytes: number;
}

export const canProfile = ({ device }: Device): boolean => device.features.has('timestamp-query');

/** Dispatches of a pass whose times are asked for at once; WebGPU's query sets hold 4096 timestamps. */
const DISPATCHES_PER_SET = 2048;

/** Runs `entry` `times` times (state changes as in `run`): the median time of each kernel. */
export async function profileEntry(
  own: Device,
  schedule: Schedule,
  dispatches: readonly Dispatch[],
  times: number,
): Promise<readonly KernelProfile[]> {
  const rates = await measureRates(own);
  const runs: Float64Array[] = [];
  for (let i = 0; i < times; i++) runs.push(await timeDispatches(own, dispatches));
  const median = (n: number): number => {
    const all = runs.map(run => run[n]!).sort((a, b) => a - b);
    return all[Math.floor(times / 2)]!;
  };
  // Parts of a kernel follow each other; kernels side by side in one dispatch are one row.
  const rows: { readonly kernels: readonly Kernel[]; microseconds: number }[] = [];
  for (const [n, { kernels }] of dispatches.entries()) {
    const last = rows.at(-1);
    if (last?.kernels[0] === kernels[0]) last!.microseconds += median(n);
    else rows.push({ kernels, microseconds: median(n) });
  }
  return rows.map(({ kernels, microseconds }) => {
    const work = kernels.map(kernel => kernelWork(schedule, kernel));
    const [flops, bytes] = [work.reduce((n, w) => n + w.flops, 0), work.reduce((n, w) => n + w.bytes, 0)];
    const boundMicroseconds = Math.max(flops / rates.flops, bytes / rates.bytes);
    return { name: kernels.map(kernel => kernel.name).join(' + '), microseconds, flops, bytes, boundMicroseconds };
  });
}

/** Microseconds of each dispatch, run once in order. */
async function timeDispatches(own: Device, dispatches: readonly Dispatch[]): Promise<Float64Array> {
  const found = new Float64Array(dispatches.length);
  for (let from = 0; from < dispatches.length; from += DISPATCHES_PER_SET)
    found.set(await timeSet(own, dispatches.slice(from, from + DISPATCHES_PER_SET)), from);
  return found;
}

async function timeSet(
  { device, check }: Device,
  dispatches: readonly Omit<Dispatch, 'kernels'>[],
): Promise<Float64Array> {
  const count = dispatches.length * 2;
  const set = device.createQuerySet({ type: 'timestamp', count });
  const usage = GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC;
  const resolved = device.createBuffer({ size: count * 8, usage });
  const staging = device.createBuffer({ size: count * 8, usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ });
  try {
    const encoder = device.createCommandEncoder();
    for (const [n, { pipeline, group, workgroups }] of dispatches.entries()) {
      const timestampWrites = { querySet: set, beginningOfPassWriteIndex: 2 * n, endOfPassWriteIndex: 2 * n + 1 };
      const pass = encoder.beginComputePass({ timestampWrites });
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, group);
      pass.dispatchWorkgroups(...workgroups);
      pass.end();
    }
    encoder.resolveQuerySet(set, 0, count, resolved, 0);
    encoder.copyBufferToBuffer(resolved, 0, staging, 0, count * 8);
    device.queue.submit([encoder.finish()]);
    await staging.mapAsync(GPUMapMode.READ);
    const stamps = new BigUint64Array(staging.getMappedRange().slice(0));
    return Float64Array.from(dispatches, (_, n) => Number(stamps[2 * n + 1]! - stamps[2 * n]!) / 1000);
  } finally {
    check();
    set.destroy();
    resolved.destroy();
    staging.destroy();
  }
}

/** Multiply-adds of a thread that keeps eight sums, and copies of four floats by a thread: enough to fill a device, little enough for software. */
const FMA_STEPS = 64;
const SUMS = 8;
const fmaCode = `@group(0) @binding(0) var<storage, read_write> data: array<vec4<f32>>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let x = data[id.x & 1023u];
${Array.from({ length: SUMS }, (_, n) => `  var s${n} = x + ${n}f;\n`).join('')}  for (var i = 0; i < ${FMA_STEPS}; i++) {
${Array.from({ length: SUMS }, (_, n) => `    s${n} = fma(s${n}, x, x);\n`).join('')}  }
  data[id.x & 1023u] = ${Array.from({ length: SUMS }, (_, n) => `s${n}`).join(' + ')};
}`;
const copyCode = `@group(0) @binding(0) var<storage, read_write> data: array<vec4<f32>>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let half = arrayLength(&data) / 2u;
  data[id.x + half] = data[id.x];
}`;

/** The best of a few runs of a loop of multiply-adds, and of a copy. */
async function measureRates(own: Device): Promise<Rates> {
  const { device, software } = own;
  const groups = software ? 256 : 16_384;
  const size = groups * 64 * 16 * 2;
  const buffer = device.createBuffer({ size, usage: GPUBufferUsage.STORAGE });
  try {
    const made = await Promise.all(
      [fmaCode, copyCode].map(async code => {
        const module = device.createShaderModule({ code });
        const pipeline = await device.createComputePipelineAsync({ layout: 'auto', compute: { module } });
        const entries = [{ binding: 0, resource: { buffer } }];
        const group = device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });
        return { pipeline, group, workgroups: [groups, 1, 1] as const };
      }),
    );
    const runs: Float64Array[] = [];
    for (let i = 0; i < 5; i++) runs.push(await timeSet(own, made));
    const best = (n: number) => Math.max(0.1, Math.min(...runs.map(run => run[n]!)));
    return { flops: (groups * 64 * 4 * SUMS * FMA_STEPS * 2) / best(0), bytes: size / best(1) };
  } finally {
    buffer.destroy();
  }
}
