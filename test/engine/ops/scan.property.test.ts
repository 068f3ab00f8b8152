/** Whatever a step computes or draws, a loop and its gradients are those of the steps one after the other, through passes, scheduler and backends. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Backend } from '../../../engine/backend/backend.ts';
import { evaluateGraph } from '../../../engine/backend/reference/evaluateGraph.ts';
import { referenceBackend } from '../../../engine/backend/reference/reference.ts';
import { wasmBackend } from '../../../engine/backend/wasm/index.ts';
import type { Graph } from '../../../engine/ir/graph.ts';
import { printGraph } from '../../../engine/ir/print.ts';
import { chunkings, inChunks } from '../../../engine/kernel/chunks.ts';
import { GraphBuilder, type Value } from '../../../engine/ops/builder.ts';
import { gradients } from '../../../engine/passes/autodiff.ts';
import { optimize } from '../../../engine/passes/pipeline.ts';
import { deviceTests } from '../../support/devices.ts';
import { rounds } from '../../support/fuzz.ts';
import { type Draw, type Loop, looped, unrolled } from '../../support/loops.ts';
import { runGraph } from '../../support/runGraph.ts';
import { difference, randomTensor, type Tensors } from '../../support/samples.ts';

/** A step as a list of choices: each makes a value of those before it, all [2, 3]. */
interface Recipe {
  readonly length: number;
  readonly reverse: boolean;
  readonly carries: number;
  readonly sequences: number;
  readonly choices: readonly number[];
  /** Which results the loss reads, as bits. */
  readonly read: number;
}

const recipes: fc.Arbitrary<Recipe> = fc.record({
  length: fc.integer({ min: 1, max: 4 }),
  reverse: fc.boolean(),
  carries: fc.integer({ min: 0, max: 3 }),
  sequences: fc.integer({ min: 1, max: 2 }),
  choices: fc.array(fc.nat(9999), { minLength: 6, maxLength: 24 }),
  read: fc.nat(511),
});

interface Weights {
  readonly matrix: Value;
  readonly vector: Value;
  readonly number: Value;
  readonly table: Value;
}

type Make = (b: GraphBuilder, x: Value, y: Value, w: Weights, draw: Draw) => Value;

const alone = (b: GraphBuilder, x: Value) => b.reshape(x, [1, 1, 2, 3]);

/** Tame enough that differences stay small over a few steps. */
const makers: readonly Make[] = [
  (b, x, y) => b.mul(b.add(x, y), 0.5),
  (b, x, y) => b.mul(b.tanh(x), y),
  (b, x) => b.tanh(x),
  (b, x) => b.div(1, b.add(1, b.exp(b.neg(b.tanh(x))))),
  (b, x, _, { matrix }) => b.tanh(b.matmul(x, matrix)),
  (b, x, _, { matrix }) => b.tanh(b.matmul(x, matrix, { transposeB: true })),
  (b, x, y, { matrix }) => b.tanh(b.matmul(b.matmul(x, y, { transposeB: true }), b.slice(matrix, [0, 0], [2, 3]))),
  (b, x, _, { vector }) => b.mul(b.add(x, vector), 0.5),
  (b, x, _, { vector }) => b.sin(b.mul(x, vector)),
  (b, x, _, { number }) => b.sub(b.mul(x, number), 0.1),
  (b, x, _, { table }) => b.add(b.mul(x, 0.5), b.take(table, b.iota([2]))),
  (b, x, y) => b.select(b.less(x, y), b.mul(x, 0.5), y),
  (b, x, y) => b.concat([b.sliceAxis(x, 1, 1, 2), b.sliceAxis(y, 1, 0, 1)], 1),
  (b, x) => b.mul(b.broadcast(b.sum(x, { axes: [0] }), [2, 3]), 0.5),
  (b, x) => b.sub(x, b.broadcast(b.max(x, { axes: [1], keep: true }), [2, 3])),
  (b, _, y) => b.detach(y),
  (b, x, _y, _w, draw) => b.select(b.less(draw([2, 3], 1), 0.5), b.mul(x, 1.5), 0),
  (b, x, _y, _w, draw) => b.mul(x, draw([3], 2)),
  (b, x, y) => b.reshape(b.op('attention', [alone(b, x), alone(b, y), alone(b, b.tanh(y))], { causal: true }), [2, 3]),
];

function graphOf({ length, reverse, carries, sequences, choices, read }: Recipe, loop: Loop): Graph {
  const b = new GraphBuilder();
  const leaf = (name: string, ...shape: number[]) => b.input(name, { dtype: 'f32', shape });
  const initial = [...Array(carries).keys()].map(i =>
    i === 2 ? b.constant(0, { dtype: 'f32', shape: [2, 3] }) : leaf(`h${i}`, 2, 3),
  );
  const steps = [...Array(sequences).keys()].map(i => leaf(`x${i}`, length, 2, 3));
  const weights = {
    matrix: leaf('matrix', 3, 3),
    vector: leaf('vector', 3),
    number: leaf('number'),
    table: leaf('table', 2, 3),
  };
  const {
    carries: all,
    last,
    outputs,
  } = loop(b, { carries: initial, sequences: steps, length, reverse }, (before, now, draw) => {
    const values = [...before, ...now];
    for (const choice of choices) {
      const pick = (n: number) => values[n % values.length]!;
      values.push(makers[choice % makers.length]!(b, pick(choice >> 2), pick(choice >> 5), weights, draw));
    }
    const latest = values.toReversed();
    return { carries: before.map((_, i) => latest[i]!), outputs: [latest[1]!, latest[3]!, latest[0]!] };
  });
  const results = [...all, ...last, ...outputs].filter((_, i) => i === 0 || (read >> i) % 2 === 1);
  const terms = results.map((v, i) => b.sum(b.mul(v, b.cos(b.add(b.cast(b.iota(v.type.shape), 'f32'), i)))));
  const leaves = [...initial.slice(0, 2), ...steps, ...Object.values(weights)];
  const found = gradients(b, terms.reduce(b.add), leaves);
  return b.finish('g', [
    ...results.map((value, i) => ({ name: `y${i}`, value })),
    ...found.map((value, i) => ({ name: `gradient ${i}`, value })),
  ]);
}

function leavesOf({ nodes }: Graph): Tensors {
  const inputs = nodes.filter(({ op }) => op === 'input');
  return Object.fromEntries(
    inputs.map(({ type, attributes }, i) => [String(attributes.name), randomTensor(type, [-1, 1], i)]),
  );
}

const onDevice = deviceTests();

/** On a backend, in its precision. */
async function compared(backend: Backend, recipe: Recipe): Promise<void> {
  const [graph, expectedGraph] = [optimize(graphOf(recipe, looped)), graphOf(recipe, unrolled)];
  const leaves = leavesOf(expectedGraph);
  const found = await runGraph(backend, graph, leaves);
  for (const [name, { data }] of Object.entries(evaluateGraph(expectedGraph, leaves)))
    expect(difference(found[name]!, data), `${name}\n${printGraph(graph)}`).toBeLessThan(1e-3);
}

describe('a random loop', () => {
  it('is what its steps are one after the other', () => {
    fc.assert(
      fc.property(recipes, recipe => {
        const [graph, expectedGraph] = [graphOf(recipe, looped), graphOf(recipe, unrolled)];
        const leaves = leavesOf(expectedGraph);
        const expected = evaluateGraph(expectedGraph, leaves);
        for (const given of [graph, optimize(graph)]) {
          const found = evaluateGraph(given, { ...leaves });
          for (const [name, { data }] of Object.entries(expected))
            expect(difference(found[name]!.data, data), `${name}\n${printGraph(given)}`).toBeLessThan(1e-9);
        }
      }),
      rounds(60),
    );
  });

  it.each([
    ['the reference', async () => referenceBackend()],
    ['WebAssembly', () => wasmBackend({ threads: 2 })],
  ])('is that on %s', async (_, open) => {
    const backend = await open();
    await fc.assert(
      fc.asyncProperty(recipes, recipe => compared(backend, recipe)),
      rounds(40),
    );
    await backend.dispose();
  });

  it('walked in chunks gives the very same bits', async () => {
    const backend = await wasmBackend({ threads: 1 });
    const long = fc.tuple(recipes, fc.constantFrom(4, 6, 12)).map(([recipe, length]) => ({ ...recipe, length }));
    let chunked = 0;
    await fc.assert(
      fc.asyncProperty(long, async recipe => {
        const graph = optimize(graphOf(recipe, looped));
        const leaves = leavesOf(graph);
        const expected = await runGraph(backend, graph, leaves);
        for (const chunking of chunkings(graph)) {
          const found = await runGraph(backend, inChunks(graph, chunking), leaves);
          expect(found, printGraph(graph)).toEqual(expected);
          chunked++;
        }
      }),
      rounds(25),
    );
    expect(chunked).toBeGreaterThan(8);
    await backend.dispose();
  });

  onDevice('is that on WebGPU, in chunks too', backend =>
    fc.assert(
      fc.asyncProperty(recipes, async recipe => {
        await compared(backend, recipe);
        const graph = optimize(graphOf({ ...recipe, length: 4 }, looped));
        const [chunking] = chunkings(graph);
        if (chunking === undefined) return;
        const leaves = leavesOf(graph);
        const expected = await runGraph(backend, graph, leaves);
        expect(await runGraph(backend, inChunks(graph, chunking), leaves), printGraph(graph)).toEqual(expected);
      }),
      rounds(6),
    ),
  );
});
