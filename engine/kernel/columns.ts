/** Products whose right operand lies in another order than their columns: they go through the columns in that order, and store where each belongs. */
import type { Scalar } from '../ir/scalar.ts';
import type { Kernel, MatmulKernel } from './kernel.ts';
import { add, affine, apply, axis, constant, linear, mul, substituteAxes, walkScalar } from './scalar.ts';
import { simplifier } from './simplify.ts';

/** The axis of a product's columns. */
const N = 2;

/** A digit of the column's number: number / unit % size. */
interface Digit {
  readonly unit: number;
  readonly size: number;
  /** How far apart the operand's elements are that differ by 1 in it. */
  readonly stride: number;
}

/**
 * The same product with its columns in the order in which B lies, where B has fewer divisions then and the results, which get them, are fewer
 * than B's elements. No sum changes.
 */
export function reorderColumns(kernel: Kernel): Kernel {
  if (kernel.kind !== 'matmul' || kernel.b.kind !== 'load' || affine(kernel.b.at)) return kernel;
  if (kernel.m * kernel.stores.length >= kernel.k) return kernel;
  const digits = digitsOf(kernel.b.at, kernel.n);
  if (digits === undefined) return kernel;
  const column = columnOf(digits);
  const simplify = simplifier([kernel.batch, kernel.m, kernel.n, kernel.k]);
  const moved = (s: Scalar) => simplify(substituteAxes(s, [axis(0), axis(1), column, axis(3)]));
  const b = moved(kernel.b);
  if (b.kind !== 'load' || linear(b.at).terms.get(axis(N)) !== 1 || divides(b.at)) return kernel;
  const stores = kernel.stores.map(({ buffer, at, value }) => ({ buffer, at: moved(at), value: moved(value) }));
  return { ...kernel, b, stores } satisfies MatmulKernel;
}

const isColumn = (s: Scalar | undefined): boolean => s?.kind === 'axis' && s.axis === N;

function divides(at: Scalar): boolean {
  return [...linear(at).terms.keys()].some(atom => atom.kind !== 'axis' && mentionsColumn(atom));
}

function mentionsColumn(s: Scalar): boolean {
  let found = false;
  walkScalar(s, x => {
    found ||= isColumn(x);
  });
  return found;
}

/** The digits that the index is made of, if they are all digits of the column's number, each once. */
function digitsOf(at: Scalar, n: number): readonly Digit[] | undefined {
  const digits: Digit[] = [];
  for (const [atom, stride] of linear(at).terms) {
    if (!mentionsColumn(atom)) continue;
    const digit = digitOf(atom, n);
    if (digit === undefined || stride <= 0) return undefined;
    digits.push({ ...digit, stride });
  }
  let unit = 1;
  for (const digit of digits.toSorted((a, b) => a.unit - b.unit)) {
    if (digit.unit !== unit) return undefined;
    unit *= digit.size;
  }
  return digits.length > 1 && unit === n ? digits : undefined;
}

function digitOf(atom: Scalar, n: number): Omit<Digit, 'stride'> | undefined {
  if (atom.kind !== 'apply') return undefined;
  const [from, by] = atom.args;
  if (by?.kind !== 'constant') return undefined;
  if (atom.op === 'div') return isColumn(from) ? { unit: by.value, size: Math.ceil(n / by.value) } : undefined;
  if (atom.op !== 'mod') return undefined;
  if (isColumn(from)) return { unit: 1, size: by.value };
  if (from?.kind !== 'apply' || from.op !== 'div' || !isColumn(from.args[0])) return undefined;
  const [, unit] = from.args;
  return unit?.kind === 'constant' ? { unit: unit.value, size: by.value } : undefined;
}

/** The number of the column that is the axis' turn when the digits count in the order of their strides. */
function columnOf(digits: readonly Digit[]): Scalar {
  let unit = 1;
  let column: Scalar = constant(0);
  for (const digit of digits.toSorted((a, b) => a.stride - b.stride)) {
    const rest = apply('div', [axis(N), constant(unit)], 'i32');
    column = add(column, mul(apply('mod', [rest, constant(digit.size)], 'i32'), constant(digit.unit)));
    unit *= digit.size;
  }
  return column;
}
