/** Loops over time and what they mean: the same steps one after the other. */
import type { GraphBuilder, Value } from '../../engine/ops/builder.ts';
import { buildScan, type ScanResults, type ScanSpec, type ScanStep } from '../../engine/ops/scan.ts';

export type Step = (carries: readonly Value[], steps: readonly Value[]) => ScanStep;
export type Loop = (b: GraphBuilder, spec: ScanSpec, step: Step) => ScanResults;

export const looped: Loop = (b, spec, step) => buildScan(b, spec, step)!;

export const unrolled: Loop = (b, { carries, sequences, length, reverse = false }, step) => {
  const times = [...Array(length).keys()];
  const results: ScanStep[] = [];
  let current = carries;
  for (const t of reverse ? times.toReversed() : times) {
    const result = step(
      current,
      sequences.map(s => b.squeeze(b.sliceAxis(s, 0, t, 1), [0])),
    );
    results.push(result);
    current = result.carries;
  }
  const ordered = reverse ? results.toReversed() : results;
  const stacked = (pick: (r: ScanStep) => readonly Value[]) =>
    pick(ordered[0]!).map((_, i) => b.stack(ordered.map(r => pick(r)[i]!)));
  return { carries: stacked(r => r.carries), last: current, outputs: stacked(r => r.outputs) };
};
