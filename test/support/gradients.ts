/** Checks gradients against central finite differences in double precision. */
import { evaluateGraph } from '../../engine/backend/reference/evaluateGraph.ts';
import type { Graph } from '../../engine/ir/graph.ts';
import { GraphBuilder, type Value } from '../../engine/ops/builder.ts';
import { gradients } from '../../engine/passes/autodiff.ts';
import { dce } from '../../engine/passes/dce.ts';
import { difference, randomTensor, type Tensors } from './samples.ts';

/** Half the distance of the two evaluations: the error of a central difference is of the order of its square. */
const step = 1e-5;

export interface GradientReport {
  readonly input: string;
  /** Greatest difference between the gradient and the finite difference, relative to max(1, |gradient|). */
  readonly error: number;
}

/**
 * The gradient of sum(output * w) with random weights w, for a function that builds f32 `output` from the f32 inputs of `at`
 * (other inputs are held fixed).
 */
export function checkGradient(
  at: Tensors,
  build: (b: GraphBuilder, inputs: Readonly<Record<string, Value>>) => Value,
): readonly GradientReport[] {
  const b = new GraphBuilder();
  const inputs = Object.fromEntries(
    Object.entries(at).map(([name, { dtype, shape }]) => [name, b.input(name, { dtype, shape })]),
  );
  const output = build(b, inputs);
  const weights = b.input('adjoint of the output', output.type);
  const loss = b.sum(b.mul(output, weights));
  const names = Object.keys(at).filter(name => at[name]!.dtype === 'f32');
  const parts = gradients(
    b,
    loss,
    names.map(name => inputs[name]!),
  );
  const graph = b.finish('gradient', [
    { name: 'loss', value: loss },
    ...names.map((name, i) => ({ name, value: parts[i]! })),
  ]);
  const leaves = { ...at, 'adjoint of the output': randomTensor(output.type, [-1, 1], 99) };
  const exact = evaluateGraph(graph, leaves);
  return names.map(input => ({ input, error: difference(exact[input]!.data, finiteDifference(graph, leaves, input)) }));
}

function finiteDifference(graph: Graph, leaves: Tensors, input: string): Float64Array {
  const forward = dce({ ...graph, outputs: graph.outputs.filter(o => o.name === 'loss') });
  const { data, ...type } = leaves[input]!;
  const loss = (changed: Float64Array) =>
    evaluateGraph(forward, { ...leaves, [input]: { ...type, data: changed } }).loss!.data[0]!;
  return data.map((x, i) => (loss(data.with(i, x + step)) - loss(data.with(i, x - step))) / (2 * step));
}
