/** Scatter kernels: clear the buffer, then add every point's value in order. */
import type { Scalar } from '../../ir/scalar.ts';
import type { ScatterKernel } from '../../kernel/kernel.ts';
import { rowIndex } from '../../kernel/rows.ts';
import { apply, axis, constant, intern, substituteAxes } from '../../kernel/scalar.ts';
import { simplifier } from '../../kernel/simplify.ts';
import { bytesOf, type Place } from './access.ts';
import { Code } from './encoder.ts';
import { guardLoads } from './guard.ts';
import type { Library } from './library.ts';
import type { CompiledKernel } from './loop.ts';
import { accessesOf, spanOf, type TouchesOf, touchesOf } from './touches.ts';
import { type Mode, type Plan, SCALAR, Values } from './values.ts';

/** Vectors of a row that are added at once, one after the other, and single elements at its end. */
const MODES: readonly Mode[] = [{ form: 'vector', unroll: 4 }, { form: 'vector', unroll: 1 }, SCALAR];
/** Columns that share a cache line stay with one thread. */
const LINE = 16;

/**
 * Rows of neighbours are added in vectors, and threads divide their columns: every element gets its additions from one thread, in the
 * order of the points. A row is in range or out of it as a whole. Without such rows one thread adds element by element.
 */
export function compileScatter(kernel: ScatterKernel, places: readonly Place[], library: Library): CompiledKernel {
  const { axes } = kernel;
  const last = axes.length - 1;
  const { dtype, length } = places[kernel.buffer]!;
  const prepared = { ...kernel, at: simplifier(axes)(intern(kernel.at)) };
  const hasRows = dtype === 'f32' && rowIndex(prepared) !== undefined && length % axes[last]! === 0;
  const code = new Code(['i32', 'i32', 'i32']);
  new ScatterEmitter(kernel, code, places, library, hasRows).emit();
  const accesses = accessesOf([prepared.at, kernel.value], []);
  const touches =
    (own: readonly Place[]): TouchesOf =>
    (from, to) => {
      const [extents, starts] = hasRows
        ? [axes.with(last, to), axes.map((_, n) => (n === last ? from : 0))]
        : [axes, []];
      const { reads } = touchesOf(accesses, own, extents, starts);
      return { reads, writes: [spanOf(own[kernel.buffer]!)] };
    };
  return { code, points: hasRows ? axes[last]! : 1, granule: hasRows ? LINE : 1, touches };
}

class ScatterEmitter {
  private readonly code: Code;
  private readonly axes: readonly number[];
  private readonly place: Place;
  private readonly buffer: number;
  private readonly hasRows: boolean;
  private readonly values: Values;
  private readonly at: Scalar;
  private readonly value: Scalar;
  /** Whether the row, or the element, lies in the buffer. */
  private readonly inside: Scalar;

  constructor(kernel: ScatterKernel, code: Code, places: readonly Place[], library: Library, hasRows: boolean) {
    const { axes, buffer } = kernel;
    this.code = code;
    this.axes = axes;
    this.buffer = buffer;
    this.place = places[buffer]!;
    this.hasRows = hasRows;
    const lane = hasRows ? axes.length - 1 : undefined;
    const simplify = simplifier(axes);
    const prepare = (s: Scalar) => guardLoads(simplify(intern(s)), places, axes, lane);
    this.at = prepare(kernel.at);
    this.value = prepare(kernel.value);
    const row = axes.map((_, n) => (n === lane ? constant(0) : axis(n)));
    const first = simplify(substituteAxes(this.at, row));
    const bounds = [
      apply('le', [constant(0), first], 'bool'),
      apply('lt', [first, constant(this.place.length)], 'bool'),
    ];
    this.inside = apply('and', bounds, 'bool');
    const depthOf = (n: number) => n + 1;
    const written = new Set([buffer]);
    this.values = new Values(code, library, { places, extents: axes, lane, outerDepth: axes.length, written, depthOf });
  }

  emit(): void {
    this.emitClear();
    this.open(0);
  }

  /** All of the buffer, or the columns from parameter 0 to parameter 1. */
  private emitClear(): void {
    const { code, place, axes } = this;
    const bytes = bytesOf(place.dtype);
    if (!this.hasRows) {
      code
        .i32(place.base)
        .i32(0)
        .i32(place.length * bytes)
        .fill();
      return;
    }
    const row = code.local('i32');
    const rowBytes = axes.at(-1)! * bytes;
    code.i32(0).count(
      row,
      rowBytes,
      () => code.i32(place.length * bytes),
      () => {
        code.get(0).i32(bytes).op('i32.mul').get(row).op('i32.add').i32(place.base).op('i32.add').i32(0);
        code.get(1).get(0).op('i32.sub').i32(bytes).op('i32.mul').fill();
      },
    );
  }

  /** The loop over axis `n` and those below it. */
  private open(n: number): void {
    const { code, values, axes } = this;
    const isBody = n === axes.length - (this.hasRows ? 1 : 0);
    if (isBody) {
      this.materialize(n);
      values.emit(this.inside, 'scalar');
      code.if(() => values.scope(() => (this.hasRows ? this.emitRow(n) : this.emitAddition(SCALAR))));
      return;
    }
    this.materialize(n);
    const variable = code.local('i32');
    values.bindAxis(n, variable);
    code.i32(0).count(
      variable,
      1,
      () => code.i32(axes[n]!),
      () => values.scope(() => this.open(n + 1)),
    );
  }

  /** What is known before the loop over axis `n`. */
  private materialize(n: number): void {
    const modes = this.hasRows ? MODES : [SCALAR];
    const condition = this.values.plan([{ scalar: this.inside, form: 'scalar' }], n);
    this.values.materialize([condition, ...modes.map(mode => this.plan(mode))], n);
  }

  private plan({ form }: Mode): Plan {
    const { address } = this.values.access(this.buffer, this.at);
    const roots = [
      { scalar: this.value, form },
      { scalar: address, form: 'scalar' as const },
    ];
    return this.values.plan(roots, this.axes.length);
  }

  private emitRow(n: number): void {
    const { code, values } = this;
    const variable = code.local('i32');
    values.bindAxis(n, variable);
    code.get(0).set(variable);
    for (const mode of MODES) {
      const step = mode.form === 'vector' ? 4 * mode.unroll : 1;
      const limit = () =>
        code
          .get(1)
          .i32(step - 1)
          .op('i32.sub');
      code.get(variable).count(variable, step, limit, () =>
        values.scope(() => {
          values.materialize([this.plan(mode)], n + 1, mode.unroll);
          this.emitAddition(mode);
        }),
      );
    }
  }

  private emitAddition({ form, unroll }: Mode): void {
    const { code, values } = this;
    const { address, offset } = values.access(this.buffer, this.at);
    const isFloat = this.place.dtype === 'f32';
    const target = code.local('i32');
    values.emit(address, 'scalar');
    code.set(target);
    for (let u = 0; u < unroll; u++) {
      code.get(target).get(target);
      if (form === 'vector') {
        code.memory('v128.load', offset + 16 * u, 2);
        values.emit(this.value, 'vector', u);
        code.op('f32x4.add').memory('v128.store', offset + 16 * u, 2);
      } else {
        code.memory(isFloat ? 'f32.load' : 'i32.load', offset);
        values.emit(this.value, 'scalar');
        code.op(isFloat ? 'f32.add' : 'i32.add').memory(isFloat ? 'f32.store' : 'i32.store', offset);
      }
    }
  }
}
