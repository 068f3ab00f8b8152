/** Computing again instead of holding: the same numbers in less memory, the cheapest parts first, and nothing changed where all fits. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { referenceBackend } from '../../../engine/backend/reference/reference.ts';
import { wasmBackend } from '../../../engine/backend/wasm/index.ts';
import type { Graph } from '../../../engine/ir/graph.ts';
import type { Schedule } from '../../../engine/kernel/kernel.ts';
import { printPlan, printSchedule } from '../../../engine/kernel/print.ts';
import { scheduleWithin } from '../../../engine/kernel/rematerialize.ts';
import { scheduleGraph } from '../../../engine/kernel/schedule.ts';
import { GraphBuilder, type Value } from '../../../engine/ops/builder.ts';
import { buildScan } from '../../../engine/ops/scan.ts';
import { gradients } from '../../../engine/passes/autodiff.ts';
import { optimize } from '../../../engine/passes/pipeline.ts';
import { rounds } from '../../support/fuzz.ts';
import { randomGraphs } from '../../support/randomGraphs.ts';
import { expectedBuffers, randomLeaves, runSchedule } from '../../support/runSchedule.ts';
import { difference } from '../../support/samples.ts';

const f32 = (...shape: number[]) => ({ dtype: 'f32', shape }) as const;
const scalar = { dtype: 'i32', shape: [] } as const;

type Layer = (b: GraphBuilder, x: Value, w: Value, n: number) => Value;

/** A step of `depth` residual layers that updates the weights in place, as training does. */
function stepOf(layer: Layer, depth: number, [rows, width]: readonly [number, number]): Graph {
  const b = new GraphBuilder();
  let x = b.input('x', f32(rows, width));
  const weights = Array.from({ length: depth }, (_, n) => b.state(`w${n}`, f32(width, width)));
  for (const [n, w] of weights.entries()) x = b.scoped(`layer${n}`, () => b.add(x, b.mul(layer(b, x, w, n), 0.3)));
  const loss = b.sum(b.square(x));
  const next = gradients(b, loss, weights).map((g, n) => b.sub(weights[n]!, b.mul(g, 1e-4)));
  const states = next.map((value, n) => ({ name: `w${n}`, value, kind: 'assign' as const }));
  return optimize(b.finish('step', [{ name: 'loss', value: loss }, ...states]));
}

const layers: Readonly<Record<string, Layer>> = {
  tanh: (b, x, w) => b.tanh(b.matmul(x, w)),
  softmax: (b, x, w) => b.softmax(b.matmul(b.maximum(b.matmul(x, w), 0), w, { transposeB: true })),
  attention: (b, x, w) => {
    const [q, k] = [b.matmul(x, w), b.matmul(x, w, { transposeB: true })].map(v =>
      b.reshape(v, [1, 1, ...v.type.shape]),
    );
    return b.reshape(b.op('attention', [q!, k!, q!], { causal: true }), x.type.shape);
  },
  dropout: (b, x, w, n) => {
    const keep = b.greaterEqual(b.uniform(b.input('seed', scalar), b.input('step', scalar), x.type.shape, n), 0.5);
    return b.select(keep, b.mul(b.maximum(b.matmul(x, w), 0), 2), 0);
  },
};

/** A product, and what is cheap to make of it. */
const gated: Layer = (b, x, w) => {
  const h = b.matmul(x, w);
  return b.matmul(b.mul(b.tanh(h), b.cos(h)), w);
};

/** Steps of loops over time, by what one of theirs makes of the state [rows, 8] before it, the input [rows, 8] and a weight. */
type Cell = (b: GraphBuilder, h: Value, x: Value, w: Value) => Value;

const gates: Cell = (b, h, x, w) => {
  const all = b.matmul(b.concat([h, x], 1), w);
  const [keep, fresh] = [b.sigmoid(b.sliceAxis(all, 1, 0, 8)), b.tanh(b.sliceAxis(all, 1, 8, 8))];
  return b.add(b.mul(keep, h), b.mul(b.sub(1, keep), fresh));
};

const cells: Readonly<Record<string, Cell>> = {
  gates,
  dropout: (b, h, x, w) => {
    const chance = b.uniform(b.input('seed', scalar), b.input('step', scalar), h.type.shape, 3);
    return gates(b, b.select(b.less(chance, 0.5), b.mul(h, 2), 0), x, w);
  },
  'products ahead of them': (b, h, x, w) => {
    const own = [0, 8].map(row => b.slice(w, [row, 0], [8, 16]));
    const all = b.add(b.matmul(h, own[0]!), b.tanh(b.matmul(x, own[1]!)));
    return b.mul(b.tanh(b.sliceAxis(all, 1, 0, 8)), b.sigmoid(b.sliceAxis(all, 1, 8, 8)));
  },
  attention: (b, h, x, w) => {
    const [q, k] = [h, b.sliceAxis(b.matmul(b.concat([h, x], 1), w), 1, 0, 8)].map(v =>
      b.reshape(v, [1, 1, ...v.type.shape]),
    );
    return b.tanh(b.add(x, b.reshape(b.op('attention', [q!, k!, k!], { causal: true }), h.type.shape)));
  },
};

/** A step of loops in one direction and back over [length, rows, 8], one over the other, of which the loss reads all states. */
function loopsOf(cell: Cell, length: number, rows: number, layers = 2): Graph {
  const b = new GraphBuilder();
  let x = b.input('x', f32(length, rows, 8));
  const weights = Array.from({ length: layers }, (_, n) => b.state(`w${n}`, f32(16, 16)));
  for (const [n, w] of weights.entries()) {
    const spec = { carries: [b.fill(0.1, b.input('h', f32(rows, 8)))], sequences: [x], length, reverse: n % 2 === 1 };
    const turn = ([h]: readonly Value[], [now]: readonly Value[]) => ({
      carries: [b.scoped(`layer${n}`, () => cell(b, h!, now!, w))],
      outputs: [],
    });
    x = buildScan(b, spec, turn)!.carries[0]!;
  }
  const loss = b.sum(b.square(x));
  const next = gradients(b, loss, weights).map((g, n) => b.sub(weights[n]!, b.mul(g, 1e-3)));
  const states = next.map((value, n) => ({ name: `w${n}`, value, kind: 'assign' as const }));
  return optimize(b.finish('step', [{ name: 'loss', value: loss }, ...states]));
}

const within = (graph: Graph, arena: number): Schedule => scheduleWithin([graph], { total: Infinity, arena })[0]!;

/** The schedule that needs least, and the plain one. */
function squeezed(graph: Graph) {
  const plain = scheduleGraph(graph);
  return { plain, least: within(graph, 1) };
}

describe('a step that must fit', () => {
  it.each(Object.entries(layers))('of layers with %s gives the same loss and weights', async (_, layer) => {
    const graph = stepOf(layer, 9, [80, 24]);
    const { plain, least } = squeezed(graph);
    expect(least.arenaBytes).toBeLessThan(0.75 * plain.arenaBytes);
    const leaves = randomLeaves(graph);
    const names = graph.outputs.map(output => output.name);
    const wasm = await wasmBackend({ threads: 1 });
    for (const backend of [referenceBackend(), wasm]) {
      const [expected, found] = [
        await runSchedule(backend, plain, leaves, names),
        await runSchedule(backend, least, leaves, names),
      ];
      for (const name of names) expect(difference(found[name]!, expected[name]!), name).toBeLessThan(1e-6);
    }
    await wasm.dispose();
  });

  it.each(Object.entries(cells))('of loops with %s walks them in chunks, to the very same bits', async (_, cell) => {
    const graph = loopsOf(cell, 60, 16);
    const { plain, least } = squeezed(graph);
    expect(least.arenaBytes).toBeLessThan(0.7 * plain.arenaBytes);
    const leaves = randomLeaves(graph);
    const names = graph.outputs.map(output => output.name);
    const wasm = await wasmBackend({ threads: 2 });
    for (const backend of [referenceBackend(), wasm]) {
      const expected = await runSchedule(backend, plain, leaves, names);
      expect(await runSchedule(backend, least, leaves, names)).toEqual(expected);
    }
    await wasm.dispose();
  });

  it('computes whatever graph it is', async () => {
    await fc.assert(
      fc.asyncProperty(randomGraphs(), async graph => {
        const leaves = randomLeaves(graph);
        const expected = expectedBuffers(graph, leaves);
        const found = await runSchedule(referenceBackend(), within(graph, 1), leaves, Object.keys(expected));
        for (const [name, values] of Object.entries(expected))
          expect(difference(found[name]!, values)).toBeLessThan(1e-3);
      }),
      rounds(150),
    );
  });

  it('computes again what is cheapest for what it holds, and no more than it must', () => {
    const graph = stepOf(gated, 8, [512, 32]);
    const { plain } = squeezed(graph);
    const fractions = [0.9, 0.7, 0.5, 0.4];
    const tried = fractions.map(fraction => within(graph, fraction * plain.arenaBytes));
    const costs = tried.map(({ again }) => again!.flops);
    expect(costs).toEqual([...costs].sort((a, b) => a - b));
    expect(costs[0]! * 4).toBeLessThan(costs.at(-1)!);
    for (const [n, { arenaBytes }] of tried.entries())
      expect(arenaBytes).toBeLessThanOrEqual(fractions[n]! * plain.arenaBytes);
  });

  it('of many layers needs memory for few of them', () => {
    const bytes = (depth: number) => squeezed(stepOf(layers.softmax!, depth, [512, 16])).least.arenaBytes;
    expect(bytes(36) / bytes(9)).toBeLessThan(2.6);
  });

  it('says what it computes again, and what that costs and saves', () => {
    const { plain, least } = squeezed(stepOf(layers.tanh!, 9, [80, 24]));
    expect(printPlan(plain)).not.toContain('again');
    expect(printPlan(least)).toMatch(/\ncomputed again to fit: [\d.]+ [kM]?FLOP \(\d+% more\) for [\d.]+ kB less\n$/);
  });

  it('stays as it is where it fits', () => {
    const graph = stepOf(layers.tanh!, 9, [80, 24]);
    const plain = scheduleGraph(graph);
    expect(printSchedule(within(graph, plain.arenaBytes))).toBe(printSchedule(plain));
    const total = plain.buffers.reduce((sum, b) => sum + (b.kind === 'temporary' ? 0 : 4 * b.length), plain.arenaBytes);
    expect(scheduleWithin([graph], { total, arena: Infinity })[0]!.again).toBeUndefined();
    expect(scheduleWithin([graph], { total: total - 1, arena: Infinity })[0]!.again).toBeDefined();
  });
});
