/** Which parts of a step to compute a second time, so that what they hold need not wait from their first use to their last. */
import type { NodeId } from '../ir/graph.ts';
import { flopsOf } from '../ops/flops.ts';
import { readBy } from './dataflow.ts';
import { type Held, type Holdings, peakOf } from './held.ts';
import type { Plan, Root } from './roots.ts';

export interface Recomputation {
  /** Nodes up to here are the first pass; those behind it get what is computed again. */
  readonly turn: NodeId;
  /** The last node of each part, ascending. */
  readonly ends: readonly NodeId[];
  /** What is computed again. */
  readonly again: ReadonlySet<Held>;
  /** What computing them costs. */
  readonly flops: number;
  /** By how many bytes the peak is forecast to fall. */
  readonly saved: number;
}

/** A stretch of the first pass that can be computed again from what is held anyway. */
interface Segment {
  readonly again: readonly Held[];
  /** What wouldn't be held at the peak but for its sake. */
  readonly sources: readonly Held[];
  readonly flops: number;
  /** What the peak is spared. */
  readonly saved: number;
  /** What is there again while its turn lasts. */
  readonly inside: number;
}

/** Into how many parts the first pass is cut: few parts keep little but hold much again while they last. */
const PARTS = [2, 3, 4, 6, 8, 12, 16, 24, 32, 48];

/**
 * The cheapest recomputation that is forecast to save at least `wanted` bytes, else the one that saves most; undefined where none helps. What crosses from one part to the next is kept, the inside of a part is computed again when its turn comes (Chen et al.,
 * "Training deep nets with sublinear memory cost", 2016), and of the parts only those that save most for their work.
 */
export function chooseRecomputation(plan: Plan, held: Holdings, wanted: number): Recomputation | undefined {
  const peak = peakOf(held.all);
  const waiting = held.all.filter(h => h.first <= peak.at && h.complete <= peak.at && (h.reads.at(-1) ?? 0) > peak.at);
  const atPeak = new Set(waiting);
  const candidates = PARTS.map((parts): Recomputation => {
    const ends = cuts(held.all, waiting, peak.at, parts);
    const segments = ends.map((end, n) => segmentOf(plan, held, atPeak, peak.at, ends[n - 1] ?? -1, end));
    return cheapest(segments, ends, peak.at, wanted);
  });
  const enough = candidates.filter(({ saved }) => saved >= wanted).sort((a, b) => a.flops - b.flops);
  const most = candidates.filter(({ saved }) => saved > 0).sort((a, b) => b.saved - a.saved);
  return enough[0] ?? most[0];
}

/** The last read up to `turn`, or the moment at which all is there. */
const lastEarly = ({ complete, reads }: Held, turn: NodeId): NodeId =>
  Math.max(complete, reads.findLast(at => at <= turn) ?? complete);

/** Ends of about `parts` stretches that hold equal shares of what waits, where little crosses from one to the next. */
function cuts(all: readonly Held[], waiting: readonly Held[], turn: NodeId, parts: number): readonly NodeId[] {
  const places = [...new Set(all.map(h => h.complete))].filter(at => at < turn).sort((a, b) => a - b);
  const crossing = crossingBytes(all, places, turn);
  const share = bytesOf(waiting) / parts;
  const sizes = new Map<NodeId, number>();
  for (const h of waiting) sizes.set(h.complete, (sizes.get(h.complete) ?? 0) + h.bytes);
  const found: NodeId[] = [];
  let since: { readonly at: NodeId; readonly sum: number; readonly cost: number }[] = [];
  let sum = 0;
  for (const [n, at] of places.entries()) {
    sum += sizes.get(at) ?? 0;
    since.push({ at, sum, cost: crossing[n]! });
    if (sum < share) continue;
    const best = since.filter(p => p.sum >= share / 2).reduce((a, b) => (b.cost <= a.cost ? b : a));
    found.push(best.at);
    since = since.filter(p => p.at > best.at).map(p => ({ ...p, sum: p.sum - best.sum }));
    sum -= best.sum;
  }
  return [...found, turn];
}

/** By place: bytes of what is there by then and read behind it, before the turn. */
function crossingBytes(all: readonly Held[], places: readonly NodeId[], turn: NodeId): readonly number[] {
  const starts = all.filter(h => h.first <= turn).sort((a, b) => a.first - b.first);
  const ends = starts.map(h => ({ at: lastEarly(h, turn), bytes: h.bytes })).sort((a, b) => a.at - b.at);
  let [begun, over, bytes] = [0, 0, 0];
  return places.map(at => {
    for (; begun < starts.length && starts[begun]!.first <= at; begun++) bytes += starts[begun]!.bytes;
    for (; over < ends.length && ends[over]!.at <= at; over++) bytes -= ends[over]!.bytes;
    return bytes;
  });
}

function segmentOf(
  plan: Plan,
  held: Holdings,
  waiting: ReadonlySet<Held>,
  turn: NodeId,
  after: NodeId,
  end: NodeId,
): Segment {
  const inside = held.all.filter(h => h.bytes > 0 && h.first > after && lastEarly(h, turn) <= end);
  const own = new Set(inside);
  const wanted = inside.filter(h => waiting.has(h));
  const { reached, sources, flops } = behind(plan, held, own, wanted);
  return {
    again: [...reached],
    sources: [...sources].filter(h => !waiting.has(h)),
    flops,
    saved: bytesOf(wanted),
    inside: bytesOf(reached),
  };
}

/** All that computing `wanted` again takes: values of `own`, and the held ones that these read. */
function behind({ flow, rootOf, concats }: Plan, { of }: Holdings, own: ReadonlySet<Held>, wanted: readonly Held[]) {
  const reached = new Set<Held>();
  const sources = new Set<Held>();
  const seen = new Set<NodeId>();
  let flops = 0;
  const open = (id: NodeId): void => {
    if (seen.has(id)) return;
    seen.add(id);
    flops += Number(flopsOf(flow.node(id), flow.graph));
    for (const input of readBy(flow.node(id))) visit(input);
  };
  const visit = (id: NodeId): void => {
    const root: Root | undefined = rootOf.get(id) ?? concats.get(id)?.writers[0];
    if (root === undefined) open(id);
    else if (own.has(of(root))) enter(of(root), id);
    else sources.add(of(root));
  };
  const enter = (h: Held, id?: NodeId): void => {
    if (id !== undefined) open(id);
    if (reached.has(h)) return;
    reached.add(h);
    for (const root of h.roots) open(root.node);
  };
  for (const h of wanted) enter(h);
  return { reached, sources, flops };
}

/** Takes the segments that cost least for what they save, until that is as much as wanted. */
function cheapest(segments: readonly Segment[], ends: readonly NodeId[], turn: NodeId, wanted: number): Recomputation {
  const taken: Segment[] = [];
  const sources = new Set<Held>();
  let best = { saved: 0, count: 0 };
  let freed = 0;
  for (const segment of segments.filter(s => s.saved > 0).sort((a, b) => a.flops / a.saved - b.flops / b.saved)) {
    if (best.saved >= wanted) break;
    taken.push(segment);
    freed += segment.saved;
    for (const source of segment.sources) sources.add(source);
    const saved = freed - bytesOf(sources) - Math.max(...taken.map(s => s.inside));
    if (saved > best.saved) best = { saved, count: taken.length };
  }
  const used = taken.slice(0, best.count);
  return {
    turn,
    ends,
    again: new Set(used.flatMap(s => s.again)),
    flops: used.reduce((sum, s) => sum + s.flops, 0),
    saved: best.saved,
  };
}

const bytesOf = (all: Iterable<Held>): number => [...all].reduce((sum, h) => sum + h.bytes, 0);
