/** Rematerialisation: where a step needs more memory than there is, parts of its first pass are computed again when they are asked for. */
import type { Graph, NodeId } from '../ir/graph.ts';
import { validateGraph } from '../ir/validate.ts';
import { GraphBuilder, type Value } from '../ops/builder.ts';
import { flopsOf } from '../ops/flops.ts';
import { typeOf } from '../ops/registry.ts';
import { dce } from '../passes/dce.ts';
import { chunkings, inChunks, labelled } from './chunks.ts';
import { dataflow, readBy } from './dataflow.ts';
import { type Holdings, holdings, lastUse, peakOf } from './held.ts';
import type { Schedule } from './kernel.ts';
import { plannedBytes } from './memory.ts';
import { orderRoots } from './order.ts';
import { type Plan, planRoots } from './roots.ts';
import { scheduleGraph } from './schedule.ts';
import { chooseRecomputation, type Recomputation } from './segments.ts';

/** What a device has for a run, in bytes. */
export interface DeviceMemory {
  /** For everything. */
  readonly total: number;
  /** For the temporaries of one entry. */
  readonly arena: number;
  /** What a schedule becomes where some types can't be stored as they are; by default itself. */
  readonly storable?: (schedule: Schedule) => Schedule;
}

/** Forecasts differ from plans, and behind one peak stands the next: so many times is it tried, and once more for each loop. */
const TRIES = 6;

/** Compiles the entries of a run so that they fit into `memory` together, as far as computing again can make them. */
export function scheduleWithin(graphs: readonly Graph[], memory: DeviceMemory): readonly Schedule[] {
  const { storable = schedule => schedule } = memory;
  const planned = (graph: Graph) => storable(scheduleGraph(graph));
  const plain = graphs.map(planned);
  const persistent = plannedBytes(plain) - Math.max(0, ...plain.map(({ arenaBytes }) => arenaBytes));
  const limit = Math.min(memory.arena, memory.total - persistent);
  return plain.map((schedule, n) =>
    schedule.arenaBytes <= limit ? schedule : within(graphs[n]!, schedule, limit, planned),
  );
}

/** A way to hold less, what it costs in operations, and how many bytes it is forecast to save. */
interface Change {
  readonly flops: number;
  readonly saved: number;
  readonly make: () => Graph;
}

/** The cheapest way found to get the arena of `plain` below `limit`, or the one that comes closest. */
function within(graph: Graph, plain: Schedule, limit: number, planned: (graph: Graph) => Schedule): Schedule {
  let best = { graph, schedule: plain, flops: 0 };
  const over = ({ schedule }: typeof best) => schedule.arenaBytes - limit;
  let [from, wanted] = [best, over(best)];
  const tries = TRIES + chunkings(graph).length;
  for (let n = 0; n < tries && over(best) > 0; n++) {
    const change = cheapest(changes(from.graph, wanted), wanted);
    if (change === undefined) break;
    const next = change.make();
    const found = { graph: next, schedule: planned(next), flops: workIn(next) - workIn(graph) };
    if (over(found) < over(best)) best = found;
    // Of a forecast that promised too much more is asked; behind one that could do no better stands the next peak.
    if (change.saved >= wanted) wanted += over(found);
    else if (best !== from) [from, wanted] = [best, over(best)];
    else break;
  }
  if (best.schedule === plain) return plain;
  return { ...best.schedule, again: { flops: best.flops, arenaBytes: plain.arenaBytes } };
}

const workIn = ({ nodes }: Graph): number => nodes.reduce((sum, node) => sum + Number(flopsOf(node, { nodes })), 0);

/** Parts of the first pass that are computed again, and each loop that is walked in chunks. */
function changes(graph: Graph, wanted: number): readonly Change[] {
  const plan = planRoots(dataflow(graph), new Set());
  const held = holdings(plan, orderRoots(plan));
  const peak = peakOf(held.all).at;
  const choice = chooseRecomputation(plan, held, wanted);
  const parts = choice && { ...choice, make: () => recomputing(plan, held, choice) };
  const loops = chunkings(plan.flow.graph).flatMap(chunking => {
    const root = plan.rootOf.get(chunking.forward.id);
    const isHeld = root !== undefined && root.node <= peak && lastUse(held.of(root)) >= peak;
    return isHeld ? [{ ...chunking, make: () => inChunks(graph, chunking) }] : [];
  });
  return [...(parts === undefined ? [] : [parts]), ...loops];
}

/** Of those that save as much as is wanted the one that costs least, else the one that saves most. */
function cheapest(all: readonly Change[], wanted: number): Change | undefined {
  const enough = all.filter(({ saved }) => saved >= wanted).sort((a, b) => a.flops - b.flops);
  return enough[0] ?? all.toSorted((a, b) => b.saved - a.saved)[0];
}

/** The graph with copies of what is computed again, made from what is held, for those that read it behind the turn. */
function recomputing(plan: Plan, held: Holdings, choice: Recomputation): Graph {
  const { turn } = choice;
  const { graph } = plan.flow;
  const b = new GraphBuilder();
  const values: Value[] = [];
  const copies = copier(b, plan, held, choice, values);
  for (const [id, node] of graph.nodes.entries()) {
    const read = readBy(node).length;
    const late = (input: NodeId, i: number) =>
      id > turn && i < read && input <= turn ? copies.late(input) : values[input]!;
    values.push(b.copy(node, node.inputs.map(late)));
    if (id > turn && plan.rootOf.has(id)) copies.pass(values[id]!);
  }
  const outputs = graph.outputs.map(({ value, at, ...rest }) => ({
    ...rest,
    value: values[value]!,
    ...(at !== undefined && { at: values[at]! }),
  }));
  const next = dce(b.finish(graph.name, outputs));
  validateGraph(next, typeOf, 'rematerialisation');
  return next;
}

function copier(
  b: GraphBuilder,
  { flow, rootOf, concats }: Plan,
  held: Holdings,
  { turn, ends, again }: Recomputation,
  values: readonly Value[],
) {
  /** What is computed behind the turn, the last of it so far: copies begin behind it. */
  let latest: Value | undefined;
  const begun = new Map<number, Value>();
  const made = new Map<string, Value>();
  const wanted = new Map<NodeId, boolean>();
  const storedIn = (id: NodeId) => {
    const root = rootOf.get(id) ?? concats.get(id)?.writers[0];
    return root && held.of(root);
  };
  const isAgain = (id: NodeId): boolean => {
    const place = storedIn(id);
    return place !== undefined && again.has(place);
  };
  const segmentOf = (id: NodeId): number => ends.findIndex(end => id <= end);
  const delayed = (id: NodeId, segment: number): Value => {
    const start = begun.get(segment) ?? latest ?? values[turn]!;
    begun.set(segment, start);
    return b.after(values[id]!, start);
  };
  /** `id` as it is read within what is computed again in `segment`. */
  const source = (id: NodeId, segment: number): Value => {
    const { op, inputs } = flow.node(id);
    if (op === 'input' || op === 'state') return delayed(id, segment);
    if (isAgain(id)) return copy(id, segmentOf(id));
    if (storedIn(id) !== undefined) return delayed(id, segment);
    if (inputs.length === 0) return values[id]!;
    if (op !== 'after') return copy(id, segment);
    const value = source(inputs[0]!, segment);
    return isAgain(inputs[1]!) ? b.after(value, copy(inputs[1]!, segmentOf(inputs[1]!))) : value;
  };
  const copy = (id: NodeId, segment: number): Value =>
    memo(made, `${segment}:${id}`, () => {
      const node = flow.node(id);
      return b.copy(
        labelled(node),
        node.inputs.map(input => source(input, segment)),
      );
    });
  const isWanted = (id: NodeId): boolean =>
    memo(wanted, id, () => isAgain(id) || (storedIn(id) === undefined && readBy(flow.node(id)).some(isWanted)));
  /** `id` as it is read behind the turn. */
  const late = (id: NodeId): Value => {
    if (!isWanted(id)) return values[id]!;
    if (isAgain(id)) return copy(id, segmentOf(id));
    const node = flow.node(id);
    const read = readBy(node).length;
    const input = (at: NodeId, i: number) => (i < read ? late(at) : values[at]!);
    return memo(made, `late:${id}`, () => b.copy(node, node.inputs.map(input)));
  };
  return {
    late,
    pass(value: Value): void {
      latest = value;
    },
  };
}

function memo<K, V>(known: Map<K, V>, key: K, make: () => V): V {
  const found = known.get(key);
  if (found !== undefined) return found;
  const value = make();
  known.set(key, value);
  return value;
}
