/** Threads wait for each other where one needs what another has written, and go on alone where each has rows of its own. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { HostArray } from '../../../../engine/backend/backend.ts';
import { evaluateGraph } from '../../../../engine/backend/reference/evaluateGraph.ts';
import { wasmBackend } from '../../../../engine/backend/wasm/index.ts';
import { compileModule } from '../../../../engine/codegen/wasm/module.ts';
import { planTeam, type Share, type TeamStep } from '../../../../engine/codegen/wasm/team.ts';
import type { Span, Touches } from '../../../../engine/codegen/wasm/touches.ts';
import type { Graph } from '../../../../engine/ir/graph.ts';
import { scheduleGraph } from '../../../../engine/kernel/schedule.ts';
import { GraphBuilder, type Value } from '../../../../engine/ops/builder.ts';
import { gradients } from '../../../../engine/passes/autodiff.ts';
import { optimize } from '../../../../engine/passes/pipeline.ts';
import { randomLeaves } from '../../../support/runSchedule.ts';
import { difference } from '../../../support/samples.ts';

/** Reads and writes rows of 10 bytes at the given addresses, one a point, or all of them whatever the point. */
interface Access {
  readonly at: number;
  readonly byRow: boolean;
}

function step(points: number, reads: readonly Access[], writes: readonly Access[], worthwhile = true): TeamStep {
  const spans = (accesses: readonly Access[], from: number, to: number) =>
    accesses.map(({ at, byRow }): Span => (byRow ? [at + 10 * from, at + 10 * to] : [at, at + 10 * points]));
  const touches = (from: number, to: number): Touches => ({
    reads: spans(reads, from, to),
    writes: spans(writes, from, to),
  });
  return { points, granule: 1, worthwhile, touches };
}

const rows = (at: number): Access => ({ at, byRow: true });
const all = (at: number): Access => ({ at, byRow: false });
const waits = (steps: readonly TeamStep[], threads = 2) => planTeam(steps, threads).map(share => share.waits);

describe('planTeam', () => {
  test('no thread waits where each reads the rows it has written', () => {
    const chain = [0, 1, 2, 3].map(i => step(8, [rows(1000 * i)], [rows(1000 * (i + 1))]));
    expect(waits(chain)).toEqual([false, false, false, false]);
  });

  test('all wait before one reads the rows of others, and before rows that others read are replaced', () => {
    expect(waits([step(8, [], [rows(0)]), step(8, [all(0)], [rows(1000)])])).toEqual([false, true]);
    expect(waits([step(8, [all(0)], [rows(1000)]), step(8, [], [rows(0)])])).toEqual([false, true]);
    expect(waits([step(8, [], [all(0)]), step(8, [], [all(0)])])).toEqual([false, true]);
  });

  test('little work between kernels that are shared is shared as they are, and left to one thread elsewhere', () => {
    const [big, small, bigger] = [step(8, [], [rows(0)]), step(16, [], [], false), step(8, [rows(0)], [])];
    const between = { ...small, touches: (from: number, to: number) => big.touches(from / 2, to / 2, 0) };
    expect(planTeam([big, between, bigger], 2)).toEqual([
      { chunk: 4, waits: false },
      { chunk: 8, waits: false },
      { chunk: 4, waits: false },
    ]);
    expect(planTeam([step(8, [], [all(0)], false), step(8, [all(0)], [all(1000)], false)], 2)).toEqual([
      { chunk: 8, waits: false },
      { chunk: 8, waits: false },
    ]);
  });

  const access = fc.record({ at: fc.constantFrom(0, 40, 100, 120), byRow: fc.boolean() });
  const accesses = fc.array(access, { maxLength: 2 });
  const anyStep = fc
    .tuple(fc.constantFrom(1, 4, 6, 8), accesses, accesses, fc.boolean())
    .map(args => step(...(args as Parameters<typeof step>)));

  test('between two waits no thread touches what another one writes, and every point has one thread', () => {
    fc.assert(
      fc.property(fc.array(anyStep, { maxLength: 8 }), fc.integer({ min: 2, max: 4 }), (steps, threads) => {
        const shares = planTeam(steps, threads);
        for (const [j, share] of shares.entries()) {
          expect(share.chunk * threads).toBeGreaterThanOrEqual(steps[j]!.points);
          for (let i = j; i > 0 && !shares[i]!.waits; i--) {
            expect(collisions(steps[i - 1]!, shares[i - 1]!, steps[j]!, share, threads)).toEqual([]);
          }
        }
      }),
    );
  });
});

function part({ points, touches }: TeamStep, { chunk }: Share, thread: number): Touches {
  const [from, to] = [thread * chunk, Math.min((thread + 1) * chunk, points)];
  return from < to ? touches(from, to, thread) : { reads: [], writes: [] };
}

/** Bytes that two steps touch on different threads, one of them writing. */
function collisions(a: TeamStep, sa: Share, b: TeamStep, sb: Share, threads: number): number[] {
  const bytes = (spans: readonly Span[]) => spans.flatMap(([s, e]) => Array.from({ length: e - s }, (_, i) => s + i));
  const found: number[] = [];
  for (let t = 0; t < threads; t++) {
    for (let u = 0; u < threads; u++) {
      if (t === u) continue;
      const [x, y] = [part(a, sa, t), part(b, sb, u)];
      const [written, touched] = [new Set(bytes(x.writes)), new Set(bytes([...x.reads, ...x.writes]))];
      found.push(...bytes([...y.reads, ...y.writes]).filter(byte => written.has(byte)));
      found.push(...bytes(y.writes).filter(byte => touched.has(byte)));
    }
  }
  return found;
}

/** h = tanh(x w + h u) over `time`, and the gradients of the sum of all h with respect to the weights. */
function recurrence(time: number, batch: number, size: number): Graph {
  const b = new GraphBuilder();
  const weight = (name: string) => b.input(name, { dtype: 'f32', shape: [size, size] });
  const [w, u] = [weight('w'), weight('u')];
  const x = b.input('x', { dtype: 'f32', shape: [time * batch, size] });
  const projected = b.matmul(x, w);
  let h: Value = b.input('h', { dtype: 'f32', shape: [batch, size] });
  const outputs: Value[] = [];
  for (let t = 0; t < time; t++) {
    h = b.tanh(b.add(b.slice(projected, [t * batch, 0], [batch, size]), b.matmul(h, u)));
    outputs.push(h);
  }
  const all = b.concat(outputs, 0);
  const results = { all, ...Object.fromEntries(gradients(b, b.sum(all), [w, u]).map((g, i) => [`d${i}`, g!])) };
  return b.finish(
    'step',
    Object.entries(results).map(([name, value]) => ({ name, value, kind: 'result' as const })),
  );
}

test('a recurrence gives the same bits on one, two, three and five threads', async () => {
  const graph = recurrence(6, 27, 96);
  const schedule = scheduleGraph(optimize(graph));
  const leaves = randomLeaves(graph);
  // Weights as small as a network's: greater ones make every rounding grow from step to step.
  for (const name of ['w', 'u'])
    leaves[name]!.data.forEach((x, i, all) => {
      all[i] = x / 16;
    });
  const runs: Record<string, HostArray>[] = [];
  for (const threads of [1, 2, 3, 5]) {
    const backend = await wasmBackend({ threads });
    const executable = await backend.compile([schedule]);
    for (const [name, { data }] of Object.entries(leaves)) executable.write(name, Float32Array.from(data));
    executable.run('step', 20);
    runs.push({ all: await executable.read('all'), d0: await executable.read('d0'), d1: await executable.read('d1') });
    await backend.dispose();
  }
  for (const run of runs.slice(1)) expect(run).toEqual(runs[0]);
  for (const [name, { data }] of Object.entries(evaluateGraph(graph, leaves)))
    expect(difference(runs[0]![name]!, data)).toBeLessThan(1e-3);
});

test('time steps that differ in where their buffers lie are one function', () => {
  const schedule = scheduleGraph(optimize(recurrence(8, 27, 96)));
  const { entries } = compileModule([schedule], { threads: 1, tile: { rows: 6, vectors: 2, fused: false } });
  const kernels = entries.get('step')!;
  const functions = new Set(kernels.map(kernel => kernel.export));
  expect(kernels.length).toBeGreaterThan(16);
  // The first and the last step of each direction differ from those between them.
  expect(functions.size).toBeLessThan(12);
  for (const name of functions) expect(new Set(kernels.filter(k => k.export === name).map(k => k.points)).size).toBe(1);
});
