/** From the columns of the ring or the sums to the metrics by name. */
import { evaluateGraph } from '../backend/reference/evaluateGraph.ts';
import { concreteShape } from '../ir/bind.ts';
import type { Graph } from '../ir/graph.ts';
import type { Metrics } from './events.ts';
import type { StepLayout } from './layout.ts';

/** The metrics of `layout` from means in the order of its columns; what is made of several means is computed here, in double precision. */
export function metricsOf({ metrics }: StepLayout, means: ArrayLike<number>): Metrics {
  return Object.fromEntries(
    metrics.map(({ name, at, width, finish }) => [name, finish ? finished(finish, means, at, width) : means[at]!]),
  );
}

function finished(finish: Graph, means: ArrayLike<number>, at: number, width: number): number {
  const data = Float64Array.from({ length: width }, (_, i) => means[at + i]!);
  const { type } = finish.nodes.find(node => node.op === 'input')!;
  const leaves = { means: { dtype: type.dtype, shape: concreteShape(type), data } };
  return evaluateGraph(finish, leaves).value!.data[0]!;
}
