/** Runs kernels point by point: f32 after every operation, f64 within sums and products. */
import type { Scalar, ScalarType } from '../../ir/scalar.ts';
import type { Kernel, LoopKernel, MatmulKernel, Phase, ScatterKernel, Store } from '../../kernel/kernel.ts';
import { never } from '../../util/errors.ts';
import { type Point, scalarCompiler, type Thunk } from './compileScalar.ts';
import { type Storage, stored } from './storage.ts';

/** Runs the kernel once. */
export type CompiledKernel = () => void;

export function compileKernel(kernel: Kernel, buffers: readonly Storage[]): CompiledKernel {
  if (kernel.kind === 'loop') return compileLoop(kernel, buffers);
  if (kernel.kind === 'matmul') return compileMatmul(kernel, buffers);
  return compileScatter(kernel, buffers);
}

/** Visits every point of `sizes` in row-major order, with the loop variables from `first` on in `point.axes`. */
function forEachPoint(point: Point, first: number, sizes: readonly number[], visit: (flat: number) => void): void {
  const { axes } = point;
  const count = sizes.reduce((n, d) => n * d, 1);
  axes.fill(0, first, first + sizes.length);
  for (let flat = 0; flat < count; flat++) {
    point.tick++;
    visit(flat);
    for (let d = sizes.length - 1; d >= 0; d--) {
      const axis = first + d;
      axes[axis] = axes[axis]! + 1;
      if (axes[axis]! < sizes[d]!) break;
      axes[axis] = 0;
    }
  }
}

/** Evaluates all values, then writes them. */
function compileStores(
  stores: readonly Store[],
  compile: (s: Scalar) => Thunk,
  buffers: readonly Storage[],
): () => void {
  const values = stores.map(s => stored(buffers[s.buffer]!, compile(s.value)));
  const places = stores.map(s => compile(s.at));
  const data = stores.map(s => buffers[s.buffer]!);
  if (stores.length === 1) {
    const [value, place, array] = [values[0]!, places[0]!, data[0]!];
    return () => {
      array[inside(place(), array)] = value();
    };
  }
  const pending = new Float64Array(stores.length);
  const targets = new Int32Array(stores.length);
  return () => {
    for (let i = 0; i < pending.length; i++) {
      pending[i] = values[i]!();
      targets[i] = inside(places[i]!(), data[i]!);
    }
    for (let i = 0; i < pending.length; i++) data[i]![targets[i]!] = pending[i]!;
  };
}

function inside(at: number, array: Storage): number {
  if (at >= 0 && at < array.length) return at;
  throw never(`store outside a buffer of length ${array.length}`, at);
}

function scalarsOf(kernel: Kernel): readonly Scalar[] {
  const ofStores = (stores: readonly Store[]) => stores.flatMap(s => [s.value, s.at]);
  if (kernel.kind === 'matmul') return [kernel.a, kernel.b, ...ofStores(kernel.stores)];
  if (kernel.kind === 'scatter') return [kernel.at, kernel.value];
  return kernel.phases.flatMap(p => (p.kind === 'reduce' ? p.slots.map(s => s.value) : ofStores(p.stores)));
}

function compileLoop(kernel: LoopKernel, buffers: readonly Storage[]): CompiledKernel {
  const { axes, inner, phases } = kernel;
  const slotCount = phases.reduce((n, p) => n + (p.kind === 'reduce' ? p.slots.length : 0), 0);
  const point: Point = {
    axes: new Int32Array(axes.length + inner.length),
    slots: new Float64Array(slotCount),
    tick: 0,
  };
  const compile = scalarCompiler(scalarsOf(kernel), point, buffers);
  let slot = 0;
  const steps = phases.map(phase => {
    const overInner = (visit: (flat: number) => void) => forEachPoint(point, axes.length, inner, visit);
    if (phase.kind === 'store') {
      const store = compileStores(phase.stores, compile, buffers);
      return phase.over === 'inner' ? () => overInner(store) : store;
    }
    const reduce = compileReduce(phase, slot, point, compile);
    slot += phase.slots.length;
    return () => {
      reduce.start();
      overInner(reduce.visit);
      reduce.finish();
    };
  });
  return () =>
    forEachPoint(point, 0, axes, () => {
      for (const step of steps) {
        step();
        // Slots have changed: what was computed from them is stale.
        point.tick++;
      }
    });
}

interface Accumulation {
  readonly start: () => void;
  readonly visit: (flat: number) => void;
  readonly finish: () => void;
}

function compileReduce(
  { slots }: Extract<Phase, { kind: 'reduce' }>,
  first: number,
  point: Point,
  compile: (s: Scalar) => Thunk,
): Accumulation {
  const parts = slots.map(({ reducer, value }, i) =>
    accumulator(reducer, value.type, compile(value), point.slots, first + i),
  );
  return {
    start: () => {
      for (const part of parts) part.start();
    },
    visit: flat => {
      for (const part of parts) part.visit(flat);
    },
    finish: () => {
      for (const part of parts) part.finish();
    },
  };
}

function accumulator(reducer: string, type: ScalarType, value: Thunk, slots: Float64Array, slot: number): Accumulation {
  let total = 0;
  let best = 0;
  const finish = () => {
    slots[slot] = type === 'f32' ? Math.fround(total) : type === 'u32' ? total >>> 0 : total | 0;
  };
  const extremum = (start: number, pick: (a: number, b: number) => number): Accumulation => ({
    start: () => {
      total = start;
    },
    visit: () => {
      total = pick(total, value());
    },
    finish:
      type === 'f32'
        ? finish
        : () => {
            slots[slot] = total;
          },
  });
  switch (reducer) {
    case 'sum':
      return {
        start: () => {
          total = 0;
        },
        visit: () => {
          total += value();
        },
        finish,
      };
    case 'max':
      return extremum(-Infinity, Math.max);
    case 'min':
      return extremum(Infinity, Math.min);
    case 'argmax':
      return {
        start: () => {
          total = -Infinity;
          best = 0;
        },
        visit: flat => {
          const x = value();
          if (x > total) {
            total = x;
            best = flat;
          }
        },
        finish: () => {
          slots[slot] = best;
        },
      };
  }
  throw never('no such reducer', reducer);
}

function compileMatmul(kernel: MatmulKernel, buffers: readonly Storage[]): CompiledKernel {
  const { batch, m, n, k } = kernel;
  const point: Point = { axes: new Int32Array(4), slots: new Float64Array(1), tick: 0 };
  const compile = scalarCompiler(scalarsOf(kernel), point, buffers);
  const a = compile(kernel.a);
  const b = compile(kernel.b);
  const store = compileStores(kernel.stores, compile, buffers);
  const { axes } = point;
  // Operands are evaluated once into panels: a[m, k] and b[k, n].
  const left = new Float32Array(m * k);
  const right = new Float32Array(k * n);
  const product = new Float64Array(m * n);
  const pack = (
    panel: Float32Array,
    value: Thunk,
    rowAxis: number,
    rows: number,
    columnAxis: number,
    columns: number,
  ) => {
    for (let i = 0; i < rows; i++) {
      axes[rowAxis] = i;
      for (let j = 0; j < columns; j++) {
        axes[columnAxis] = j;
        point.tick++;
        panel[i * columns + j] = value();
      }
    }
  };
  return () => {
    for (let batchIndex = 0; batchIndex < batch; batchIndex++) {
      axes[0] = batchIndex;
      pack(left, a, 1, m, 3, k);
      pack(right, b, 3, k, 2, n);
      multiply(left, right, product, m, n, k);
      for (let i = 0; i < m * n; i++) {
        axes[1] = Math.floor(i / n);
        axes[2] = i % n;
        point.slots[0] = Math.fround(product[i]!);
        point.tick++;
        store();
      }
    }
  };
}

/** Row-major c[m, n] = a[m, k] b[k, n], in an order that runs along rows of b. */
function multiply(a: Float32Array, b: Float32Array, c: Float64Array, m: number, n: number, k: number): void {
  c.fill(0);
  for (let i = 0; i < m; i++) {
    const row = i * n;
    for (let p = 0; p < k; p++) {
      const x = a[i * k + p]!;
      const from = p * n;
      for (let j = 0; j < n; j++) c[row + j] = c[row + j]! + x * b[from + j]!;
    }
  }
}

function compileScatter(kernel: ScatterKernel, buffers: readonly Storage[]): CompiledKernel {
  const point: Point = { axes: new Int32Array(kernel.axes.length), slots: new Float64Array(0), tick: 0 };
  const compile = scalarCompiler(scalarsOf(kernel), point, buffers);
  const at = compile(kernel.at);
  const value = compile(kernel.value);
  const target = buffers[kernel.buffer]!;
  return () => {
    target.fill(0);
    forEachPoint(point, 0, kernel.axes, () => {
      const place = at();
      if (place >= 0 && place < target.length) target[place] = target[place]! + value();
    });
  };
}
