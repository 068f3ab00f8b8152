/** Generated from the registry: the lowering of every sample, scheduled and interpreted, against the evaluator in double precision. */
import { describe, expect, it } from 'vitest';
import { evaluateGraph } from '../../../../engine/backend/reference/evaluateGraph.ts';
import { referenceBackend } from '../../../../engine/backend/reference/reference.ts';
import { runGraph } from '../../../support/runGraph.ts';
import { allSamples, difference, sampleGraph, sampleInputs } from '../../../support/samples.ts';

describe('every lowering', () => {
  it.each(allSamples())('computes what the evaluator does: $title', async ({ name, sample }) => {
    const graph = sampleGraph(name, sample);
    const leaves = sampleInputs(sample);
    const { y } = await runGraph(referenceBackend(), graph, leaves);
    expect(difference(y!, evaluateGraph(graph, leaves).y!.data)).toBeLessThan(1e-6);
  });
});
