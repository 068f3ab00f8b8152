/** Constructors of scalar expressions: literals, loads, operations, and row-major index arithmetic that folds what is constant. */
import { constant, apply as interned } from './interning.ts';
import type { Scalar, ScalarOp, ScalarType } from './scalar.ts';

export { axis } from './interning.ts';

export function int(value: number): Scalar {
  return constant(value, 'i32');
}

export function uint(value: number): Scalar {
  return constant(value, 'u32');
}

export function float(value: number): Scalar {
  return constant(value, 'f32');
}

export function bool(value: boolean): Scalar {
  return constant(value ? 1 : 0, 'bool');
}

/** An operation whose result has the type of its first operand. */
export function apply(op: ScalarOp, ...args: readonly Scalar[]): Scalar {
  return interned(op, args, args[0]!.type);
}

export function applyTo(type: ScalarType, op: ScalarOp, ...args: readonly Scalar[]): Scalar {
  return interned(op, args, type);
}

export function compare(op: 'lt' | 'le' | 'eq' | 'ne', a: Scalar, b: Scalar): Scalar {
  return applyTo('bool', op, a, b);
}

export function select(condition: Scalar, yes: Scalar, no: Scalar): Scalar {
  return applyTo(yes.type, 'select', condition, yes, no);
}

/** Value conversion; of a value to its own type it is the value itself. */
export function cast(type: ScalarType, value: Scalar): Scalar {
  return value.type === type ? value : applyTo(type, 'cast', value);
}

/** The conjunction of the conditions; undefined where there is none. */
export function all(conditions: readonly Scalar[]): Scalar | undefined {
  if (conditions.length === 0) return undefined;
  return conditions.reduce((a, b) => applyTo('bool', 'and', a, b));
}

/** a + b on i32, folding constants and 0 + a = a. */
export function addInt(a: Scalar, b: Scalar): Scalar {
  const x = literal(a);
  const y = literal(b);
  if (x !== undefined && y !== undefined) return int(x + y);
  if (x === 0) return b;
  if (y === 0) return a;
  return apply('add', a, b);
}

/** a - b on i32, folding constants and a - 0 = a. */
export function subInt(a: Scalar, b: Scalar): Scalar {
  const x = literal(a);
  const y = literal(b);
  if (x !== undefined && y !== undefined) return int(x - y);
  return y === 0 ? a : apply('sub', a, b);
}

/** a * b on i32, folding constants, 0 * a = 0 and 1 * a = a. */
export function mulInt(a: Scalar, b: Scalar): Scalar {
  const x = literal(a);
  const y = literal(b);
  if (x !== undefined && y !== undefined) return int(x * y);
  if (x === 0 || y === 0) return int(0);
  if (x === 1) return b;
  return y === 1 ? a : apply('mul', a, b);
}

/** floor(a / divisor) for a of at least 0. */
export function divInt(a: Scalar, divisor: number): Scalar {
  const x = literal(a);
  if (x !== undefined) return int(Math.floor(x / divisor));
  return divisor === 1 ? a : apply('div', a, int(divisor));
}

/** a mod divisor for a of at least 0. */
export function modInt(a: Scalar, divisor: number): Scalar {
  const x = literal(a);
  if (x !== undefined) return int(x % divisor);
  return divisor === 1 ? int(0) : apply('mod', a, int(divisor));
}

/** Row-major position of a multi-index: ((i0 * n1 + i1) * n2 + i2) … */
export function flatten(index: readonly Scalar[], shape: readonly number[]): Scalar {
  return index.reduce((flat, i, d) => addInt(mulInt(flat, int(shape[d]!)), i), int(0));
}

/** Multi-index of a row-major position; axes of size 1 are 0 without any arithmetic. */
export function unflatten(flat: Scalar, shape: readonly number[]): Scalar[] {
  const index: Scalar[] = shape.map(() => int(0));
  let rest = flat;
  let outer = shape.reduce((n, d) => n * d, 1);
  for (let d = shape.length - 1; d >= 0; d--) {
    const size = shape[d]!;
    if (size === 1) continue;
    outer /= size;
    index[d] = outer === 1 ? rest : modInt(rest, size);
    rest = divInt(rest, size);
  }
  return index;
}

function literal(s: Scalar): number | undefined {
  return s.kind === 'constant' ? s.value : undefined;
}
