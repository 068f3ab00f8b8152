/** A small schedule that exercises what the code generator emits, to compare the bits and times of two ways of compiling it. */
import type { TileOptions } from '../../codegen/wasm/context.ts';
import { compileModule } from '../../codegen/wasm/module.ts';
import type { Kernel, Schedule } from '../../kernel/kernel.ts';
import { add, apply, axis, constant, load, mul, reduced } from '../../kernel/scalar.ts';

type Compile = (binary: Uint8Array<ArrayBuffer>) => WebAssembly.Module;

const [ROWS, COLUMNS, INNER] = [64, 80, 96];
const TRIALS = 4;
const RUNS = 8;

/** C = relu(A B^T + bias), then softmax over the rows, then an update with square roots and divisions. */
function probeSchedule(): Schedule {
  const f32 = (buffer: number, at: Parameters<typeof load>[1]) => load(buffer, at, 'f32');
  const float = (value: number) => constant(value, 'f32');
  const binary = (op: 'add' | 'sub' | 'mul' | 'div' | 'max', ...args: Parameters<typeof apply>[1]) =>
    apply(op, args, 'f32');
  const at = (row: number, width: number, column: number) => add(mul(axis(row), constant(width)), axis(column));
  const sum = binary('add', reduced(0, 'f32'), f32(2, axis(2)));
  const product: Kernel = {
    kind: 'matmul',
    name: 'product',
    batch: 1,
    m: ROWS,
    n: COLUMNS,
    k: INNER,
    a: f32(0, at(1, INNER, 3)),
    b: f32(1, at(2, INNER, 3)),
    stores: [{ buffer: 3, at: at(1, COLUMNS, 2), value: binary('max', sum, float(0)) }],
  };
  const element = f32(3, at(0, COLUMNS, 1));
  const e = apply('exp', [binary('sub', element, reduced(0, 'f32'))], 'f32');
  const softmax: Kernel = {
    kind: 'loop',
    name: 'softmax',
    axes: [ROWS],
    inner: [COLUMNS],
    phases: [
      { kind: 'reduce', slots: [{ reducer: 'max', value: element }] },
      { kind: 'reduce', slots: [{ reducer: 'sum', value: e }] },
      {
        kind: 'store',
        over: 'inner',
        stores: [{ buffer: 4, at: at(0, COLUMNS, 1), value: binary('div', e, reduced(1, 'f32')) }],
      },
    ],
  };
  const x = f32(4, axis(0));
  const root = apply('sqrt', [binary('add', binary('mul', x, x), float(1e-8))], 'f32');
  const update: Kernel = {
    kind: 'loop',
    name: 'update',
    axes: [ROWS * COLUMNS],
    inner: [],
    phases: [
      {
        kind: 'store',
        over: 'outer',
        stores: [{ buffer: 5, at: axis(0), value: binary('sub', f32(3, axis(0)), binary('div', x, root)) }],
      },
    ],
  };
  const lengths = [ROWS * INNER, COLUMNS * INNER, COLUMNS, ROWS * COLUMNS, ROWS * COLUMNS, ROWS * COLUMNS];
  return {
    name: 'probe',
    buffers: lengths.map((length, i) => ({ name: `b${i}`, kind: 'state', dtype: 'f32', length })),
    kernels: [product, softmax, update],
    arenaBytes: 0,
  };
}

function instantiate(tile: TileOptions, compile: Compile) {
  const compiled = compileModule([probeSchedule()], { threads: 1, tile });
  const memory = new WebAssembly.Memory({ initial: compiled.pages, maximum: compiled.pages });
  const instance = new WebAssembly.Instance(compile(compiled.binary), { strata: { memory } });
  for (const name of ['b0', 'b1', 'b2']) {
    const { base, length } = compiled.persistent.get(name)!;
    const view = new Float32Array(memory.buffer, base, length);
    for (let i = 0; i < length; i++) view[i] = Math.sin(i * 12.9898 + base);
  }
  return { compiled, memory, exports: instance.exports };
}

/** Bits of everything the probe computes. */
export function runProbe(tile: TileOptions, compile: Compile): Int32Array {
  const { compiled, memory, exports } = instantiate(tile, compile);
  (exports.probe as (thread: number, times: number) => void)(0, 1);
  const results = ['b3', 'b4', 'b5'].map(name => {
    const { base, length } = compiled.persistent.get(name)!;
    return Array.from(new Int32Array(memory.buffer, base, length));
  });
  return Int32Array.from(results.flat());
}

/** Milliseconds of the matrix product, the best of several trials. */
export function measureTile(tile: TileOptions, compile: Compile): number {
  const { compiled, exports } = instantiate(tile, compile);
  const kernel = compiled.entries.get('probe')![0]!;
  const run = exports[kernel.export] as (from: number, to: number, thread: number) => void;
  const times = Array.from({ length: TRIALS }, () => {
    const start = performance.now();
    for (let i = 0; i < RUNS; i++) run(0, kernel.points, 0);
    return performance.now() - start;
  });
  return Math.min(...times);
}
