/** Scatter kernels: clear the buffer, then add every point's value in order. */
import type { ScatterKernel } from '../../kernel/kernel.ts';
import { apply, constant, intern } from '../../kernel/scalar.ts';
import { simplifier } from '../../kernel/simplify.ts';
import { bytesOf, type Place } from './access.ts';
import { Code } from './encoder.ts';
import { guardLoads } from './guard.ts';
import type { Library } from './library.ts';
import type { CompiledKernel } from './loop.ts';
import { SCALAR, Values } from './values.ts';

/** One thread does it all: the order of the additions is the order of the points. */
export function compileScatter(kernel: ScatterKernel, places: readonly Place[], library: Library): CompiledKernel {
  const code = new Code(['i32', 'i32', 'i32']);
  const place = places[kernel.buffer]!;
  const bytes = bytesOf(place.dtype);
  emitClear(code, place.base, place.length * bytes);
  const { axes } = kernel;
  const simplify = simplifier(axes);
  const depthOf = (axis: number) => axis + 1;
  const nest = { places, extents: axes, lane: undefined, outerDepth: axes.length, written: new Set<number>(), depthOf };
  const values = new Values(code, library, nest);
  const prepare = (s: typeof kernel.at) => guardLoads(simplify(intern(s)), places, axes, undefined);
  const [at, value] = [prepare(kernel.at), prepare(kernel.value)];
  const inside = apply(
    'and',
    [apply('le', [constant(0), at], 'bool'), apply('lt', [at, constant(place.length)], 'bool')],
    'bool',
  );
  const plan = values.plan(
    [at, value, inside].map(scalar => ({ scalar, form: 'scalar' as const })),
    axes.length,
  );
  const body = () => {
    values.emit(inside, 'scalar');
    const [address] = [code.local('i32')];
    code.if(() => {
      values.emit(at, 'scalar');
      code.i32(bytes).op('i32.mul').tee(address).get(address);
      const isFloat = place.dtype === 'f32';
      code.memory(isFloat ? 'f32.load' : 'i32.load', place.base);
      values.emit(value, 'scalar');
      code.op(isFloat ? 'f32.add' : 'i32.add').memory(isFloat ? 'f32.store' : 'i32.store', place.base);
    });
  };
  const open = (axis: number): void => {
    values.materialize([plan], axis, SCALAR.unroll);
    if (axis === axes.length) {
      body();
      return;
    }
    const variable = code.local('i32');
    values.bindAxis(axis, variable);
    code.i32(0).count(
      variable,
      1,
      () => code.i32(axes[axis]!),
      () => values.scope(() => open(axis + 1)),
    );
  };
  open(0);
  return { code, points: 1, granule: 1 };
}

function emitClear(code: Code, base: number, bytes: number): void {
  code.i32(base).i32(0).i32(bytes).fill();
}
