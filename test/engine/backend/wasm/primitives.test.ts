/** Generated from the registry: every primitive's samples on WASM, against the evaluator in double precision. */
import { describe, expect, it } from 'vitest';
import { evaluateGraph } from '../../../../engine/backend/reference/evaluateGraph.ts';
import { wasmBackend } from '../../../../engine/backend/wasm/index.ts';
import { runGraph } from '../../../support/runGraph.ts';
import { allSamples, difference, sampleGraph, sampleInputs } from '../../../support/samples.ts';

describe('every lowering', () => {
  it.each(allSamples())('computes what the evaluator does: $title', async ({ name, sample }) => {
    const graph = sampleGraph(name, sample);
    const leaves = sampleInputs(sample);
    const { y } = await runGraph(await wasmBackend({ threads: 1 }), graph, leaves);
    expect(difference(y!, evaluateGraph(graph, leaves).y!.data)).toBeLessThan(2e-6);
  });
});
