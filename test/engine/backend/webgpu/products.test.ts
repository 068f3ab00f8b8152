/** Matrix products on a device: every tile and every way to split the depth, on shapes at their edges, against the graph's own meaning. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { WebgpuBackend } from '../../../../engine/backend/webgpu/index.ts';
import type { WgslOptions } from '../../../../engine/codegen/wgsl/shader.ts';
import { type Tile, tileName, tiles } from '../../../../engine/codegen/wgsl/tiles.ts';
import type { Graph } from '../../../../engine/ir/graph.ts';
import { scheduleGraph } from '../../../../engine/kernel/schedule.ts';
import { GraphBuilder, type Value } from '../../../../engine/ops/builder.ts';
import { openWebgpu } from '../../../support/devices.ts';
import { rounds } from '../../../support/fuzz.ts';
import { expectedBuffers, hostArray, randomLeaves } from '../../../support/runSchedule.ts';
import { difference, type Tensors } from '../../../support/samples.ts';

let gpu: WebgpuBackend | undefined;
beforeAll(async () => {
  gpu = await openWebgpu();
}, 60_000);
afterAll(() => gpu?.dispose());

interface Shape {
  readonly batch: number;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly transposeA: boolean;
  readonly transposeB: boolean;
}

/** `relu(a b + bias)`, with operands as they lie or turned round. */
function product({ batch, m, n, k, transposeA, transposeB }: Shape): Graph {
  const b = new GraphBuilder();
  const x = b.input('x', { dtype: 'f32', shape: transposeA ? [batch, k, m] : [batch, m, k] });
  const y = b.input('y', { dtype: 'f32', shape: transposeB ? [batch, n, k] : [batch, k, n] });
  const sum = b.add(b.op('matmul', [x, y], { transposeA, transposeB }), b.input('bias', { dtype: 'f32', shape: [n] }));
  return b.finish('product', [{ name: 'z', value: b.maximum(sum, 0) }]);
}

async function run(backend: WebgpuBackend, graph: Graph, leaves: Tensors, options: Partial<WgslOptions>) {
  const executable = await backend.compile([scheduleGraph(graph)], options);
  try {
    for (const [name, leaf] of Object.entries(leaves)) executable.write(name, hostArray(leaf));
    executable.run(graph.name, 1);
    return (await executable.read('z')) as Float32Array;
  } finally {
    executable.dispose();
  }
}

/** Sizes at the edges of a block of `size`, and a few that suit nobody. */
const sizes = (size: number) =>
  fc
    .oneof(fc.constantFrom(1, size - 1, size, size + 1), fc.constantFrom(2, 3, 4, 7, 12, 31, 40))
    .map(n => Math.max(1, n));

const shapes = ({ rows, columns, depth }: Tile): fc.Arbitrary<Shape> =>
  fc.record({
    batch: fc.constantFrom(1, 1, 3),
    m: sizes(rows),
    n: sizes(columns),
    k: fc.oneof(sizes(depth), fc.constantFrom(61, 2 * depth, 100, 263)),
    transposeA: fc.boolean(),
    transposeB: fc.boolean(),
  });

const only = (tile: Tile) => ({ get: () => tile });

describe('products', () => {
  for (const tile of tiles) {
    it(`in tiles of ${tileName(tile)}`, { timeout: 300_000 }, async context => {
      const backend = gpu ?? context.skip();
      await fc.assert(
        fc.asyncProperty(
          shapes(tile),
          fc.integer({ min: 1, max: 4 }),
          fc.boolean(),
          async (shape, splits, software) => {
            const graph = product(shape);
            const leaves = randomLeaves(graph);
            const found = await run(backend, graph, leaves, { tiles: only(tile), splits, software });
            expect(difference(found, expectedBuffers(graph, leaves).z!)).toBeLessThan(1e-4);
          },
        ),
        rounds(3),
      );
    });
  }

  it('have the same bits in all tiles', { timeout: 300_000 }, async context => {
    const backend = gpu ?? context.skip();
    const graph = product({ batch: 1, m: 70, n: 65, k: 150, transposeA: false, transposeB: true });
    const leaves = randomLeaves(graph);
    for (const splits of [1, 3]) {
      const results = await Promise.all(tiles.map(tile => run(backend, graph, leaves, { tiles: only(tile), splits })));
      for (const result of results) expect(result).toEqual(results[0]);
    }
  });

  it('read a buffer in vectors and one by one in the same kernel', { timeout: 60_000 }, async context => {
    const backend = gpu ?? context.skip();
    const b = new GraphBuilder();
    const x = b.input('x', { dtype: 'f32', shape: [24, 24] });
    const turned: Value = b.transpose(x);
    const graph = b.finish('square', [{ name: 'z', value: b.add(b.matmul(x, x), b.mul(turned, x)) }]);
    const leaves = randomLeaves(graph);
    const found = await run(backend, graph, leaves, {});
    expect(difference(found, expectedBuffers(graph, leaves).z!)).toBeLessThan(1e-4);
  });
});
