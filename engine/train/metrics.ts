/** From the columns of the ring or the sums to the metrics by name. */
import { evaluateGraph } from '../backend/reference/evaluateGraph.ts';
import { concreteShape } from '../ir/bind.ts';
import type { Graph } from '../ir/graph.ts';
import type { Tensor } from '../ops/primitive.ts';
import type { Metrics, Tables } from './events.ts';
import type { StepLayout } from './layout.ts';

/** The metrics of `layout` from means in the order of its columns; what is made of several means is computed here, in double precision. */
export function metricsOf({ metrics }: StepLayout, means: ArrayLike<number>): Metrics {
  return Object.fromEntries(
    metrics.map(({ name, at, width, finish }) => [
      name,
      finish ? finished(finish, means, at, width).value!.data[0]! : means[at]!,
    ]),
  );
}

/** The tables of those metrics that have one. */
export function tablesOf({ metrics }: StepLayout, means: ArrayLike<number>): Tables {
  return Object.fromEntries(
    metrics.flatMap(({ name, at, width, finish }) => {
      if (!finish?.outputs.some(o => o.name === 'table')) return [];
      return [[name, rowsOf(finished(finish, means, at, width).table!)]];
    }),
  );
}

function rowsOf({ shape: [rows, columns], data }: Tensor): number[][] {
  return Array.from({ length: rows! }, (_, i) => Array.from(data.subarray(i * columns!, (i + 1) * columns!)));
}

function finished(
  finish: Graph,
  means: ArrayLike<number>,
  at: number,
  width: number,
): Readonly<Record<string, Tensor>> {
  const data = Float64Array.from({ length: width }, (_, i) => means[at + i]!);
  const { type } = finish.nodes.find(node => node.op === 'input')!;
  return evaluateGraph(finish, { means: { dtype: type.dtype, shape: concreteShape(type), data } });
}
