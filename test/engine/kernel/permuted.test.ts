/** What is wanted in another order only is stored in that order: no kernel copies it, and products read whole rows. */
import { describe, expect, it, test } from 'vitest';
import { evaluateGraph } from '../../../engine/backend/reference/evaluateGraph.ts';
import { referenceBackend } from '../../../engine/backend/reference/reference.ts';
import { wasmBackend } from '../../../engine/backend/wasm/index.ts';
import type { Graph } from '../../../engine/ir/graph.ts';
import { printKernel } from '../../../engine/kernel/print.ts';
import { scheduleGraph } from '../../../engine/kernel/schedule.ts';
import { GraphBuilder, type OutputSpec, type Value } from '../../../engine/ops/builder.ts';
import { runGraph } from '../../support/runGraph.ts';
import { difference, randomTensor } from '../../support/samples.ts';

const [B, T, H, D] = [2, 8, 4, 16];
const f32 = (...shape: number[]) => ({ dtype: 'f32', shape }) as const;

function graphOf(build: (b: GraphBuilder) => readonly OutputSpec[]): Graph {
  const b = new GraphBuilder();
  return b.finish('g', build(b));
}

/** The kernels' lines with their indices, without names. */
function kernelsOf(graph: Graph): readonly string[] {
  const schedule = scheduleGraph(graph);
  return schedule.kernels.map((kernel, n) => printKernel(schedule, kernel, n));
}

/** Weighted sums of each head's values: [B H, T, T] times [B H, T, D]. */
function heads(b: GraphBuilder): Value {
  const [p, v] = [b.input('p', f32(B * H, T, T)), b.input('v', f32(B * H, T, D))];
  return b.matmul(p, v);
}

/** [B H, T, D] as rows of the heads side by side, [B T, H D]. */
const joined = (b: GraphBuilder, x: Value): Value =>
  b.reshape(b.transpose(b.reshape(x, [B, H, T, D]), [0, 2, 1, 3]), [B * T, H * D]);

const graphs: Readonly<Record<string, (b: GraphBuilder) => readonly OutputSpec[]>> = {
  'heads for a product': b => {
    const w = b.input('w', f32(H * D, 8));
    const rows = joined(b, heads(b));
    return [
      { name: 'y', value: b.matmul(rows, w) },
      { name: 'z', value: b.matmul(b.transpose(rows), b.input('g', f32(B * T, 8))) },
    ];
  },
  'heads in a concatenation that is read': b => {
    const rows = joined(b, heads(b));
    const more = b.matmul(b.input('m', f32(B * T, 3)), b.input('n', f32(3, 5)));
    const all = b.concat([rows, more], 1);
    return [{ name: 'y', value: b.matmul(all, b.input('w', f32(H * D + 5, 8))) }];
  },
  'heads as an output': b => [{ name: 'y', value: joined(b, heads(b)) }],
  'heads wanted in both orders': b => {
    const x = heads(b);
    return [
      { name: 'y', value: joined(b, x) },
      { name: 'z', value: b.sum(x, { axes: [1] }) },
    ];
  },
  'columns as rows': b => [
    { name: 'y', value: b.transpose(b.matmul(b.input('m', f32(6, 3)), b.input('n', f32(3, 5)))) },
  ],
  'reductions in another order': b => {
    const sums = b.sum(b.input('x', f32(4, 6, 8, 3)), { axes: [3] });
    return [{ name: 'y', value: b.matmul(b.reshape(b.transpose(sums, [1, 0, 2]), [24, 8]), b.input('w', f32(8, 5))) }];
  },
};

describe.each(Object.entries(graphs))('%s', (_, build) => {
  const graph = graphOf(build);
  const leaves = Object.fromEntries(
    graph.nodes.flatMap(({ op, type, attributes }, seed) =>
      op === 'input' ? [[String(attributes.name), randomTensor(type, [-1, 1], seed)] as const] : [],
    ),
  );
  it.each([
    ['reference', () => referenceBackend()],
    ['wasm', () => wasmBackend({ threads: 2 })],
  ] as const)('computes on %s what the evaluator does', async (_, open) => {
    const expected = evaluateGraph(graph, leaves);
    const actual = await runGraph(await open(), graph, leaves);
    for (const { name } of graph.outputs)
      expect(difference(actual[name]!, expected[name]!.data), name).toBeLessThan(1e-5);
  });
});

it('stores heads side by side, for products that read rows of them', () => {
  const [first, ...products] = kernelsOf(graphOf(graphs['heads for a product']!));
  expect(first).toMatch(new RegExp(`x1 \\* ${H * D} \\+ x2 .*\\] = r0`));
  expect(products).toHaveLength(2);
  for (const product of products) expect(product).not.toMatch(/[%/] \d/);
});

it('stores pieces of a concatenation where they belong, without copies', () => {
  const kernels = kernelsOf(graphOf(graphs['heads in a concatenation that is read']!));
  expect(kernels.map(text => text.split('\n')[0])).toEqual([
    '0: matmul matmul',
    '1: matmul matmul',
    '2: matmul matmul',
  ]);
});

it('does not scatter the elements of rows', () => {
  expect(kernelsOf(graphOf(graphs['columns as rows']!))).toHaveLength(2);
});

test('a state that becomes itself in another order', async () => {
  const graph = graphOf(b => {
    const w = b.state('w', f32(3, 3, 4));
    const next = b.add(b.transpose(w, [1, 0, 2]), 1);
    return [{ name: 'w', value: next, kind: 'assign' }];
  });
  const leaves = { w: randomTensor(f32(3, 3, 4), [-1, 1], 1) };
  const expected = evaluateGraph(graph, leaves).w!.data;
  const { w } = await runGraph(await wasmBackend({ threads: 1 }), graph, leaves);
  expect(difference(w!, expected)).toBeLessThan(1e-6);
});
