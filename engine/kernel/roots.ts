/** The values that kernels compute and the places in buffers they go to: outputs, slices of concatenations, states. */
import type { GraphOutput, NodeId } from '../ir/graph.ts';
import type { Scalar } from '../ir/scalar.ts';
import { flatten, int, unflatten } from '../ir/scalars.ts';
import { never } from '../util/errors.ts';
import { newBuffer } from './buffers.ts';
import { type Dataflow, type LoweringKind, product, readBy } from './dataflow.ts';
import type { Buffer, BufferId } from './kernel.ts';
import { ownerOf } from './permuted.ts';
import { chooseRoots, throughViews } from './realize.ts';
import { add } from './scalar.ts';
import { placeScan, type ScanPlace, scanAttributes } from './scanPlaces.ts';

/** Where element `flat` of a value is stored. */
export interface Place {
  readonly buffer: BufferId;
  readonly at: (flat: Scalar) => Scalar;
  /** An i32 scalar node that is added: the offset of a `write`. */
  readonly base?: NodeId;
  /** Elements that are stored from the base on, other pieces of the same value included. */
  readonly size: number;
}

/** A value that some kernel computes. */
export interface Root {
  /** Position in the list of roots, which is in topological order. */
  readonly order: number;
  readonly node: NodeId;
  /** `copy`: reads a value that lives elsewhere, to put it into `places`. */
  readonly kind: 'loop' | 'reduce' | 'matmul' | 'scatter' | 'scan' | 'copy';
  readonly shape: readonly number[];
  readonly places: Place[];
}

export interface Plan {
  readonly flow: Dataflow;
  readonly roots: readonly Root[];
  /** Not copies. */
  readonly rootOf: ReadonlyMap<NodeId, Root>;
  /** Concatenations: where the whole lies, and who writes its pieces. */
  readonly concats: ReadonlyMap<NodeId, { readonly places: readonly Place[]; readonly writers: readonly Root[] }>;
  /** Loops: where each of their results lies, and who writes the carries before the first step. */
  readonly scans: ReadonlyMap<NodeId, ScanPlace>;
  readonly buffers: Buffer[];
  /** Buffer of an `input` or `state` by its name. */
  readonly leaves: ReadonlyMap<string, BufferId>;
  /** Of the body of a loop: the persistent buffers of the outermost graph behind its leaves. */
  readonly bound?: ReadonlyMap<BufferId, readonly BufferId[]>;
}

/** The persistent buffers of the outermost graph that a kernel binds to load from or store to `buffer`. */
export function boundBy({ buffers, bound }: Plan, buffer: BufferId): readonly BufferId[] {
  return bound === undefined ? (buffers[buffer]!.kind === 'temporary' ? [] : [buffer]) : (bound.get(buffer) ?? []);
}

/** The same for what loads the value of `node`, which is computed on the way where no kernel stores it. */
export function boundByValue(plan: Plan, node: NodeId): ReadonlySet<BufferId> {
  const { flow, rootOf, concats, leaves } = plan;
  const found = new Set<BufferId>();
  const seen = new Set<NodeId>();
  const visit = (id: NodeId): void => {
    if (seen.has(id)) return;
    seen.add(id);
    const { op, attributes } = flow.node(id);
    const stored = rootOf.get(id) ?? concats.get(id);
    const place = stored?.places.find(({ base }) => base === undefined)?.buffer;
    const leaf = op === 'input' || op === 'state' ? leaves.get(String(attributes.name)) : undefined;
    const buffer = place ?? leaf;
    if (buffer !== undefined) for (const each of boundBy(plan, buffer)) found.add(each);
    else if (stored === undefined) readBy(flow.node(id)).forEach(visit);
  };
  visit(node);
  return found;
}

const identity = (flat: Scalar): Scalar => flat;

/** `viaTemporary` holds the names of states that must not be assigned in place, because their old value is still needed. */
export function planRoots(flow: Dataflow, viaTemporary: ReadonlySet<string>): Plan {
  const buffers: Buffer[] = [];
  const leaves = persistentBuffers(flow, buffers);
  const chosen = chooseRoots(flow, pinnedNodes(flow));
  const roots: Root[] = [];
  const rootOf = new Map<NodeId, Root>();
  const addRoot = (node: NodeId, kind: Root['kind']): Root => {
    const root: Root = { order: roots.length, node, kind, shape: flow.shape(node), places: [] };
    roots.push(root);
    return root;
  };
  for (const id of chosen) {
    const kind = flow.kind(id);
    if (kind === 'concat' || kind === 'leaf') continue;
    rootOf.set(id, addRoot(id, isKindOfRoot(kind) ? kind : 'loop'));
  }

  const concats = new Map<NodeId, { places: Place[]; writers: Root[] }>();
  for (const id of chosen) if (flow.kind(id) === 'concat') concats.set(id, { places: [], writers: [] });
  /** Lets `value` be stored at `place`, and returns who copies it there if its own kernel doesn't. */
  const store = (value: NodeId, target: Place): Root | undefined => {
    const { owner, at } = ownerOf(flow, value);
    const place = { ...target, at: (flat: Scalar) => target.at(at(flat)) };
    const concat = concats.get(owner);
    if (concat) concat.places.push(place);
    else if (rootOf.has(owner) && !hasOwnPlace(flow, owner)) rootOf.get(owner)!.places.push(place);
    else {
      const copy = addRoot(owner, 'copy');
      copy.places.push(place);
      return copy;
    }
    return undefined;
  };
  for (const output of flow.graph.outputs) {
    if (output.kind === 'assign' && viaTemporary.has(output.name))
      addRoot(output.value, 'copy').places.push(outputPlace(flow, output, buffers, leaves));
    else store(output.value, outputPlace(flow, output, buffers, leaves));
  }
  const scans = new Map<NodeId, ScanPlace>();
  for (const id of chosen) if (flow.kind(id) === 'scan') scans.set(id, placeScan(flow, id, buffers, store));
  for (const id of [...concats.keys()].reverse()) placePieces(flow, id, concats.get(id)!, buffers, store);
  for (const [id, concat] of concats) concat.writers.push(...writersOf(flow, id, concats, roots));
  return { flow, roots, rootOf, concats, scans, buffers, leaves };
}

function isKindOfRoot(kind: LoweringKind): kind is 'reduce' | 'matmul' | 'scatter' | 'scan' {
  return kind === 'reduce' || kind === 'matmul' || kind === 'scatter' || kind === 'scan';
}

/** Scatters and loops are stored where they are made, and copied from there. */
function hasOwnPlace(flow: Dataflow, id: NodeId): boolean {
  return flow.kind(id) === 'scatter' || flow.kind(id) === 'scan';
}

/** Outputs, pieces of concatenations and carries, seen through their order, and what loops read. */
export function pinnedNodes(flow: Dataflow): Set<NodeId> {
  const pinned = new Set<NodeId>();
  const pin = (value: NodeId) => {
    const { owner } = ownerOf(flow, value);
    if (flow.kind(owner) !== 'leaf' || flow.node(owner).op === 'constant') pinned.add(owner);
  };
  for (const { value } of flow.graph.outputs) pin(value);
  for (const [id, node] of flow.graph.nodes.entries()) {
    if (!flow.live[id]) continue;
    if (flow.kind(id) === 'concat') node.inputs.forEach(pin);
    if (flow.kind(id) !== 'scan') continue;
    const { carries } = scanAttributes(flow, id);
    node.inputs.slice(0, carries).forEach(pin);
    // What a step reads of the others is gathered as it is read, but not computed there.
    for (const input of node.inputs.slice(carries)) {
      const source = throughViews(flow, input);
      if (flow.kind(source) === 'elementwise') pinned.add(source);
    }
  }
  return pinned;
}

function persistentBuffers(flow: Dataflow, buffers: Buffer[]): Map<string, BufferId> {
  const leaves = new Map<string, BufferId>();
  const assigned = new Set(flow.graph.outputs.filter(o => o.kind !== 'result').map(o => o.name));
  for (const [id, node] of flow.graph.nodes.entries()) {
    if (node.op !== 'input' && node.op !== 'state') continue;
    const name = String(node.attributes.name);
    if (leaves.has(name) || !(flow.live[id] || (node.op === 'state' && assigned.has(name)))) continue;
    leaves.set(name, buffers.length);
    const length = product(node.type.shape.map(Number));
    buffers.push({ name, kind: node.op, dtype: node.type.dtype, length });
  }
  return leaves;
}

function outputPlace(
  flow: Dataflow,
  output: GraphOutput,
  buffers: Buffer[],
  leaves: ReadonlyMap<string, BufferId>,
): Place {
  const size = flow.size(output.value);
  if (output.kind === 'result') {
    const { dtype } = flow.node(output.value).type;
    return { buffer: newBuffer(buffers, output.name, 'result', dtype, size), at: identity, size };
  }
  const buffer = leaves.get(output.name);
  if (buffer === undefined) throw never('an output assigns an unknown state', output.name);
  return output.at === undefined ? { buffer, at: identity, size } : { buffer, at: identity, size, base: output.at };
}

/** Each piece is stored straight into its slice of the concatenation, in every place that has. */
function placePieces(
  flow: Dataflow,
  id: NodeId,
  { places }: { places: Place[] },
  buffers: Buffer[],
  store: (value: NodeId, place: Place) => unknown,
): void {
  const { inputs, type, label } = flow.node(id);
  // A place at a computed offset can't be read back, so a concatenation that is read needs one of its own.
  if (places.every(p => p.base !== undefined) && (places.length === 0 || flow.consumers[id]!.length > 0)) {
    const size = flow.size(id);
    places.unshift({
      buffer: newBuffer(buffers, label ?? 'concat', 'temporary', type.dtype, size),
      at: identity,
      size,
    });
  }
  const shape = flow.shape(id);
  const axis = Number(flow.node(id).attributes.axis);
  let start = 0;
  for (const input of inputs) {
    const piece = flow.shape(input);
    const offset = start;
    const at = (flat: Scalar): Scalar => {
      const index = unflatten(flat, piece);
      return flatten(index.with(axis, add(index[axis]!, int(offset))), shape);
    };
    for (const place of places) store(input, { ...place, at: flat => place.at(at(flat)) });
    start += piece[axis]!;
  }
}

/** The roots that store into the places of a concatenation. */
function writersOf(
  flow: Dataflow,
  id: NodeId,
  concats: ReadonlyMap<NodeId, { places: Place[] }>,
  roots: readonly Root[],
): readonly Root[] {
  const pieces = new Set(flow.node(id).inputs.map(input => ownerOf(flow, input).owner));
  const nested = [...pieces]
    .filter(piece => concats.has(piece))
    .flatMap(piece => writersOf(flow, piece, concats, roots));
  const buffers = new Set(concats.get(id)!.places.map(p => p.buffer));
  return [...nested, ...roots.filter(r => pieces.has(r.node) && r.places.some(p => buffers.has(p.buffer)))];
}
