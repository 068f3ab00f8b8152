/** The scheduler: a concrete graph becomes few kernels with a static memory plan. */
import type { Graph } from '../ir/graph.ts';
import { expand } from '../passes/expand.ts';
import { never } from '../util/errors.ts';
import { collapseAxes } from './collapse.ts';
import { reorderColumns } from './columns.ts';
import { dataflow } from './dataflow.ts';
import { emitKernels } from './emit.ts';
import { type Fusion, fuseRoots } from './fuse.ts';
import type { Kernel, Schedule } from './kernel.ts';
import { planMemory } from './memory.ts';
import { orderRoots } from './order.ts';
import { boundByValue, type Plan, planRoots, type Root } from './roots.ts';
import { resetScalars } from './scalar.ts';
import { leafSource, scanAttributes } from './scanPlaces.ts';
import { emitScan } from './scans.ts';
import { validateSchedule } from './validate.ts';

const NOTHING: Fusion = { groups: [], overwritten: new Set() };

/**
 * Compiles a graph whose shapes are numbers. States are assigned in place where every reader of the old value can run before,
 * or stands on the same element; the others go through a temporary and a copy at the end.
 */
export function scheduleGraph(graph: Graph): Schedule {
  resetScalars();
  const flow = dataflow(expand(graph));
  const viaTemporary = new Set<string>();
  for (let attempt = 0; attempt <= graph.outputs.length + 1; attempt++) {
    const plan = planRoots(flow, viaTemporary);
    const order = orderRoots(plan);
    const { groups, overwritten } = order.conflicts.size > 0 ? NOTHING : fuseRoots(plan, order);
    const conflicts = [...order.conflicts, ...overwritten];
    if (conflicts.length === 0) {
      const kernels = emitKernels(plan, order, groups, {
        scan: scanKernels,
        finish: kernel => reorderColumns(collapseAxes(kernel)),
      });
      return validateSchedule(planMemory({ name: graph.name, buffers: plan.buffers, kernels, arenaBytes: 0 }));
    }
    for (const name of conflicts) viaTemporary.add(name);
  }
  throw never('states overwrite each other', graph.name);
}

/** The loop's kernels. Its body meets no state and no host, so that all of its buffers are temporaries that take the places they are given. */
function scanKernels(plan: Plan, root: Root): readonly Kernel[] {
  const flow = dataflow(scanAttributes(plan.flow, root.node).body);
  const planned = planRoots(flow, new Set());
  const results = new Map(
    [...planned.buffers.entries()].filter(([, b]) => b.kind === 'result').map(([id, b]) => [b.name, id]),
  );
  for (const [id, buffer] of planned.buffers.entries()) planned.buffers[id] = { ...buffer, kind: 'temporary' };
  const sources = [...planned.leaves].flatMap(([name, buffer]) => {
    const value = leafSource(plan.flow, root.node, name);
    return value === undefined ? [] : [[buffer, [...boundByValue(plan, value)]] as const];
  });
  const body: Plan = { ...planned, bound: new Map(sources) };
  const order = orderRoots(body);
  const { groups } = fuseRoots(body, order);
  const kernels = emitKernels(body, order, groups, { scan: scanKernels, finish: reorderColumns });
  return emitScan(plan, root, { buffers: body.buffers, leaves: body.leaves, results, kernels });
}
