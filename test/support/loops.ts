/** Loops over time and what they mean: the same steps one after the other. */

import type { Shape } from '../../engine/ir/graph.ts';
import type { GraphBuilder, Value } from '../../engine/ops/builder.ts';
import { buildScan, type ScanResults, type ScanSpec, type ScanStep } from '../../engine/ops/scan.ts';

/** Numbers in [0, 1) of a stream: those of the step where it is called within one. */
export type Draw = (shape: Shape, stream: number) => Value;
export type Step = (carries: readonly Value[], steps: readonly Value[], draw: Draw) => ScanStep;
/** `draw`: that of the step in which the loop stands. */
export type Loop = (b: GraphBuilder, spec: ScanSpec, step: Step, draw?: Draw) => ScanResults;

const drawn =
  (b: GraphBuilder): Draw =>
  (shape, stream) => {
    const [seed, step] = ['seed', 'step'].map(name => b.input(name, { dtype: 'i32', shape: [] }));
    return b.uniform(seed!, step!, shape, stream);
  };

export const looped: Loop = (b, spec, step) => buildScan(b, spec, (carries, steps) => step(carries, steps, drawn(b)))!;

export const unrolled: Loop = (b, { carries, sequences, length, reverse = false }, step, draw = drawn(b)) => {
  const times = [...Array(length).keys()];
  const results: ScanStep[] = [];
  let current = carries;
  for (const t of reverse ? times.toReversed() : times) {
    const at = (all: Value) => b.squeeze(b.sliceAxis(all, 0, t, 1), [0]);
    const result = step(current, sequences.map(at), (shape, stream) => at(draw([length, ...shape], stream)));
    results.push(result);
    current = result.carries;
  }
  const ordered = reverse ? results.toReversed() : results;
  const stacked = (pick: (r: ScanStep) => readonly Value[]) =>
    pick(ordered[0]!).map((_, i) => b.stack(ordered.map(r => pick(r)[i]!)));
  return { carries: stacked(r => r.carries), last: current, outputs: stacked(r => r.outputs) };
};
