/** The remainder of floor division, on all signs, against its definition. */
import { describe, expect, it } from 'vitest';
import { evaluateGraph } from '../../../engine/backend/reference/evaluateGraph.ts';
import { GraphBuilder } from '../../../engine/ops/builder.ts';
import { remainder } from '../../../engine/ops/remainder.ts';

const numbers = [-13, -12, -7, -1, 0, 1, 5, 12, 25];
const divisors = [-12, -5, 3, 12];
const definition = (x: number, y: number) => x - y * Math.floor(x / y) + 0;

describe.each(['i32', 'f32'] as const)('remainder of %s', dtype => {
  const by = dtype === 'f32' ? 0.25 : 1;
  it('has the sign of a divisor that is a number', () => {
    for (const divisor of divisors) {
      const b = new GraphBuilder();
      const x = b.input('x', { dtype, shape: [numbers.length] });
      const graph = b.finish('graph', [{ name: 'y', value: remainder(b, x, divisor * by) }]);
      const inputs = { x: { dtype, shape: [numbers.length], data: Float64Array.from(numbers, n => n * by) } };
      const found = Array.from(evaluateGraph(graph, inputs).y!.data, v => v + 0);
      expect(found).toEqual(numbers.map(n => definition(n * by, divisor * by)));
    }
  });
  it('has the sign of a divisor that is a tensor', () => {
    const pairs = numbers.flatMap(x => divisors.map(y => [x * by, y * by] as const));
    const b = new GraphBuilder();
    const type = { dtype, shape: [pairs.length] } as const;
    const graph = b.finish('graph', [{ name: 'r', value: remainder(b, b.input('x', type), b.input('y', type)) }]);
    const inputs = {
      x: { ...type, data: Float64Array.from(pairs, p => p[0]) },
      y: { ...type, data: Float64Array.from(pairs, p => p[1]) },
    };
    const found = Array.from(evaluateGraph(graph, inputs).r!.data, v => v + 0);
    expect(found).toEqual(pairs.map(([x, y]) => definition(x, y)));
  });
});
