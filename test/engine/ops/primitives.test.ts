/** Generated from the registry: every sample of every primitive against its evaluator and finite differences. */
import { describe, expect, it } from 'vitest';
import { evaluateGraph } from '../../../engine/backend/reference/evaluateGraph.ts';
import { parseGraph } from '../../../engine/ir/parse.ts';
import { printGraph } from '../../../engine/ir/print.ts';
import { graphProblems } from '../../../engine/ir/validate.ts';
import { primitive, primitives, typeOf } from '../../../engine/ops/registry.ts';
import { checkGradient } from '../../support/gradients.ts';
import { allSamples, sampleGraph, sampleInputs, sampleNode } from '../../support/samples.ts';

const samples = allSamples();

describe('every primitive', () => {
  it.each(Object.entries(primitives))(
    '%s is declared under its own name, with a sentence and samples',
    (name, declared) => {
      expect(declared.name).toBe(name);
      expect(declared.doc).toMatch(/\.$/);
      if (declared.lowering.kind !== 'leaf') expect(declared.samples.length).toBeGreaterThan(0);
    },
  );

  it.each(samples)('evaluates to its type: $title', ({ name, sample }) => {
    const graph = sampleGraph(name, sample);
    const { y } = evaluateGraph(graph, sampleInputs(sample));
    expect(y!.data).toHaveLength(y!.shape.reduce((n, d) => n * d, 1));
    if (y!.dtype !== 'f32' && y!.dtype !== 'f16') expect(y!.data.every(Number.isInteger)).toBe(true);
  });

  it.each(samples)('makes a valid graph that prints and parses: $title', ({ name, sample }) => {
    const graph = sampleGraph(name, sample);
    expect(graphProblems(graph, typeOf)).toEqual([]);
    expect(parseGraph(printGraph(graph))).toEqual(graph);
  });
});

const differentiable = samples.filter(({ name, sample }) => {
  const types = [...sample.inputs, primitive(name).type(sample.inputs, sample.attributes)];
  return sample.noGradient === undefined && types.at(-1)!.dtype === 'f32' && sample.inputs.some(t => t.dtype === 'f32');
});

describe('every gradient', () => {
  it.each(differentiable)('agrees with finite differences: $title', ({ name, sample }) => {
    for (const { input, error } of checkGradient(sampleInputs(sample), b => sampleNode(b, name, sample).output)) {
      expect(error, input).toBeLessThan(1e-7);
    }
  });
});
