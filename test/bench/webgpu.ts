/**
 * `npm run bench:webgpu [PART…]`: what WebGPU reaches on this machine's adapter: matrix products, kernels of each family, creation of the
 * pipelines of all programs, steps a second. A PART is `products`, `kernels`, `steps`, or part of a program's name; all by default.
 */
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { wasmBackend } from '../../engine/backend/wasm/index.ts';
import { type WebgpuBackend, webgpuBackend } from '../../engine/backend/webgpu/index.ts';
import { productKey, tileOf } from '../../engine/codegen/wgsl/matmul.ts';
import { tileName } from '../../engine/codegen/wgsl/tiles.ts';
import { loadData } from '../../engine/data/dataset.ts';
import { workspacePaths } from '../../engine/data/paths.ts';
import type { Schedule } from '../../engine/kernel/kernel.ts';
import { kernelWork } from '../../engine/kernel/print.ts';
import { scheduleGraph } from '../../engine/kernel/schedule.ts';
import { GraphBuilder, type Value } from '../../engine/ops/builder.ts';
import { withShown } from '../../engine/train/show.ts';
import { buildSteps } from '../../engine/train/step.ts';
import { benchLines } from '../../server/cli/commands/bench.ts';
import { benchWorkload, workloads } from '../../server/cli/workloads.ts';
import { programNamed, programNames } from './programs.ts';

/** Milliseconds of pipeline creation that no program's step may exceed on hardware. */
const BAR_MS = 1000;
/** A measurement takes about so long; of a few the best counts. */
const MEASURE_MS = 100;
const TURNS = 5;
/** What takes longer for one run ends a series of growing sizes, so that software comes to an end. */
const LONGEST_MS = 1500;

type Build = (b: GraphBuilder) => Value;

/** Milliseconds of a run, best of a few measurements, with the work done and the tiles taken. */
async function measure(backend: WebgpuBackend, build: Build) {
  const b = new GraphBuilder();
  const schedule = scheduleGraph(b.finish('run', [{ name: 'result', value: build(b) }]));
  const executable = await backend.compile([schedule]);
  const run = async (times: number): Promise<number> => {
    const start = performance.now();
    executable.run('run', times);
    await executable.sync();
    return (performance.now() - start) / times;
  };
  await run(1);
  const single = await run(1);
  const times = Math.max(1, Math.round(MEASURE_MS / single));
  let best = single;
  for (let turn = 0; turn < TURNS && single < LONGEST_MS; turn++) best = Math.min(best, await run(times));
  executable.dispose();
  const work = schedule.kernels.map(kernel => kernelWork(schedule, kernel));
  const shader = backend.shader();
  const chosen = schedule.kernels.flatMap(k => (k.kind === 'matmul' ? [tileName(tileOf(schedule, k, shader))] : []));
  const measured = schedule.kernels.some(k => k.kind === 'matmul' && shader.tiles?.get(productKey(schedule, k)));
  return {
    milliseconds: best,
    flops: work.reduce((n, w) => n + w.flops, 0),
    bytes: work.reduce((n, w) => n + w.bytes, 0),
    dispatches: executable.dispatches('run'),
    tiles: chosen.length === 0 ? '' : `${chosen.join(', ')} (${measured ? 'measured' : 'by rule'})`,
  };
}

async function line(backend: WebgpuBackend, name: string, build: Build): Promise<number> {
  const { milliseconds, flops, bytes, dispatches, tiles } = await measure(backend, build);
  const rate = (amount: number) => (amount / milliseconds / 1e6).toFixed(1).padStart(9);
  const time = (milliseconds * 1000).toFixed(1).padStart(11);
  console.log(`${name.padEnd(34)}${time} ${rate(flops)} ${rate(bytes)} ${String(dispatches).padStart(10)}  ${tiles}`);
  return milliseconds;
}

const f32 = (...shape: number[]) => ({ dtype: 'f32', shape }) as const;
const product =
  (m: number, k: number, n: number): Build =>
  b =>
    b.matmul(b.input('x', f32(m, k)), b.input('w', f32(k, n)));
const header = (what: string) =>
  console.log(
    `\n${what.padEnd(34)}${'us'.padStart(11)} ${'GFLOP/s'.padStart(9)} ${'GB/s'.padStart(9)} dispatches  tile`,
  );

async function products(backend: WebgpuBackend): Promise<void> {
  header('f32 products');
  for (const size of [256, 512, 1024, 2048, 4096]) {
    if ((await line(backend, `${size}^3`, product(size, size, size))) > LONGEST_MS / 8) break;
  }
}

/** One of each family; `scale` divides what there is of it on software. */
const families = (scale: number): Readonly<Record<string, Build>> => {
  const rows = 4096 / scale;
  const x = (b: GraphBuilder) => b.input('x', f32(rows, 1024));
  const last = { axes: [1], keep: true };
  const mean = (b: GraphBuilder, v: Value) => b.div(b.sum(v, last), 1024);
  return {
    'product, few blocks, long depth': product(64, 16_384 / scale, 64),
    'product of simplenet': product(64, 784, 128),
    'product, edges everywhere': product(1023 / (scale > 1 ? 3 : 1), 510, 257),
    'product, one row': product(1, 4096, 4096 / scale),
    'product, batched, right transposed': b =>
      b.matmul(b.input('x', f32(64 / scale, 256, 64)), b.input('w', f32(64 / scale, 256, 64)), { transposeB: true }),
    'product, left transposed': b =>
      b.matmul(b.input('x', f32(1024, 1024 / scale)), b.input('w', f32(1024, 1024 / scale)), { transposeA: true }),
    'convolution 3x3, 64 to 64': b =>
      b.conv(b.input('x', f32(64 / scale, 64, 28, 28)), b.input('w', f32(64, 64, 3, 3))),
    'element by element': b => b.maximum(b.add(b.mul(x(b), 2), b.input('y', f32(rows, 1024))), 0),
    'gelu, which computes': b => {
      const v = x(b);
      return b.mul(v, b.add(1, b.erf(b.mul(v, Math.SQRT1_2))));
    },
    'sums of rows': b => b.sum(x(b), { axes: [1] }),
    'sums of columns': b => b.sum(x(b), { axes: [0] }),
    'sum of all': b => b.sum(x(b)),
    softmax: b => {
      const v = x(b);
      const e = b.exp(b.sub(v, b.max(v, last)));
      return b.div(e, b.sum(e, last));
    },
    'layer norm': b => {
      const centred = b.sub(x(b), mean(b, x(b)));
      return b.div(centred, b.sqrt(b.add(mean(b, b.square(centred)), 1e-5)));
    },
    'rows looked up': b => b.take(b.input('x', f32(1000, 256)), b.input('i', { dtype: 'i32', shape: [rows] })),
    'rows added up by index': b =>
      b.scatterAdd(b.input('i', { dtype: 'i32', shape: [rows / 4] }), b.input('x', f32(rows / 4, 256)), 100),
  };
};

async function kernels(backend: WebgpuBackend, scale: number): Promise<void> {
  header('kernels');
  for (const [name, build] of Object.entries(families(scale))) await line(backend, name, build);
}

/** The training step of each program alone, and all that a run needs, with the time of processors that compiling takes as well as the clock's. */
async function pipelines(examples: string, names: readonly string[]): Promise<void> {
  const head = ['kernels', 'pipelines', 'created in ms', 'of processors', 'for the step alone', 'dispatches a step'];
  console.log(`\n${'program'.padEnd(22)}${head.join('  ')}`);
  for (const name of names) {
    const program = await programNamed(examples, name);
    const cpu = await wasmBackend();
    const loading = { resolvePath: workspacePaths(examples), seed: program.run.seed, backend: cpu };
    const { counts } = await loadData(program.data, loading);
    await cpu.dispose();
    const all = await created(withShown(program, buildSteps(program, counts)).entries.map(scheduleGraph));
    const oneBatch = { train: program.data.batch, validation: 0, test: 0 };
    const step = await created(buildSteps(program, oneBatch).entries.map(scheduleGraph));
    const numbers = [all.kernels, all.count, all.milliseconds, all.processors, step.milliseconds, step.dispatches];
    const columns = numbers.map((n, i) => n.toFixed(0).padStart(head[i]!.length)).join('  ');
    console.log(`${name.padEnd(22)}${columns}${step.milliseconds <= BAR_MS ? '' : `  above ${BAR_MS} ms`}`);
  }
}

/** Compiled on a device of its own, since drivers may remember pipelines. */
async function created(schedules: readonly Schedule[]) {
  const backend = await webgpuBackend({ tune: false });
  const before = process.cpuUsage();
  const executable = await backend.compile(schedules);
  const { user, system } = process.cpuUsage(before);
  const kernels = schedules.reduce((n, each) => n + each.kernels.length, 0);
  const dispatches = executable.dispatches('train');
  executable.dispose();
  await backend.dispose();
  return { ...executable.pipelines, kernels, dispatches, processors: (user + system) / 1000 };
}

async function steps(isSoftware: boolean): Promise<void> {
  console.log('');
  for (const name of Object.keys(workloads)) {
    const result = await benchWorkload(name, 'webgpu', isSoftware ? { repeats: 3 } : { profile: true });
    console.log(benchLines(name, result).join('\n'));
  }
}

async function main(folder: string, parts: readonly string[]): Promise<void> {
  const backend = await webgpuBackend();
  const { subgroups, software, workgroupBytes } = backend.shader();
  console.log(`${backend.description}; ${backend.adapter}`);
  console.log(
    `subgroups ${subgroups === undefined ? 'none' : `of at least ${subgroups.least}`}, workgroups of ${workgroupBytes} bytes; ` +
      `${cpus()[0]?.model}, load ${loadavg()[0]!.toFixed(1)}, Node ${process.version}`,
  );
  const own = ['products', 'kernels', 'steps'];
  const wants = (part: string) => parts.length === 0 || parts.includes(part);
  if (wants('products')) await products(backend);
  if (wants('kernels')) await kernels(backend, software ? 16 : 1);
  await backend.dispose();
  const named = parts.filter(part => !own.includes(part));
  const examples = join(folder, '..', '..', 'examples');
  if (parts.length === 0 || named.length > 0) await pipelines(examples, programNames(examples, named));
  if (wants('steps')) await steps(software);
}

const [folder, ...parts] = process.argv.slice(2);
await main(folder!, parts);
process.exit();
