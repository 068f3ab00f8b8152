/** Runs a concrete graph once on a backend. */
import type { Backend, HostArray } from '../../engine/backend/backend.ts';
import type { Graph } from '../../engine/ir/graph.ts';
import { scheduleGraph } from '../../engine/kernel/schedule.ts';
import { hostArray } from './runSchedule.ts';
import type { Tensors } from './samples.ts';

/** Results by name, states after their assignment among them. */
export async function runGraph(
  backend: Backend,
  graph: Graph,
  leaves: Tensors,
): Promise<Readonly<Record<string, HostArray>>> {
  const schedule = scheduleGraph(graph);
  const executable = await backend.compile([schedule]);
  try {
    for (const { name, kind } of schedule.buffers) {
      const tensor = leaves[name];
      if (kind !== 'temporary' && tensor !== undefined) executable.write(name, hostArray(tensor));
    }
    executable.run(schedule.name, 1);
    await executable.sync();
    const names = graph.outputs.map(o => o.name);
    return Object.fromEntries(await Promise.all(names.map(async name => [name, await executable.read(name)] as const)));
  } finally {
    executable.dispose();
  }
}
