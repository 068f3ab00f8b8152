/** Which operation a number that is not finite is blamed on, within loops too. */
import { expect, it } from 'vitest';
import { GraphBuilder } from '../../../engine/ops/builder.ts';
import { buildScan } from '../../../engine/ops/scan.ts';
import { firstNonFinite } from '../../../engine/train/blame.ts';

it('names the operation in the body of a loop, and the step', () => {
  const b = new GraphBuilder();
  const x = b.input('x', { dtype: 'f32', shape: [5, 2] });
  const h = b.input('h', { dtype: 'f32', shape: [2] });
  const { last } = buildScan(b, { carries: [h], sequences: [x], length: 5 }, ([before], [step]) => {
    const sum = b.add(before!, step!);
    return { carries: [sum], outputs: [b.scoped('net.cell', () => b.exp(sum))] };
  })!;
  const graph = b.finish('g', [{ name: 'y', value: last[0]! }]);
  const tensor = (shape: readonly number[], ...data: number[]) =>
    ({ dtype: 'f32', shape, data: Float64Array.from(data) }) as const;
  const leaves = { x: tensor([5, 2], 1, 2, 3, 4, 5, 6, 100, 7, 8, 9), h: tensor([2], 0, 0) };
  expect(firstNonFinite(graph, leaves)).toBe('exp of net.cell gave Infinity in step 3 of 5');
  expect(firstNonFinite(graph, { ...leaves, x: { ...leaves.x, data: new Float64Array(10) } })).toBeUndefined();
});
