/** What the passes promise of any graph: the same values, nothing left to do, and gradients that finite differences agree with. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { evaluateGraph } from '../../../engine/backend/reference/evaluateGraph.ts';
import type { Graph } from '../../../engine/ir/graph.ts';
import { parseGraph } from '../../../engine/ir/parse.ts';
import { printGraph } from '../../../engine/ir/print.ts';
import { nodeKey } from '../../../engine/ops/nodeKey.ts';
import { optimize } from '../../../engine/passes/pipeline.ts';
import { rounds } from '../../support/fuzz.ts';
import { checkGradient } from '../../support/gradients.ts';
import { randomGraphs } from '../../support/randomGraphs.ts';
import { randomLeaves } from '../../support/runSchedule.ts';
import { difference } from '../../support/samples.ts';

const runs = rounds(100);

describe('optimize', () => {
  it('changes no value of any output', () => {
    fc.assert(
      fc.property(randomGraphs(), graph => {
        const leaves = randomLeaves(graph);
        const [plain, optimized] = [evaluateGraph(graph, leaves), evaluateGraph(optimize(graph), leaves)];
        for (const { name } of graph.outputs) {
          // Constants are folded to single precision.
          expect(difference(optimized[name]!.data, plain[name]!.data), printGraph(graph)).toBeLessThan(1e-5);
        }
      }),
      runs,
    );
  });

  it('leaves nothing to simplify, to share or to remove, and a graph that prints and parses', () => {
    fc.assert(
      fc.property(randomGraphs(), graph => {
        const optimized = optimize(graph);
        const text = printGraph(optimized);
        expect(printGraph(optimize(optimized))).toBe(text);
        expect(parseGraph(text)).toEqual(optimized);
        expect(new Set(optimized.nodes.map(nodeKey)).size).toBe(optimized.nodes.length);
        expect(unused(optimized)).toEqual([]);
      }),
      runs,
    );
  });
});

function unused({ nodes, outputs }: Graph): readonly number[] {
  const used = new Set([...nodes.flatMap(n => n.inputs), ...outputs.flatMap(o => [o.value, o.at ?? o.value])]);
  // A state that is written to is there for its type.
  const written = new Set(outputs.map(o => o.name));
  return [...nodes.keys()].filter(id => !used.has(id) && !written.has(String(nodes[id]!.attributes.name)));
}

describe('gradients', () => {
  it('of random graphs agree with finite differences', () => {
    fc.assert(
      fc.property(randomGraphs(10), graph => {
        const reports = checkGradient(randomLeaves(graph), (b, leaves) => {
          const outputs = b.inline(graph, leaves);
          return b.tanh(b.add(b.mul(b.sum(outputs.y0!), 0.1), b.mul(b.sum(outputs.y1!), 0.1)));
        });
        for (const { input, error } of reports) expect(error, `${input}\n${printGraph(graph)}`).toBeLessThan(1e-4);
      }),
      rounds(50),
    );
  });
});
