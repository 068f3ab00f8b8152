/** Decides which nodes get a value of their own in a kernel, and which are recomputed inside their consumers. */
import type { NodeId } from '../ir/graph.ts';
import type { Lowering } from '../ops/primitive.ts';
import { primitive } from '../ops/registry.ts';
import { type Dataflow, type LoweringKind, readBy, scalarType } from './dataflow.ts';
import { axis, cost, reduced } from './scalar.ts';

/** Arithmetic, in additions, that is stored rather than repeated where several kernels want the value. */
const SHARED_LIMIT = 6;
/** The same where one kernel would repeat it for at least `EXPANSION` elements. */
const EXPANDED_LIMIT = 4;
const EXPANSION = 8;
/** How often a padded element must be read by a product. */
const REPEATED = 2;
/** Distinct values read that are stored as one rather than read again. */
const SHARED_READS = 4;
/** Integers are indices and counters: few, cheap, and constant along the rows of the kernels that want them. */
const INTEGER_LIMIT = 24;

/**
 * Nodes that are computed by a kernel, in ascending order: reductions, products, scatters, those in `pinned`
 * (outputs and pieces of concats), and what would be too expensive to recompute in each consumer.
 */
export function chooseRoots(flow: Dataflow, pinned: ReadonlySet<NodeId>): ReadonlySet<NodeId> {
  const hard = new Set(pinned);
  const nodes = [...flow.graph.nodes.keys()].filter(id => flow.live[id]);
  for (const id of nodes) {
    const kind = flow.kind(id);
    if (kind === 'reduce' || kind === 'matmul' || kind === 'scatter' || kind === 'concat' || kind === 'scan')
      hard.add(id);
  }
  for (const id of nodes) if (flow.kind(id) === 'matmul') hard.add(epilogueOf(flow, id, hard));
  const operands = new Set(
    nodes.filter(id => flow.kind(id) === 'matmul').flatMap(id => flow.node(id).inputs.map(i => throughViews(flow, i))),
  );
  for (const id of nodes) {
    if (flow.kind(id) === 'matmul') for (const input of flow.node(id).inputs) addPadding(flow, input, hard);
  }
  const own = nodes.length > 0 ? ownCosts(flow) : [];

  const chosen = new Set(hard);
  const choose = (id: NodeId, fromConsumers: Uses) => {
    const { arithmetic, reads } = inlineCost(flow, own, chosen, id);
    return worthStoring(flow, id, arithmetic, reads, fromConsumers, operands.has(id));
  };
  // Uses are first counted as if nothing but the hard roots were stored; what that stored in vain is taken back.
  const first = usesOf(flow, chosen);
  for (const id of nodes) if (inlinable(flow, id) && !chosen.has(id) && choose(id, first[id]!)) chosen.add(id);
  const second = usesOf(flow, chosen);
  for (const id of nodes) {
    if (!chosen.has(id) || hard.has(id)) continue;
    chosen.delete(id);
    if (choose(id, second[id]!)) chosen.add(id);
  }
  return new Set([...chosen].sort((a, b) => a - b));
}

function inlinable(flow: Dataflow, id: NodeId): boolean {
  const kind = flow.kind(id);
  return kind === 'elementwise' || kind === 'view' || kind === 'generate';
}

function worthStoring(
  flow: Dataflow,
  id: NodeId,
  arithmetic: number,
  reads: number,
  uses: Uses,
  operand: boolean,
): boolean {
  const kind = flow.kind(id);
  if (kind === 'view' || isRoundedNext(flow, id)) return false;
  // Where all wait for one other value, of the same size, that one is stored instead.
  const [consumer, ...others] = flow.consumers[id]!;
  const leads = others.length === 0 && flow.kind(consumer!) === 'elementwise' && flow.size(consumer!) === flow.size(id);
  const shared = uses.size > 1 && !leads;
  const expansion = Math.max(...uses.values(), 0) / flow.size(id);
  if (flow.node(id).type.dtype === 'i32') return arithmetic >= INTEGER_LIMIT && (shared || expansion >= EXPANSION);
  // A product packs plain loads fastest; only a gather that nobody else wants rides along.
  if (operand && kind === 'elementwise' && arithmetic >= 1) return true;
  if (operand && kind === 'generate' && arithmetic >= INTEGER_LIMIT) return true;
  if (shared && (arithmetic >= SHARED_LIMIT || reads >= SHARED_READS)) return true;
  if (shared && kind === 'generate' && reads >= 2) return true;
  return expansion >= EXPANSION && arithmetic >= EXPANDED_LIMIT;
}

/** What ends up as f16, one elementwise operation after the other, is better stored there, in half the bytes. */
function isRoundedNext(flow: Dataflow, id: NodeId): boolean {
  const [consumer, ...more] = flow.consumers[id]!;
  if (consumer === undefined || more.length > 0 || flow.kind(consumer) !== 'elementwise') return false;
  return flow.node(consumer).op === 'to_f16' || isRoundedNext(flow, consumer);
}

/** The last of the elementwise operations that a product alone feeds, one after the other: storing it instead of the product costs nothing. */
function epilogueOf(flow: Dataflow, matmul: NodeId, hard: ReadonlySet<NodeId>): NodeId {
  let last = matmul;
  for (let at = matmul; ; ) {
    const [consumer, ...more] = flow.consumers[at]!;
    if (consumer === undefined || more.length > 0 || (hard.has(at) && at !== matmul)) return last;
    if (flow.size(consumer) !== flow.size(matmul)) return last;
    if (flow.kind(consumer) === 'elementwise') last = consumer;
    else if (flow.node(consumer).op !== 'reshape') return last;
    at = consumer;
  }
}

/** Zeros around what a product reads several times over (windows) are written once, not decided for every element read. */
function addPadding(flow: Dataflow, operand: NodeId, hard: Set<NodeId>): void {
  for (let at = operand; flow.kind(at) === 'view'; at = flow.node(at).inputs[0]!) {
    if (flow.node(at).op !== 'pad' || flow.size(operand) < REPEATED * flow.size(at)) continue;
    hard.add(at);
    return;
  }
}

/** The value of which `id` is a view. */
export function throughViews(flow: Dataflow, id: NodeId): NodeId {
  let at = id;
  while (flow.kind(at) === 'view') at = flow.node(at).inputs[0]!;
  return at;
}

/** Kinds of kernels that read each element of what they are given once. */
const readsEach: ReadonlySet<LoweringKind> = new Set(['reduce', 'matmul', 'scan']);

/** By the kernel that would evaluate the node: over how many points it does. */
type Uses = ReadonlyMap<NodeId, number>;

function usesOf(flow: Dataflow, chosen: ReadonlySet<NodeId>): readonly Uses[] {
  const uses = flow.graph.nodes.map(() => new Map<NodeId, number>());
  for (let id = uses.length - 1; id >= 0; id--) {
    if (!flow.live[id]) continue;
    for (const input of readBy(flow.node(id))) {
      const into = uses[input]!;
      if (!chosen.has(id))
        for (const [kernel, points] of uses[id]!) into.set(kernel, Math.max(points, into.get(kernel) ?? 0));
      else {
        const points = flow.kind(id) === 'elementwise' ? flow.size(id) : Math.max(flow.size(id), flow.size(input));
        into.set(id, Math.max(readsEach.has(flow.kind(id)) ? flow.size(input) : points, into.get(id) ?? 0));
      }
    }
  }
  return uses;
}

/** Arithmetic of each node's own operation, given its operands. */
function ownCosts(flow: Dataflow): readonly number[] {
  return flow.graph.nodes.map((node, id) => {
    if (!flow.live[id]) return 0;
    const lowering: Lowering<typeof node.attributes> = primitive(node.op).lowering;
    const operand = (input: number) => reduced(input, scalarType(flow.node(node.inputs[input]!).type.dtype));
    const index = flow.shape(id).map((_, d) => axis(d));
    switch (lowering.kind) {
      case 'elementwise':
        return cost(
          lowering.scalar(
            node.inputs.map((_, i) => operand(i)),
            node.attributes,
            node.type,
          ),
        );
      case 'generate': {
        const shapes = node.inputs.map(i => flow.shape(i));
        return cost(lowering.scalar(index, operand, node.attributes, shapes, flow.shape(id)));
      }
      default:
        return node.op === 'pad' ? 2 : 0;
    }
  });
}

interface InlineCost {
  readonly arithmetic: number;
  readonly reads: number;
}

/** What computing one element of `id` takes when all but `chosen` and the leaves is inlined. */
function inlineCost(flow: Dataflow, own: readonly number[], chosen: ReadonlySet<NodeId>, id: NodeId): InlineCost {
  let arithmetic = 0;
  let reads = 0;
  const seen = new Set<NodeId>();
  const visit = (at: NodeId): void => {
    if (seen.has(at)) return;
    seen.add(at);
    if (at !== id && (chosen.has(at) || flow.kind(at) === 'leaf')) {
      if (flow.node(at).op !== 'constant') reads++;
      return;
    }
    arithmetic += own[at]!;
    for (const input of readBy(flow.node(at))) visit(input);
  };
  visit(id);
  return { arithmetic, reads };
}
