/** Measures tiles: the products of a step that are new to this adapter run in each promising tile, and the fastest is kept. */
import { candidates as candidateTiles, matmulShaders, productKey } from '../../codegen/wgsl/matmul.ts';
import type { Shader } from '../../codegen/wgsl/shader.ts';
import type { Tile } from '../../codegen/wgsl/tiles.ts';
import type { MatmulKernel, Schedule } from '../../kernel/kernel.ts';
import { bytesOf } from '../../kernel/memory.ts';
import { padded } from './buffers.ts';
import type { Device } from './index.ts';
import { compilerOf } from './pipelines.ts';

/** For all products of one compilation together. */
export const TUNING_MS = 2000;
/** Candidates that are tried for each shape, best estimates first. */
const CANDIDATES = 7;
/** A measurement takes about so long, so that waiting for the queue weighs little, and is repeated in turns. */
const MEASURE_MS = 2;
const TURNS = 3;
const MOST_REPEATS = 100;
/** Operands beyond this aren't copied to memory of their own. */
const MOST_BYTES = 2 ** 28;

interface Product {
  readonly schedule: Schedule;
  readonly kernel: MatmulKernel;
  /** Of all that have its key. */
  flops: number;
}

/** The best tile of each product that `known` doesn't have, those that compute most first, as far as `milliseconds` allow. */
export async function measureTiles(
  own: Device,
  schedules: readonly Schedule[],
  known: ReadonlyMap<string, Tile>,
  milliseconds: number,
): Promise<ReadonlyMap<string, Tile>> {
  const end = performance.now() + milliseconds;
  const products = [...productsOf(schedules, known)].sort((a, b) => b[1].flops - a[1].flops);
  const found = new Map<string, Tile>();
  for (const [key, product] of products) {
    if (performance.now() >= end) break;
    const tiles = candidateTiles(product.schedule, product.kernel, own.shader).slice(0, CANDIDATES);
    const best = await fastest(own, product, tiles, end);
    if (best !== undefined) found.set(key, best);
  }
  return found;
}

function productsOf(schedules: readonly Schedule[], known: ReadonlyMap<string, Tile>): ReadonlyMap<string, Product> {
  const found = new Map<string, Product>();
  for (const schedule of schedules) {
    for (const kernel of schedule.kernels) {
      if (kernel.kind !== 'matmul') continue;
      const key = productKey(schedule, kernel);
      const flops = 2 * kernel.batch * kernel.m * kernel.n * kernel.k;
      const before = found.get(key);
      if (before !== undefined) before.flops += flops;
      else if (!known.has(key)) found.set(key, { schedule, kernel, flops });
    }
  }
  return found;
}

interface Candidate {
  readonly tile: Tile;
  readonly run: (times: number) => Promise<number>;
  best: number;
  readonly handicap: number;
}

/** The best of `tiles`, whose times count `handicap` times; undefined if the operands are too large, or time is up before each candidate has had its turn. */
export async function fastest(
  own: Device,
  { schedule, kernel }: Pick<Product, 'schedule' | 'kernel'>,
  tiles: readonly Tile[],
  end: number,
  handicap = (_: Tile): number => 1,
): Promise<Tile | undefined> {
  const shaders = tiles.map(tile => matmulShaders(schedule, kernel, { ...own.shader, tiles: { get: () => tile } }));
  const memory = allocateFor(own, schedule, shaders.flat());
  if (memory === undefined) return undefined;
  try {
    const compiled = await compilerOf(own, shaders.flat()).compile(shaders.flat());
    const candidates = tiles.map((tile, n): Candidate => {
      const dispatches = shaders[n]!.map(shader => ({
        pipeline: compiled.get(shader)!.pipeline,
        group: memory.bind(shader, compiled.get(shader)!.layout),
        workgroups: shader.workgroups,
      }));
      return {
        tile,
        run: times => timeRuns(own, dispatches, times),
        best: Number.POSITIVE_INFINITY,
        handicap: handicap(tile),
      };
    });
    let single = Number.POSITIVE_INFINITY;
    for (const { run } of candidates) single = Math.min(single, await run(1));
    const repeats = Math.max(1, Math.min(MOST_REPEATS, Math.ceil(MEASURE_MS / single)));
    for (let turn = 0; turn < TURNS; turn++) {
      for (const candidate of candidates) {
        if (performance.now() >= end) return turn === 0 ? undefined : winner(candidates);
        candidate.best = Math.min(candidate.best, (await candidate.run(repeats)) / repeats);
      }
    }
    return winner(candidates);
  } finally {
    memory.destroy();
  }
}

const winner = (candidates: readonly Candidate[]): Tile =>
  candidates.reduce((a, b) => (b.best * b.handicap < a.best * a.handicap ? b : a)).tile;

interface Runnable {
  readonly pipeline: GPUComputePipeline;
  readonly group: GPUBindGroup;
  readonly workgroups: Shader['workgroups'];
}

/** Milliseconds. */
async function timeRuns({ device, check }: Device, dispatches: readonly Runnable[], times: number): Promise<number> {
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  for (let i = 0; i < times; i++) {
    for (const { pipeline, group, workgroups } of dispatches) {
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, group);
      pass.dispatchWorkgroups(...workgroups);
    }
  }
  pass.end();
  const commands = encoder.finish();
  const start = performance.now();
  device.queue.submit([commands]);
  await device.queue.onSubmittedWorkDone();
  check();
  return performance.now() - start;
}

/** Zeroed memory of its own for every binding: the run's buffers stay as they are. */
function allocateFor({ device }: Device, schedule: Schedule, shaders: readonly Shader[]) {
  const scratch = Math.max(0, ...shaders.map(shader => shader.scratchBytes ?? 0));
  const sizeOf = (name: Shader['bindings'][number]['buffer']): number => {
    if (name === 'arena') return padded(schedule.arenaBytes);
    if (name === 'scratch') return padded(scratch);
    const { length, dtype } = schedule.buffers[name]!;
    return padded(length * bytesOf(dtype));
  };
  const names = new Set(shaders.flatMap(shader => shader.bindings.map(binding => binding.buffer)));
  if ([...names].map(sizeOf).reduce((a, b) => a + b, 0) > MOST_BYTES) return undefined;
  const usage = GPUBufferUsage.STORAGE;
  const buffers = new Map([...names].map(name => [name, device.createBuffer({ size: sizeOf(name), usage })]));
  return {
    bind(shader: Shader, layout: GPUBindGroupLayout): GPUBindGroup {
      const entries = shader.bindings.map(({ buffer }, binding) => ({ binding, resource: buffers.get(buffer)! }));
      return device.createBindGroup({ layout, entries });
    },
    destroy() {
      for (const buffer of buffers.values()) buffer.destroy();
    },
  };
}
