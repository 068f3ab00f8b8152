/** What loops are tested with, on every backend: bodies in the text form of graphs. */
import type { Graph, TensorType } from '../../ir/graph.ts';
import { parseGraph } from '../../ir/parse.ts';
import type { Sample } from '../primitive.ts';
import type { ScanAttributes } from './scanParts.ts';

const f32 = (...shape: number[]): TensorType => ({ dtype: 'f32', shape });

function body(...lines: string[]): Graph {
  return parseGraph(['graph step {', ...lines, '}'].join('\n'));
}

/** h' = tanh(h U^T + x + c), the bias c repeated: a constant used by a product, another by a sum. */
const recurrence = body(
  '%0 = input {name: "carry0"} : f32[2, 3]',
  '%1 = input {name: "sequence0"} : f32[2, 3]',
  '%2 = input {name: "constant0"} : f32[3, 3]',
  '%3 = input {name: "constant1"} : f32[3]',
  '%4 = matmul(%0, %2) {transposeA: false, transposeB: true} : f32[2, 3]',
  '%5 = broadcast(%3) {shape: [2, 3]} : f32[2, 3]',
  '%6 = add(%4, %5) : f32[2, 3]',
  '%7 = add(%6, %1) : f32[2, 3]',
  '%8 = tanh(%7) : f32[2, 3]',
  'result carry0 = %8',
);

/** Two carries that read each other, an output beside them, a constant that enters twice, and neither by product nor by sum alone. */
const coupled = body(
  '%0 = input {name: "carry0"} : f32[2, 3]',
  '%1 = input {name: "carry1"} : f32[3]',
  '%2 = input {name: "sequence0"} : f32[3]',
  '%3 = input {name: "constant0"} : f32[2, 3]',
  '%4 = broadcast(%1) {shape: [2, 3]} : f32[2, 3]',
  '%5 = mul(%0, %3) : f32[2, 3]',
  '%6 = add(%5, %4) : f32[2, 3]',
  '%7 = sin(%6) : f32[2, 3]',
  '%8 = sum(%7) {axes: [0], keep: false} : f32[3]',
  '%9 = mul(%8, %2) : f32[3]',
  '%10 = mul(%7, %3) : f32[2, 3]',
  '%11 = exp(%9) : f32[3]',
  'result carry0 = %7',
  'result carry1 = %9',
  'result output0 = %10',
  'result output1 = %11',
);

/** Batched products with a constant on either side, and rows of another one looked up by a sequence of whole numbers. */
const lookup = body(
  '%0 = input {name: "carry0"} : f32[2, 2, 3]',
  '%1 = input {name: "sequence0"} : i32[2]',
  '%2 = input {name: "constant0"} : f32[4, 3]',
  '%3 = input {name: "constant1"} : f32[2, 3, 3]',
  '%4 = take(%2, %1) : f32[2, 3]',
  '%5 = matmul(%0, %3) {transposeA: false, transposeB: false} : f32[2, 2, 3]',
  '%6 = reshape(%4) {shape: [1, 2, 3]} : f32[1, 2, 3]',
  '%7 = broadcast(%6) {shape: [2, 2, 3]} : f32[2, 2, 3]',
  '%8 = add(%5, %7) : f32[2, 2, 3]',
  '%9 = tanh(%8) : f32[2, 2, 3]',
  'result carry0 = %9',
);

/** No carry: a function of each step alone, of numbers that are compared. */
const map = body(
  '%0 = input {name: "sequence0"} : f32[4]',
  '%1 = input {name: "constant0"} : f32[]',
  '%2 = constant {value: 0.5} : f32[4]',
  '%3 = less(%0, %2) : bool[4]',
  '%4 = broadcast(%1) {shape: [4]} : f32[4]',
  '%5 = mul(%0, %4) : f32[4]',
  '%6 = select(%3, %5, %2) : f32[4]',
  'result output0 = %6',
);

const recurrent = { body: recurrence, carries: 1, sequences: 1, last: [] };
const weights = [f32(3, 3), f32(3)];
/** Errors grow with the steps where weights are large. */
const tame = Array.from({ length: 4 }, () => [-0.5, 0.5] as const);
const both = { body: coupled, carries: 2, sequences: 1, last: [] };

export const scanSamples: readonly Sample<ScanAttributes>[] = [
  ...[false, true].flatMap((reverse): Sample<ScanAttributes>[] => [
    { inputs: [f32(2, 3), f32(4, 2, 3), ...weights], attributes: { ...recurrent, length: 4, reverse } },
    { inputs: [f32(2, 3), f32(3), f32(5, 3), f32(2, 3)], attributes: { ...both, length: 5, reverse }, domain: tame },
    {
      inputs: [f32(2, 3), f32(3), f32(3, 3), f32(2, 3)],
      attributes: { ...both, length: 3, reverse, last: [0] },
      domain: tame,
      noGradient: 'carries are given up once gradients have been taken',
    },
  ]),
  { inputs: [f32(2, 3), f32(1, 2, 3), ...weights], attributes: { ...recurrent, length: 1, reverse: false } },
  {
    inputs: [f32(2, 2, 3), { dtype: 'i32', shape: [3, 2] }, f32(4, 3), f32(2, 3, 3)],
    attributes: { body: lookup, length: 3, carries: 1, sequences: 1, reverse: false, last: [] },
    domain: [
      [-1, 1],
      [0, 4],
      [-1, 1],
      [-1, 1],
    ],
  },
  {
    inputs: [f32(3, 4), f32()],
    attributes: { body: map, length: 3, carries: 0, sequences: 1, reverse: false, last: [] },
  },
];
