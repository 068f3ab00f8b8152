/** Attention by blocks of queries says what attention over the whole matrix of scores says, forward and backward, in less memory. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Backend } from '../../../../engine/backend/backend.ts';
import { referenceBackend } from '../../../../engine/backend/reference/reference.ts';
import { wasmBackend } from '../../../../engine/backend/wasm/index.ts';
import type { Graph } from '../../../../engine/ir/graph.ts';
import { scheduleGraph } from '../../../../engine/kernel/schedule.ts';
import { GraphBuilder, type Value } from '../../../../engine/ops/builder.ts';
import { masked, scoresOf } from '../../../../engine/ops/primitives/attention.ts';
import { gradients } from '../../../../engine/passes/autodiff.ts';
import { optimize } from '../../../../engine/passes/pipeline.ts';
import { openWebgpu } from '../../../support/devices.ts';
import { apply, testContext } from '../../../support/macros.ts';
import { runGraph } from '../../../support/runGraph.ts';
import { difference, randomTensor, type Tensors } from '../../../support/samples.ts';

interface Case {
  readonly queries: number;
  readonly keys?: number;
  readonly causal?: boolean;
  readonly padded?: boolean;
  readonly heads?: number;
}

const f32 = (...shape: number[]) => ({ dtype: 'f32', shape }) as const;
const [BATCH, SIZE] = [2, 4];

const cases: readonly Case[] = [1, 7, 64, 65, 256].flatMap((queries): Case[] => [
  { queries },
  { queries, causal: true },
  { queries, padded: true, heads: 3 },
  { queries, causal: true, padded: true },
  { queries, keys: 37, padded: true },
]);
const long: Case = { queries: 1024, causal: true, padded: true, heads: 1 };
const onGpu: readonly Case[] = [
  { queries: 1 },
  { queries: 7, causal: true },
  { queries: 64, keys: 37, padded: true },
  { queries: 65, causal: true, padded: true },
  { queries: 256, causal: true, heads: 1 },
  long,
];
const titled = (each: Case) => ({ ...each, title: JSON.stringify(each) });

/** Of random operands: the output of attention and the gradients of all three for a random adjoint, `whole` or by blocks. */
function graphOf({ queries, keys = queries, causal = false, padded = false, heads = 2 }: Case, whole: boolean): Graph {
  const b = new GraphBuilder();
  const [q, k, v] = [
    b.input('q', f32(BATCH, heads, queries, SIZE)),
    b.input('k', f32(BATCH, heads, keys, SIZE)),
    b.input('v', f32(BATCH, heads, keys, SIZE)),
  ] as const;
  // The first key is always seen: of a causal query that sees none, the mean is over the keys of its block.
  const mask = padded
    ? b.less(b.iota([BATCH, keys], 1), b.input('length', { dtype: 'i32', shape: [BATCH, 1] }))
    : undefined;
  const output: Value = whole
    ? b.matmul(b.softmax(masked(b, scoresOf(b, q, k), { causal, mask })), v)
    : b.op('attention', [q, k, v, ...(mask ? [mask] : [])], { causal });
  const loss = b.sum(b.mul(output, b.input('g', output.type)));
  const [dq, dk, dv] = gradients(b, loss, [q, k, v]) as [Value, Value, Value];
  const results = Object.entries({ output, dq, dk, dv }).map(([name, value]) => ({ name, value }));
  return optimize(b.finish(whole ? 'whole' : 'blocks', results));
}

function operandsOf({ queries, keys = queries, heads = 2 }: Case): Tensors {
  return {
    q: randomTensor(f32(BATCH, heads, queries, SIZE), [-3, 3], 0),
    k: randomTensor(f32(BATCH, heads, keys, SIZE), [-3, 3], 1),
    v: randomTensor(f32(BATCH, heads, keys, SIZE), [-2, 2], 2),
    g: randomTensor(f32(BATCH, heads, queries, SIZE), [-1, 1], 3),
    length: { dtype: 'i32', shape: [BATCH, 1], data: Float64Array.of(1, Math.ceil(keys * 0.7)) },
  };
}

async function expectSame(backend: Backend, each: Case): Promise<void> {
  const operands = operandsOf(each);
  const [found, expected] = [false, true].map(whole => runGraph(backend, graphOf(each, whole), operands));
  for (const [name, values] of Object.entries(await expected!)) {
    expect(difference((await found!)[name]!, values), name).toBeLessThan(1e-5);
  }
}

let gpu: Backend | undefined;
beforeAll(async () => {
  gpu = await openWebgpu();
}, 60_000);
afterAll(() => gpu?.dispose());

describe('attention by blocks', () => {
  it.each(cases.map(titled))('is that over all scores, on the reference backend: $title', each =>
    expectSame(referenceBackend(), each),
  );

  it.each([...cases, long].map(titled))('on WASM: $title', async each => {
    const backend = await wasmBackend({ threads: 1 });
    await expectSame(backend, each);
    await backend.dispose();
  });

  // A few: each takes seconds to compile on a software adapter.
  it.for(onGpu.map(titled))('on WebGPU: $title', { timeout: 60_000 }, async (each, context) =>
    gpu ? expectSame(gpu, each) : context.skip(),
  );

  it('holds the scores of one block at a time, forward and backward', () => {
    const scores = BATCH * 2 * 1024 * 1024 * 4;
    const arena = (whole: boolean, causal: boolean) =>
      scheduleGraph(graphOf({ queries: 1024, causal, padded: true }, whole)).arenaBytes;
    for (const causal of [false, true]) {
      expect(arena(true, causal)).toBeGreaterThan(1.9 * scores);
      expect(arena(false, causal)).toBeLessThan(0.45 * scores);
    }
  });

  it('computes no block that a causal mask hides', () => {
    const products = scheduleGraph(graphOf({ queries: 1024, causal: true }, false)).kernels.flatMap(kernel =>
      kernel.kind === 'matmul' && kernel.k === SIZE ? [kernel.m * kernel.n] : [],
    );
    // Scores twice and dP once: 9 / 16 of the square for eight blocks.
    expect(products.reduce((sum, n) => sum + n, 0)).toBeLessThanOrEqual((3 * 9 * 1024 * 1024) / 16);
  });

  it('is what the layer takes for long sequences alone', () => {
    const opsOf = (time: number) => {
      const context = testContext();
      const x = context.b.input('x', f32(1, time, 8));
      const y = apply(context, 'self_attention', { x, heads: 2 });
      return context.b.finish('g', [{ name: 'y', value: y }]).nodes.map(node => node.op);
    };
    expect(opsOf(64)).not.toContain('attention');
    expect(opsOf(1024)).toContain('attention');
  });
});
