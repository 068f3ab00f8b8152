/** Compiles hand-made kernels and runs them, beside a plain interpreter of kernels in double precision. */

import type { HostArray } from '../../../../engine/backend/backend.ts';
import { wasmBackend } from '../../../../engine/backend/wasm/index.ts';
import type { Scalar } from '../../../../engine/ir/scalar.ts';
import type { Buffer, Kernel, Schedule, Store } from '../../../../engine/kernel/kernel.ts';
import { roundToHalf } from '../../../../engine/util/half.ts';
import { erf, roundEven } from '../../../../engine/util/numbers.ts';
import { philox } from '../../../../engine/util/philox.ts';

export type Values = Record<string, number[]>;

export function buffer(name: string, length: number, dtype: Buffer['dtype'] = 'f32'): Buffer {
  return { name, kind: 'state', dtype, length };
}

export function schedule(buffers: readonly Buffer[], kernels: readonly Kernel[]): Schedule {
  return { name: 'test', buffers, kernels, arenaBytes: 0 };
}

/** Runs the schedule once on the WASM backend and returns all buffers. */
export async function runWasm(
  s: Schedule,
  inputs: Values,
  options: Parameters<typeof wasmBackend>[0] = {},
): Promise<Values> {
  const backend = await wasmBackend({ threads: 1, ...options });
  const executable = await backend.compile([s]);
  for (const { name, dtype } of s.buffers) {
    if (inputs[name] !== undefined) executable.write(name, hostArray(dtype, inputs[name]));
  }
  executable.run(s.name, 1);
  const result: Values = {};
  for (const { name } of s.buffers) result[name] = Array.from(await executable.read(name));
  executable.dispose();
  await backend.dispose();
  return result;
}

export function hostArray(dtype: Buffer['dtype'], data: readonly number[]): HostArray {
  if (dtype === 'f32') return Float32Array.from(data);
  if (dtype === 'i32') return Int32Array.from(data);
  return dtype === 'u8' ? Uint8Array.from(data) : Uint32Array.from(data);
}

/** The same by the definitions in engine/kernel/kernel.ts, point by point, in f64 but for stores. */
export function runPlainly(s: Schedule, inputs: Values): Values {
  const memory = s.buffers.map(b => hostArray(b.dtype, inputs[b.name] ?? new Array<number>(b.length).fill(0)));
  for (const kernel of s.kernels) runKernel(kernel, memory);
  return Object.fromEntries(s.buffers.map((b, i) => [b.name, Array.from(memory[i]!)]));
}

type Context = { axes: number[]; slots: number[]; memory: HostArray[] };

function runKernel(kernel: Kernel, memory: HostArray[]): void {
  if (kernel.kind === 'scatter') {
    const target = memory[kernel.buffer]!;
    target.fill(0);
    each(kernel.axes, axes => {
      const context = { axes, slots: [], memory };
      const at = evaluate(kernel.at, context);
      if (at >= 0 && at < target.length) target[at]! += evaluate(kernel.value, context);
    });
  } else if (kernel.kind === 'matmul') {
    each([kernel.batch, kernel.m, kernel.n], ([b, m, n]) => {
      let sum = 0;
      for (let k = 0; k < kernel.k; k++) {
        const context = { axes: [b!, m!, n!, k], slots: [], memory };
        sum += evaluate(kernel.a, context) * evaluate(kernel.b, context);
      }
      store(kernel.stores, { axes: [b!, m!, n!], slots: [sum], memory });
    });
  } else {
    each(kernel.axes, outer => {
      const slots: number[] = [];
      for (const phase of kernel.phases) {
        if (phase.kind === 'store') {
          if (phase.over === 'outer') store(phase.stores, { axes: outer, slots, memory });
          else each(kernel.inner, inner => store(phase.stores, { axes: [...outer, ...inner], slots, memory }));
          continue;
        }
        const results = phase.slots.map(({ reducer, value }) => {
          const all: number[] = [];
          each(kernel.inner, inner => all.push(evaluate(value, { axes: [...outer, ...inner], slots, memory })));
          if (reducer === 'sum') return all.reduce((a, b) => a + b, 0);
          if (reducer === 'argmax') return all.indexOf(Math.max(...all));
          return reducer === 'max' ? Math.max(...all) : Math.min(...all);
        });
        slots.push(...results);
      }
    });
  }
}

function each(extents: readonly number[], visit: (index: number[]) => void, index: number[] = []): void {
  if (index.length === extents.length) visit(index);
  else for (let i = 0; i < extents[index.length]!; i++) each(extents, visit, [...index, i]);
}

function store(stores: readonly Store[], context: Context): void {
  const values = stores.map(s => [evaluate(s.at, context), evaluate(s.value, context)] as const);
  stores.forEach((s, i) => {
    context.memory[s.buffer]![values[i]![0]] = values[i]![1];
  });
}

export function evaluate(s: Scalar, context: Context): number {
  if (s.kind === 'constant') return s.value;
  if (s.kind === 'axis') return context.axes[s.axis]!;
  if (s.kind === 'reduced') return context.slots[s.slot]!;
  if (s.kind === 'load') return context.memory[s.buffer]![evaluate(s.at, context)] ?? Number.NaN;
  const [a = 0, b = 0, c = 0, d = 0] = s.args.map(arg => evaluate(arg, context));
  const of = s.args[0]!.type;
  const whole = (x: number) => (s.type === 'u32' ? x >>> 0 : s.type === 'i32' ? x | 0 : x);
  switch (s.op) {
    case 'round_f16':
      return roundToHalf(a);
    case 'neg':
      return whole(-a);
    case 'abs':
      return Math.abs(a);
    case 'sign':
      return Math.sign(a);
    case 'floor':
      return Math.floor(a);
    case 'ceil':
      return Math.ceil(a);
    case 'round':
      return roundEven(a);
    case 'sqrt':
      return Math.sqrt(a);
    case 'exp':
      return Math.exp(a);
    case 'log':
      return Math.log(a);
    case 'tanh':
      return Math.tanh(a);
    case 'erf':
      return erf(a);
    case 'sin':
      return Math.sin(a);
    case 'cos':
      return Math.cos(a);
    case 'not':
      return s.type === 'bool' ? Number(a === 0) : whole(~a);
    case 'add':
      return whole(a + b);
    case 'sub':
      return whole(a - b);
    case 'mul':
      return s.type === 'f32' ? a * b : whole(Math.imul(a, b));
    case 'div':
      return s.type === 'f32' ? a / b : whole(Math.trunc(a / b));
    case 'mod':
      return a % b;
    case 'pow':
      return a ** b;
    case 'min':
      return Math.min(a, b);
    case 'max':
      return Math.max(a, b);
    case 'lt':
      return Number(a < b);
    case 'le':
      return Number(a <= b);
    case 'eq':
      return Number(a === b);
    case 'ne':
      return Number(a !== b);
    case 'and':
      return whole(a & b);
    case 'or':
      return whole(a | b);
    case 'xor':
      return whole(a ^ b);
    case 'shl':
      return whole(a << b);
    case 'shr':
      return whole(s.type === 'u32' ? a >>> b : a >> b);
    case 'select':
      return a !== 0 ? b : c;
    case 'cast':
      return s.type === 'bool' ? Number(a !== 0) : s.type === 'f32' ? Math.fround(a) : whole(Math.trunc(a));
    case 'bitcast':
      return bitcast(a, of === 'f32', s.type === 'f32', s.type === 'u32');
    case 'isfinite':
      return Number(Number.isFinite(a));
    case 'philox':
      return philox(a, b, c, d);
  }
}

function bitcast(value: number, fromFloat: boolean, toFloat: boolean, unsigned: boolean): number {
  const view = new DataView(new ArrayBuffer(4));
  if (fromFloat) view.setFloat32(0, value);
  else view.setInt32(0, value);
  if (toFloat) return view.getFloat32(0);
  return unsigned ? view.getUint32(0) : view.getInt32(0);
}

/** Reproducible numbers in [-range, range). */
export function random(length: number, seed: number, range = 2): number[] {
  return Array.from({ length }, (_, i) => Math.fround((philox(seed, 0, 0, i) / 2 ** 31 - 1) * range));
}

/** Largest difference relative to 1 + |expected|; NaN must meet NaN. */
export function difference(actual: readonly number[], expected: readonly number[]): number {
  return expected.reduce((worst, e, i) => {
    const a = actual[i]!;
    if (Object.is(a, e) || a === e || (Number.isNaN(a) && Number.isNaN(e))) return worst;
    const d = Math.abs(a - e) / (1 + Math.abs(e));
    return Number.isNaN(d) ? Number.POSITIVE_INFINITY : Math.max(worst, d);
  }, 0);
}
