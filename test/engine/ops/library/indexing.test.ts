/** Functions that choose and order elements, on tensors small enough to check by eye. */
import { describe, expect, it } from 'vitest';
import { evaluateGraph } from '../../../../engine/backend/reference/evaluateGraph.ts';
import { GraphBuilder, type Value } from '../../../../engine/ops/builder.ts';
import type { Arguments } from '../../../../engine/ops/library/function.ts';
import { apply, applyAll, testContext } from '../../../support/macros.ts';

const x = { dtype: 'f32' as const, shape: [2, 3], data: Float64Array.of(3, 1, 2, 6, 5, 4) };

function result(name: string, args: (b: GraphBuilder, x: Value) => Arguments): number[] {
  const b = new GraphBuilder();
  const input = b.input('x', x);
  const value = apply(testContext(b), name, { x: input, ...args(b, input) });
  return [...evaluateGraph(b.finish('f', [{ name: 'y', value }]), { x }).y!.data];
}

const whole = (b: GraphBuilder, ...values: number[]): Value =>
  b.stack(values.map(v => b.constant(v, { dtype: 'i32', shape: [] })));

describe('values', () => {
  it.each<[string, (b: GraphBuilder, x: Value) => Arguments, number[]]>([
    ['flip', () => ({ axis: 0 }), [6, 5, 4, 3, 1, 2]],
    ['roll', () => ({ by: 1 }), [2, 3, 1, 4, 6, 5]],
    ['roll', () => ({ by: -4 }), [1, 2, 3, 5, 4, 6]],
    ['pad', () => ({ before: 1, value: 9 }), [9, 3, 1, 2, 9, 6, 5, 4]],
    ['cumsum', () => ({ axis: 0 }), [3, 1, 2, 9, 6, 6]],
    ['sort', () => ({}), [1, 2, 3, 4, 5, 6]],
    ['sort', () => ({ descending: true, axis: 0 }), [6, 5, 4, 3, 1, 2]],
    ['largest', () => ({ k: 2 }), [3, 2, 6, 5]],
    ['tril', () => ({}), [3, 0, 0, 6, 5, 0]],
    ['triu', () => ({ diagonal: 1 }), [0, 1, 2, 0, 0, 4]],
    ['take', b => ({ index: whole(b, 1, 0, 1) }), [6, 5, 4, 3, 1, 2, 6, 5, 4]],
    ['take', b => ({ index: whole(b, 2, 7), axis: 1 }), [2, 0, 4, 0]],
    ['gather', b => ({ index: b.reshape(whole(b, 1, 0, 2, 2), [2, 2]) }), [1, 3, 4, 4]],
    ['scatter_add', (b, v) => ({ updates: v, index: whole(b, 2, 2), rows: 3 }), [0, 0, 0, 0, 0, 0, 9, 6, 6]],
    ['select', (b, v) => ({ condition: b.greater(v, 2), y: 0 }), [3, 0, 0, 6, 5, 4]],
    ['maximum', (b, v) => ({ y: b.fill(3, v) }), [3, 3, 3, 6, 5, 4]],
    ['minimum', (b, v) => ({ y: b.fill(3, v) }), [3, 1, 2, 3, 3, 3]],
    ['stack', (_, v) => ({ y: v, axis: 2 }), [3, 3, 1, 1, 2, 2, 6, 6, 5, 5, 4, 4]],
    ['concat', (_, v) => ({ y: v, z: v, axis: 0 }), [3, 1, 2, 6, 5, 4, 3, 1, 2, 6, 5, 4, 3, 1, 2, 6, 5, 4]],
    ['variance', () => ({ keep: false, axis: 1 }), [2 / 3, 2 / 3]],
    ['norm', () => ({ keep: false, axis: 1 }), [Math.sqrt(14), Math.sqrt(77)]],
    ['logsumexp', () => ({ keep: false }), [Math.log([3, 1, 2, 6, 5, 4].reduce((s, v) => s + Math.exp(v), 0))]],
    ['argmax', () => ({ axis: 1 }), [0, 0]],
  ])('%s', (name, args, expected) => {
    const found = result(name, args);
    expect(found.map(v => Number(v.toFixed(6)))).toEqual(expected.map(v => Number(v.toFixed(6))));
  });
});

it.each<[string, Arguments, readonly (readonly number[])[]]>([
  [
    'top_k',
    { k: 2 },
    [
      [3, 2, 6, 5],
      [0, 2, 0, 1],
    ],
  ],
  [
    'top_k',
    { k: 1, axis: 0 },
    [
      [6, 5, 4],
      [1, 1, 1],
    ],
  ],
  [
    'chunk',
    { parts: 3 },
    [
      [3, 6],
      [1, 5],
      [2, 4],
    ],
  ],
  [
    'split',
    { sizes: [1, 2] },
    [
      [3, 6],
      [1, 2, 5, 4],
    ],
  ],
  [
    'split',
    { sizes: [1, 1], axis: 0 },
    [
      [3, 1, 2],
      [6, 5, 4],
    ],
  ],
])('%s gives several results', (name, args, expected) => {
  const b = new GraphBuilder();
  const values = applyAll(testContext(b), name, { x: b.input('x', x), ...args });
  const graph = b.finish(
    'f',
    values.map((value, i) => ({ name: String(i), value })),
  );
  const found = evaluateGraph(graph, { x });
  expect(values.map((_, i) => [...found[i]!.data])).toEqual(expected);
});
