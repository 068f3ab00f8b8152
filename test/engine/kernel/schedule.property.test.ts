/** Whatever the scheduler fuses, reorders and overlays, a run leaves what the graph says. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { referenceBackend } from '../../../engine/backend/reference/reference.ts';
import type { Graph } from '../../../engine/ir/graph.ts';
import { printGraph } from '../../../engine/ir/print.ts';
import type { Schedule } from '../../../engine/kernel/kernel.ts';
import { bytesOf, lifetimes } from '../../../engine/kernel/memory.ts';
import { printSchedule } from '../../../engine/kernel/print.ts';
import { scheduleGraph } from '../../../engine/kernel/schedule.ts';
import { optimize } from '../../../engine/passes/pipeline.ts';
import { rounds } from '../../support/fuzz.ts';
import { randomGraphs } from '../../support/randomGraphs.ts';
import { expectedBuffers, randomLeaves, runSchedule } from '../../support/runSchedule.ts';
import { allSamples, difference, sampleGraph, sampleInputs, type Tensors } from '../../support/samples.ts';

const backend = referenceBackend();

async function check(graph: Graph, leaves: Tensors): Promise<Schedule> {
  const schedule = scheduleGraph(graph);
  const expected = expectedBuffers(graph, leaves);
  const context = () => `${printGraph(graph)}\n${printSchedule(schedule)}`;
  const found = await runSchedule(backend, schedule, leaves, Object.keys(expected)).catch(cause => {
    throw new Error(context(), { cause });
  });
  for (const [name, values] of Object.entries(expected)) {
    const gap = difference(found[name]!, values);
    if (!(gap < 2e-4))
      throw new Error(`${name} differs by ${gap}\n${context()}\nfound ${found[name]}\nexpected ${values}`);
  }
  return schedule;
}

/** Temporaries that live at the same time share no bytes. */
function expectNoOverlap({ buffers, kernels, arenaBytes }: Schedule): void {
  const lives = lifetimes(kernels);
  const placed = [...buffers.entries()].filter(([id, b]) => b.kind === 'temporary' && lives.has(id));
  for (const [i, [id, one]] of placed.entries()) {
    const end = one.offset! + one.length * bytesOf(one.dtype);
    expect(one.offset! % 256).toBe(0);
    expect(end).toBeLessThanOrEqual(arenaBytes);
    for (const [other, two] of placed.slice(i + 1)) {
      const [a, b] = [lives.get(id)!, lives.get(other)!];
      const together = a[0] <= b[1] && b[0] <= a[1];
      const apart = end <= two.offset! || two.offset! + two.length * bytesOf(two.dtype) <= one.offset!;
      expect(!together || apart).toBe(true);
    }
  }
}

describe('scheduleGraph', () => {
  it.each(allSamples())('computes $title', async ({ name, sample }) => {
    await check(sampleGraph(name, sample), sampleInputs(sample));
  });

  it('computes random graphs, states and memory included', async () => {
    await fc.assert(
      fc.asyncProperty(randomGraphs(), async graph => {
        expectNoOverlap(await check(graph, randomLeaves(graph)));
        const optimized = optimize(graph);
        await check(optimized, randomLeaves(graph));
      }),
      rounds(250),
    );
  });
});
