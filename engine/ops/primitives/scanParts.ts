/** How the results of a loop over time lie in its value. */
import { addDim, type Dim, mulDim, sizeOf } from '../../dim/dim.ts';
import type { Graph, Shape } from '../../ir/graph.ts';

/**
 * Inputs are the carries before the first step, the sequences [T, …], and the constants. The body's leaves are inputs named `carry0`,
 * `sequence0` (one step's part), `constant0` …, those it doesn't read left out; its outputs are `carry0` …, the carries after the step, then
 * `output0` …, all f32.
 */
export type ScanAttributes = {
  body: Graph;
  /** T. */
  length: number;
  carries: number;
  sequences: number;
  /** From the last step to the first. */
  reverse: boolean;
  /** Carries of which the value after the last step is all that anyone reads. */
  last: readonly number[];
};

/** One of the results, which stand one after the other in the loop's value. */
export interface ScanPart {
  readonly kind: 'carry' | 'output';
  /** Of one step. */
  readonly shape: Shape;
  readonly size: Dim;
  /** How many of them are stacked. */
  readonly slots: number;
  /** Of the first slot's first element. */
  readonly offset: Dim;
}

/** The value of a loop is one vector: of each carry all T + 1 values in the order of time (two by turns if only the last is read), of each output T. */
export function scanParts({ body, length, carries, last }: ScanAttributes): readonly ScanPart[] {
  let offset: Dim = 0;
  return body.outputs.map(({ value }, i): ScanPart => {
    const { shape } = body.nodes[value]!.type;
    const size = sizeOf(shape);
    const slots = i >= carries ? length : last.includes(i) ? 2 : length + 1;
    const part = { kind: i < carries ? 'carry' : 'output', shape, size, slots, offset } as const;
    offset = addDim(offset, mulDim(slots, size));
    return part;
  });
}

/** Where carry `i` lies after `done` steps. */
export function slotAfter({ length, reverse, last }: ScanAttributes, i: number, done: number): number {
  if (last.includes(i)) return done % 2;
  return reverse ? length - done : done;
}
