/** Rules that compute ahead: elementwise ops of constants, views of constants, sums of whole numbers. */
import { sizeOf } from '../../dim/dim.ts';
import type { DType } from '../../ir/graph.ts';
import { primitive } from '../../ops/registry.ts';
import { never } from '../../util/errors.ts';
import type { Rule } from './rule.ts';

/** Whole numbers up to here are exact in f32, and so are their sums in any order. */
const exactLimit = 2 ** 24;

const noGraphs = (): never => {
  throw never('an elementwise op holds no graph');
};

function isElementwise(op: string): boolean {
  return primitive(op).lowering.kind === 'elementwise';
}

/** Rounds to what a buffer of the dtype would hold. */
function stored(value: number, dtype: DType): number {
  return dtype === 'f32' ? Math.fround(value) : value;
}

export const constantRules: readonly Rule[] = [
  {
    equation: 'f(constants) = constant',
    ops: 'all',
    rewrite: (b, { op, inputs, attributes, type, literal }) => {
      if (inputs.length === 0 || !isElementwise(op)) return undefined;
      const values = inputs.map((_, i) => literal(i));
      if (values.some(v => v === undefined)) return undefined;
      const scalars = inputs.map((x, i) => ({
        dtype: x.type.dtype,
        shape: [],
        data: Float64Array.of(stored(values[i]!, x.type.dtype)),
      }));
      const [value] = primitive(op).evaluate(scalars, attributes, { dtype: type.dtype, shape: [] }, noGraphs);
      return b.constant(stored(value!, type.dtype), type);
    },
  },
  {
    equation: 'view(constant) = constant',
    ops: ['broadcast', 'reshape', 'transpose', 'slice', 'flip'],
    rewrite: (b, { type, literal }) => {
      const value = literal(0);
      return value === undefined ? undefined : b.constant(value, type);
    },
  },
  {
    equation: 'pad(c, value: c) = c',
    ops: ['pad'],
    rewrite: (b, { attributes, type, literal }) => {
      const value = literal(0);
      return value !== undefined && Object.is(value, attributes.value) ? b.constant(value, type) : undefined;
    },
  },
  {
    equation: 'sum(n) = n * count, for whole numbers exact in f32',
    ops: ['sum'],
    rewrite: (b, { inputs: [x], attributes, type, literal }) => {
      const value = literal(0);
      const count = sizeOf((attributes.axes as readonly number[]).map(a => x!.type.shape[a]!));
      if (value === undefined || typeof count !== 'number') return undefined;
      const exact = Number.isInteger(value) && Math.abs(value) * count <= exactLimit;
      return exact ? b.constant(value * count, type) : undefined;
    },
  },
  {
    equation: 'max(c) = min(c) = c',
    ops: ['max', 'min'],
    rewrite: (b, { inputs: [x], type, literal }) => {
      const value = literal(0);
      return value !== undefined && x!.type.shape.every(d => d !== 0) ? b.constant(value, type) : undefined;
    },
  },
];
