/** Typed access to the arguments of a library macro; the checker has matched them with the signature, so a wrong kind is our mistake. */
import { type Dim, isConstant, maxDim, showDim, showShape } from '../../dim/dim.ts';
import { never } from '../../util/errors.ts';
import { isValue, type Operand, type Value } from '../builder.ts';
import { ShapeError } from '../shapeError.ts';
import type { Arguments, ResultType, TypeArguments } from './function.ts';

type Args = Arguments | TypeArguments;

export function tensor(args: Arguments, name: string): Value {
  const value = args[name];
  if (isValue(value)) return value;
  throw never(`argument ${name} is not a tensor`);
}

export function optionalTensor(args: Arguments, name: string): Value | undefined {
  return args[name] === undefined ? undefined : tensor(args, name);
}

/** A tensor, or a number that broadcasts: the 1 of `bce(d(image), 1)`. */
export function operand(args: Arguments, name: string): Operand {
  const value = args[name];
  return typeof value === 'number' ? value : tensor(args, name);
}

export function typeOf(args: TypeArguments, name: string): ResultType {
  const value = args[name];
  if (typeof value === 'object' && 'dtype' in value) return value;
  throw never(`argument ${name} has no type`);
}

/** The classes of values that come from any of `types`: an index where all of them are, below the greatest of their sizes. */
export function widest(types: readonly ResultType[]): { readonly classes: Dim | undefined } {
  const sizes = types.map(t => t.classes);
  return { classes: sizes.every(size => size !== undefined) ? sizes.reduce(maxDim) : undefined };
}

export function number(args: Args, name: string): number {
  const value = args[name];
  if (typeof value === 'number') return value;
  throw never(`argument ${name} is not a number`);
}

export function optionalNumber(args: Args, name: string): number | undefined {
  return args[name] === undefined ? undefined : number(args, name);
}

export function text(args: Args, name: string): string {
  const value = args[name];
  if (typeof value === 'string') return value;
  throw never(`argument ${name} is not a string`);
}

export function flag(args: Args, name: string): boolean {
  const value = args[name];
  if (typeof value === 'boolean') return value;
  throw never(`argument ${name} is not a boolean`);
}

/** A string, or the word chosen of `bilinear | nearest`. */
export function word(args: Args, name: string): string {
  const value = args[name];
  if (typeof value === 'string') return value;
  throw never(`argument ${name} is not a word`);
}

/** A size: an int hyperparameter or a dimension variable of the signature, possibly symbolic. */
export function dimension(args: Args, name: string): Dim {
  const value = args[name];
  if (typeof value === 'number') return value;
  if (typeof value === 'object' && 'terms' in value) return value;
  throw never(`argument ${name} is not a size`);
}

export function shapeOf(args: Args, name: string): readonly Dim[] {
  const value = args[name];
  if (Array.isArray(value)) return value as readonly Dim[];
  throw never(`argument ${name} is not a shape`);
}

/** A `sizes` hyperparameter for `rank` axes: one number stands for all of them. */
export function sizesOf(args: Args, name: string, rank: number, op: string): readonly Dim[] {
  const value = args[name];
  if (!Array.isArray(value)) return Array.from({ length: rank }, () => dimension(args, name));
  const found = showShape(value as readonly Dim[]);
  if (value.length === rank) return value as readonly Dim[];
  throw new ShapeError({ code: 'bad-attribute', op, expected: `one number or ${rank} for ${name}`, found });
}

/** `sizesOf` where all must be numbers. */
export function knownSizes(args: Args, name: string, rank: number, op: string): readonly number[] {
  return sizesOf(args, name, rank, op).map(d => known(op, d));
}

/** A size that weights or windows need to know as a number. */
export function known(op: string, d: Dim): number {
  if (isConstant(d)) return d;
  throw new ShapeError({ code: 'bad-attribute', op, expected: 'a size known before training', found: showDim(d) });
}

/** Refuses hyperparameters outside their domain. */
export function demand(holds: boolean, op: string, expected: string, found: number | string): void {
  if (!holds) throw new ShapeError({ code: 'bad-attribute', op, expected, found: String(found) });
}

/** The axis counted from the front; ShapeError where it lies outside. */
export function axisOf(op: string, rank: number, axis: number): number {
  const at = axis < 0 ? axis + rank : axis;
  if (Number.isInteger(at) && at >= 0 && at < rank) return at;
  const expected = rank === 0 ? 'a tensor with axes' : `an axis from ${-rank} to ${rank - 1}`;
  throw new ShapeError({ code: 'axis-out-of-range', op, expected, found: String(axis), axis });
}
