/** rearrange and einsum against plain loops over the named axes. */
import { describe, expect, it } from 'vitest';
import { evaluateGraph } from '../../../../engine/backend/reference/evaluateGraph.ts';
import { GraphBuilder } from '../../../../engine/ops/builder.ts';
import { Lcg } from '../../../goldens/inputs.ts';
import { apply, testContext } from '../../../support/macros.ts';

const sizes: Readonly<Record<string, number>> = { b: 2, i: 3, j: 4, d: 5, h: 2 };
type Names = readonly string[];
const shapeOf = (names: Names) => names.map(n => sizes[n]!);
const count = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);

/** All values of the named axes, the last running fastest. */
function* points(names: Names): Generator<ReadonlyMap<string, number>> {
  const shape = shapeOf(names);
  for (let flat = 0; flat < count(shape); flat++) {
    let rest = flat;
    const at = new Map<string, number>();
    for (let axis = names.length - 1; axis >= 0; axis--) {
      at.set(names[axis]!, rest % shape[axis]!);
      rest = Math.floor(rest / shape[axis]!);
    }
    yield at;
  }
}

const offset = (names: Names, at: ReadonlyMap<string, number>) =>
  names.reduce((flat, n) => flat * sizes[n]! + at.get(n)!, 0);

function bruteForce(inputs: readonly Names[], output: Names, data: readonly Float64Array[]): Float64Array {
  const result = new Float64Array(count(shapeOf(output)));
  for (const at of points([...new Set(inputs.flat())])) {
    const product = inputs.reduce((p, names, i) => p * data[i]![offset(names, at)]!, 1);
    result[offset(output, at)]! += product;
  }
  return result;
}

function compute(name: string, args: Readonly<Record<string, string | number>>, inputs: readonly Names[]) {
  const b = new GraphBuilder();
  const lcg = new Lcg(7);
  const operands = ['x', 'y', 'z'].slice(0, inputs.length);
  const data = inputs.map(names => Float64Array.from(lcg.floats(count(shapeOf(names)))));
  const tensors = operands.map((n, i) => [n, b.input(n, { dtype: 'f32', shape: shapeOf(inputs[i]!) })] as const);
  const out = apply(testContext(b), name, { ...args, ...Object.fromEntries(tensors) });
  const leaves = operands.map((n, i) => [n, { dtype: 'f32' as const, shape: shapeOf(inputs[i]!), data: data[i]! }]);
  const found = evaluateGraph(b.finish('f', [{ name: 'out', value: out }]), Object.fromEntries(leaves));
  return { data, found: [...found.out!.data], shape: out.type.shape };
}

describe('einsum is the sum over named axes', () => {
  it.each([
    'b i d, b j d -> b i j',
    'b i d, b j d -> j b i',
    'i d, d j -> i j',
    'i, j -> j i',
    'b i d -> d b',
    'b i d -> ',
    'b i, b j -> b',
    'b i d, d -> b i',
    'i, i -> ',
    'b i d, b j d, j h -> b h i',
    'i d, d j, j h -> h i',
  ])('%s', pattern => {
    const [left, right] = pattern.split('->') as [string, string];
    const inputs = left.split(',').map(part => part.trim().split(' '));
    const output = right.trim().split(' ').filter(Boolean);
    const { data, found, shape } = compute('einsum', { pattern }, inputs);
    expect(shape).toEqual(shapeOf(output));
    for (const [i, value] of bruteForce(inputs, output, data).entries()) expect(found[i]).toBeCloseTo(value, 4);
  });
});

describe('rearrange moves elements by the names of their axes', () => {
  it.each([
    ['b i (h d) -> b h i d', ['b', 'i', 'h', 'd'], ['b', 'h', 'i', 'd']],
    ['b i (h d) -> (d i) b h', ['b', 'i', 'h', 'd'], ['d', 'i', 'b', 'h']],
    ['... (h d) -> h ... d', ['b', 'i', 'h', 'd'], ['h', 'b', 'i', 'd']],
    ['b i d -> b 1 d i', ['b', 'i', 'd'], ['b', 'd', 'i']],
  ] as const)('%s', (pattern, from, to) => {
    const grouped = pattern.includes('(h d) ->');
    const b = new GraphBuilder();
    const shape = grouped ? [...shapeOf(from.slice(0, -2)), sizes.h! * sizes.d!] : shapeOf(from);
    const data = Float64Array.from({ length: count(shape) }, (_, i) => i);
    const x = b.input('x', { dtype: 'f32', shape });
    const out = apply(testContext(b), 'rearrange', { x, pattern, ...(grouped && { h: sizes.h! }) });
    const found = evaluateGraph(b.finish('f', [{ name: 'out', value: out }]), { x: { dtype: 'f32', shape, data } });
    expect([...found.out!.data]).toEqual([...bruteForce([from], to, [data])]);
  });
});
