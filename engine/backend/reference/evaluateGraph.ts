/** Evaluates a graph node by node in double precision with the primitives' own evaluators: the oracle of all backends. */
import { concreteShape } from '../../ir/bind.ts';
import type { Graph } from '../../ir/graph.ts';
import type { Tensor } from '../../ops/primitive.ts';
import { primitive } from '../../ops/registry.ts';
import { never } from '../../util/errors.ts';

/** Values of the outputs by name, given those of inputs and states by name. The graph's shapes are numbers (`bindGraph`). */
export function evaluateGraph(
  graph: Graph,
  leaves: Readonly<Record<string, Tensor>>,
): Readonly<Record<string, Tensor>> {
  const values: Tensor[] = [];
  for (const { op, inputs, attributes, type } of graph.nodes) {
    const given = op === 'input' || op === 'state' ? leaves[String(attributes.name)] : undefined;
    if ((op === 'input' || op === 'state') && given === undefined) throw never('no value for leaf', attributes.name);
    const output = { dtype: type.dtype, shape: concreteShape(type) };
    const data =
      given?.data ??
      primitive(op).evaluate(
        inputs.map(i => values[i]!),
        attributes,
        output,
        evaluateGraph,
      );
    values.push({ ...output, data });
  }
  return Object.fromEntries(graph.outputs.map(o => [o.name, values[o.value]!]));
}
