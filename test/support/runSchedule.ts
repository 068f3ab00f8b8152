/** Runs a scheduled graph on a backend and compares all it leaves behind with the graph's own meaning. */

import type { Backend, HostArray } from '../../engine/backend/backend.ts';
import { evaluateGraph } from '../../engine/backend/reference/evaluateGraph.ts';
import type { DType, Graph } from '../../engine/ir/graph.ts';
import type { Schedule } from '../../engine/kernel/kernel.ts';
import type { Tensor } from '../../engine/ops/primitive.ts';
import { randomTensor, type Tensors } from './samples.ts';

/** Random contents for the inputs and states of a graph; integers are small. */
export function randomLeaves(graph: Graph): Tensors {
  const leaves = graph.nodes.filter(n => n.op === 'input' || n.op === 'state');
  return Object.fromEntries(
    leaves.map((node, i) => [
      String(node.attributes.name),
      randomTensor(node.type, ['f32', 'f16'].includes(node.type.dtype) ? [-2, 2] : [0, 4], i),
    ]),
  );
}

/** What each output's buffer holds after one run: results, assigned states, states with a piece written. */
export function expectedBuffers(graph: Graph, leaves: Tensors): Readonly<Record<string, Float64Array>> {
  const offsets = graph.outputs.flatMap(o =>
    o.at === undefined ? [] : [{ name: `at ${o.name}`, value: o.at, kind: 'result' as const }],
  );
  const values = evaluateGraph({ ...graph, outputs: [...graph.outputs, ...offsets] }, leaves);
  return Object.fromEntries(
    graph.outputs.map(({ name, kind }) => {
      if (kind !== 'write') return [name, values[name]!.data];
      const data = leaves[name]!.data.slice();
      data.set(values[name]!.data, values[`at ${name}`]!.data[0]);
      return [name, data];
    }),
  );
}

const arrays = {
  f32: Float32Array,
  i32: Int32Array,
  u32: Uint32Array,
  bool: Uint32Array,
  u8: Uint8Array,
  f16: Float32Array,
} as const satisfies Record<DType, unknown>;

export function hostArray({ dtype, data }: Tensor): HostArray {
  return arrays[dtype].from(data);
}

/** Runs `schedule` once on `backend` and returns the buffers named. */
export async function runSchedule(
  backend: Backend,
  schedule: Schedule,
  leaves: Tensors,
  names: readonly string[],
): Promise<Readonly<Record<string, HostArray>>> {
  const executable = await backend.compile([schedule]);
  try {
    for (const { name, kind } of schedule.buffers) {
      if (kind === 'input' || kind === 'state') executable.write(name, hostArray(leaves[name]!));
    }
    executable.run(schedule.name, 1);
    await executable.sync();
    const found: Record<string, HostArray> = {};
    for (const name of names) found[name] = await executable.read(name);
    return found;
  } finally {
    executable.dispose();
  }
}
