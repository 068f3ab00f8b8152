/** A loop over time: a body graph that is walked along the first axis of its sequences, with values carried from step to step. */
import { addDim, type Dim, mulDim, sameShape, showShape } from '../../dim/dim.ts';
import type { TensorType } from '../../ir/graph.ts';
import type { EvaluateGraph, Tensor } from '../primitive.ts';
import { ShapeError } from '../shapeError.ts';
import { sizeOfShape } from './indexing.ts';
import { define } from './rules.ts';
import { scanGradient } from './scanGradient.ts';
import { type ScanAttributes, type ScanPart, scanParts, slotAfter } from './scanParts.ts';
import { scanSamples } from './scanSamples.ts';

function scanType(inputs: readonly TensorType[], attributes: ScanAttributes): TensorType {
  const { body, length, carries, sequences } = attributes;
  const refuse = (input: number, expected: string, found: TensorType): never => {
    const text = found.dtype + showShape(found.shape);
    throw new ShapeError({ code: 'shape-mismatch', op: 'scan', expected, found: text, input });
  };
  for (const { op, attributes, type } of body.nodes) {
    const match = op === 'input' ? /^(carry|sequence|constant)(\d+)$/.exec(String(attributes.name)) : null;
    if (match === null && op !== 'input' && op !== 'state') continue;
    if (match === null) {
      const expected = 'leaves named carry0, sequence0 or constant0 and so on';
      throw new ShapeError({ code: 'bad-attribute', op: 'scan', expected, found: String(attributes.name) });
    }
    const first = { carry: 0, sequence: carries, constant: carries + sequences }[match[1]!]!;
    const at = first + Number(match[2]);
    const found = inputs[at];
    const shape = match[1] === 'sequence' ? [length, ...type.shape] : type.shape;
    if (found?.dtype === type.dtype && sameShape(found.shape, shape)) continue;
    refuse(at, type.dtype + showShape(shape), found ?? type);
  }
  for (const [i, { name, value }] of body.outputs.entries()) {
    const { type } = body.nodes[value]!;
    const own = i < carries ? `carry${i}` : `output${i - carries}`;
    if (name !== own) throw new ShapeError({ code: 'bad-attribute', op: 'scan', expected: own, found: name });
    const expected: TensorType = i < carries ? inputs[i]! : { ...type, dtype: 'f32' };
    if (type.dtype !== 'f32' || !sameShape(type.shape, expected.shape))
      refuse(Math.min(i, inputs.length - 1), `f32${showShape(expected.shape)}`, type);
  }
  const shape = [scanParts(attributes).reduce<Dim>((n, { slots, size }) => addDim(n, mulDim(slots, size)), 0)];
  return { dtype: 'f32', shape };
}

interface EvaluatedStep {
  /** Time, and how many steps are done with this one. */
  readonly t: number;
  readonly done: number;
  /** By name. */
  readonly leaves: Readonly<Record<string, Tensor>>;
  /** Carries, then outputs. */
  readonly values: readonly Tensor[];
}

/** The steps one after the other, each computed when it is asked for. */
export function* scanSteps(
  inputs: readonly Tensor[],
  { body, length, carries, sequences, reverse }: ScanAttributes,
  run: EvaluateGraph,
): Iterable<EvaluatedStep> {
  const numbered = (kind: string, tensors: readonly Tensor[]) =>
    Object.fromEntries(tensors.map((tensor, i) => [`${kind}${i}`, tensor]));
  const constants = numbered('constant', inputs.slice(carries + sequences));
  let current = inputs.slice(0, carries);
  for (let done = 1; done <= length; done++) {
    const t = reverse ? length - done : done - 1;
    const step = inputs.slice(carries, carries + sequences).map(tensor => stepOf(tensor, t));
    const leaves = { ...numbered('carry', current), ...numbered('sequence', step), ...constants };
    const results = run(body, leaves);
    const values = body.outputs.map(({ name }) => results[name]!);
    yield { t, done, leaves, values };
    current = values.slice(0, carries);
  }
}

export const scan = define<ScanAttributes>({
  name: 'scan',
  doc: 'Walks a body along the first axis of its sequences, carrying values from step to step; the value is the carries and outputs of all steps in one vector.',
  type: scanType,
  vjp: (b, node, adjoint, backpropagate) => scanGradient(b, node, adjoint, backpropagate),
  lowering: { kind: 'scan' },
  evaluate: (inputs, attributes, output, run) => {
    const { carries } = attributes;
    const data = new Float64Array(sizeOfShape(output.shape));
    const parts = scanParts(attributes);
    const store = (tensor: Tensor, part: ScanPart, slot: number) =>
      data.set(tensor.data, Number(part.offset) + slot * Number(part.size));
    for (const [i, tensor] of inputs.slice(0, carries).entries()) store(tensor, parts[i]!, slotAfter(attributes, i, 0));
    for (const { values, done, t } of scanSteps(inputs, attributes, run)) {
      for (const [i, tensor] of values.entries())
        store(tensor, parts[i]!, i < carries ? slotAfter(attributes, i, done) : t);
    }
    return data;
  },
  samples: scanSamples,
});

function stepOf({ dtype, shape: [, ...shape], data }: Tensor, t: number): Tensor {
  const size = sizeOfShape(shape);
  return { dtype, shape, data: data.subarray(t * size, (t + 1) * size) };
}
