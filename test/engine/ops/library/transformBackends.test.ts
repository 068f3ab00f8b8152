/** Every transform of the library: the shape its rule says, and the same numbers from the oracle, the interpreted kernels, WASM, and for the random ones WebGPU. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Backend } from '../../../../engine/backend/backend.ts';
import { evaluateGraph } from '../../../../engine/backend/reference/evaluateGraph.ts';
import { referenceBackend } from '../../../../engine/backend/reference/reference.ts';
import { wasmBackend } from '../../../../engine/backend/wasm/index.ts';
import type { DType } from '../../../../engine/ir/graph.ts';
import { statisticShape } from '../../../../engine/ir/program.ts';
import type { Arguments, ResultType } from '../../../../engine/ops/library/function.ts';
import { library } from '../../../../engine/ops/library/library.ts';
import type { Tensor } from '../../../../engine/ops/primitive.ts';
import { optimize } from '../../../../engine/passes/pipeline.ts';
import { openWebgpu } from '../../../support/devices.ts';
import { applyAll, defaultsOf, testContext } from '../../../support/macros.ts';
import { runGraph } from '../../../support/runGraph.ts';
import { difference, randomTensor } from '../../../support/samples.ts';

interface Case {
  readonly shape: readonly number[];
  readonly args?: Arguments;
  readonly dtype?: DType;
  /** Shapes of further tensors. */
  readonly others?: Readonly<Record<string, readonly number[]>>;
}

const image = [3, 2, 9, 8];
const wave = [2, 120];
const cases: Readonly<Record<string, readonly Case[]>> = {
  scale: [{ shape: image, args: { by: 0.5 } }],
  standardize: [{ shape: image, args: { mean: 1, std: 2 } }, { shape: image }, { shape: [5, 4], args: { axis: 0 } }],
  fill_missing: [
    { shape: [5, 4], args: { with: 'median' } },
    { shape: [5], args: { with: 'mean' } },
    { shape: image, args: { with: 3, axis: 1 } },
    { shape: [6], args: { with: 'mode', 'x.classes': 4 }, dtype: 'i32' },
  ],
  bucketize: [
    { shape: image, args: { buckets: 5 } },
    { shape: [7], args: { edges: [-0.5, 0, 0.7] } },
  ],
  normalize: [{ shape: image }],
  flatten: [{ shape: image }],
  reshape: [{ shape: image, args: { shape: [12, -1] } }],
  one_hot: [{ shape: [3, 5], args: { C: 4 }, dtype: 'i32' }],
  noise: [{ shape: image }],
  mixup: [{ shape: image, others: { label: [3, 4] } }],
  windows: [
    { shape: [3, 11, 2], args: { size: 4, stride: 3 } },
    { shape: [2, 6], args: { size: 2 }, dtype: 'i32' },
  ],
  mask: [{ shape: [4, 30], args: { V: 4, rate: 0.4, symbol: 4 }, dtype: 'i32' }],
  crop: [{ shape: image, args: { height: 4, width: 5, left: 1 } }],
  pad: [{ shape: image, args: { pixels: 2, value: 1 } }],
  resize: [
    { shape: image, args: { height: 4, width: 13 } },
    { shape: image, args: { height: 9, width: 3, method: 'nearest' } },
  ],
  shift: [{ shape: image, args: { pixels: 2 } }],
  rotate: [{ shape: image, args: { degrees: 30 } }],
  flip: [{ shape: image }, { shape: [4, 16], args: { vertical: true } }],
  cutout: [{ shape: image, args: { size: 3 } }],
  brightness: [{ shape: image, args: { by: 0.3 } }],
  contrast: [{ shape: image, args: { by: 0.3 } }],
  spectrogram: [
    { shape: wave, args: { n_fft: 32 } },
    { shape: [2, 3, 50], args: { n_fft: 15, hop: 4, power: 1 } },
  ],
  mel: [{ shape: wave, args: { n_fft: 32, rate: 8000, bins: 5 } }],
  decibels: [{ shape: [2, 4, 5] }],
  mfcc: [{ shape: wave, args: { n_fft: 32, rate: 8000, bins: 6, coefficients: 4 } }],
};

it('the cases are those of the library', () => {
  expect(Object.keys(cases).toSorted()).toEqual(Object.keys(library.transform).toSorted());
});

let wasm: Backend;
let gpu: Backend | undefined;
beforeAll(async () => {
  wasm = await wasmBackend();
  gpu = await openWebgpu();
}, 60_000);
afterAll(async () => {
  await wasm.dispose();
  await gpu?.dispose();
});

const scalar = (value: number): Tensor => ({ dtype: 'i32', shape: [], data: Float64Array.of(value) });

function build(name: string, { shape, args = {}, dtype = 'f32', others = {} }: Case) {
  const context = testContext();
  const tensors = {
    x: { dtype, shape },
    ...Object.fromEntries(Object.entries(others).map(([n, s]) => [n, { dtype: 'f32' as const, shape: s }])),
  };
  const inputs = Object.fromEntries(Object.entries(tensors).map(([n, type]) => [n, context.b.input(n, type)]));
  const results = applyAll(context, name, { ...inputs, ...args }, 'transform');
  const graph = optimize(
    context.b.finish(
      't',
      results.map((value, i) => ({ name: `y${i}`, value })),
    ),
  );
  const leaves: Record<string, Tensor> = { seed: scalar(5), step: scalar(2) };
  for (const [i, [n, type]] of Object.entries(tensors).entries())
    leaves[n] = randomTensor(type, dtype === 'i32' ? [0, 4] : [-1, 1], i + 1);
  for (const { name: fit, statistic, values } of context.fits) {
    const groups = values.type.shape[1] as number;
    const drawn = randomTensor({ dtype: 'f32', shape: [groups, ...statisticShape(statistic)] }, [0.5, 1], 9);
    leaves[fit] = { ...drawn, data: statistic.kind === 'mode' ? drawn.data.map(Math.round) : drawn.data.sort() };
  }
  return { results, graph, leaves };
}

const all = Object.entries(cases).flatMap(([name, list]) => list.map(each => [name, each] as const));

it.each(all)('%s of %j', async (name, each) => {
  const { results, graph, leaves } = build(name, each);
  const { type, signature, random } = library.transform[name]!;
  const x: ResultType = {
    dtype: each.dtype ?? 'f32',
    shape: each.shape.slice(1),
    ...(each.dtype === 'i32' && { classes: 4 }),
  };
  if (type) {
    const given = { ...defaultsOf(signature), x, ...(each.args as Record<string, number>) };
    const { dtype, shape } = type(given) as ResultType;
    expect(results[0]!.type).toEqual({ dtype, shape: [each.shape[0], ...shape] });
  }
  const expected = evaluateGraph(graph, leaves);
  // What is not random runs ahead of training, on the CPU alone.
  for (const backend of [referenceBackend(), wasm, ...(random && gpu ? [gpu] : [])]) {
    const found = await runGraph(backend, graph, leaves);
    for (const [output, { dtype, data }] of Object.entries(expected)) {
      if (dtype === 'f32') expect(difference(found[output]!, data), `${backend.name} ${output}`).toBeLessThan(2e-4);
      else expect([...found[output]!], `${backend.name} ${output}`).toEqual([...data]);
    }
  }
});
