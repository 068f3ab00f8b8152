/** Loops over time as kernels: the body is scheduled once, and its kernels are repeated for each step at other offsets. */
import type { NodeId } from '../ir/graph.ts';
import type { Scalar } from '../ir/scalar.ts';
import { unflatten } from '../ir/scalars.ts';
import { scanParts } from '../ops/primitives/scanParts.ts';
import { newBuffer } from './buffers.ts';
import { collapseAxes } from './collapse.ts';
import { scalarType } from './dataflow.ts';
import { type Group, groupReader } from './group.ts';
import type { Buffer, BufferId, Kernel, Phase, Store } from './kernel.ts';
import { extentsOf, scalarsOf } from './memory.ts';
import type { Plan, Root } from './roots.ts';
import {
  add,
  apply,
  axis,
  children,
  constant,
  linear,
  load,
  mapScalar,
  mul,
  walkScalar,
  withChildren,
} from './scalar.ts';
import { leafOf, leafSource, scanAttributes } from './scanPlaces.ts';
import { fromLinear, type Simplify, simplifier } from './simplify.ts';
import { loadStored } from './stored.ts';

/** Stands for the number of steps done, until the kernels of a step are made; no kernel has as many axes. */
const STEP = 19;

/** A body's kernels, over buffers of its own. */
export interface BodyKernels {
  readonly buffers: readonly Buffer[];
  /** By the name of the leaf or output. */
  readonly leaves: ReadonlyMap<string, BufferId>;
  readonly results: ReadonlyMap<string, BufferId>;
  readonly kernels: readonly Kernel[];
}

/** The kernels of all steps, in order. */
export function emitScan(plan: Plan, root: Root, body: BodyKernels): readonly Kernel[] {
  const { length } = scanAttributes(plan.flow, root.node);
  const places = bodyPlaces(plan, root, body);
  const templates = body.kernels.map(kernel => collapseAxes(inPlace(plan, kernel, places, length))).map(stepsOf);
  return Array.from({ length }, (_, done) => templates.map(at => at(done))).flat();
}

/** What takes the place of the body's buffers: other loads and other stores. */
interface Places {
  readonly load: (read: Read, buffer: BufferId, at: Scalar) => Scalar;
  readonly store: (buffer: BufferId, at: Scalar) => Pick<Store, 'buffer' | 'at'>;
}

/** The element of a value of the graph around the loop, in the kernel at hand. */
type Read = (node: NodeId, index: readonly Scalar[]) => Scalar;

function bodyPlaces(plan: Plan, { node }: Root, body: BodyKernels): Places {
  const attributes = scanAttributes(plan.flow, node);
  const { carries, reverse, length } = attributes;
  const { parts } = plan.scans.get(node)!;
  const done = axis(STEP);
  const time = reverse ? apply('sub', [constant(length - 1), done], 'i32') : done;
  const within = (i: number, slot: Scalar, at: Scalar) => {
    const size = parts[i]!.size / scanParts(attributes)[i]!.slots;
    return { buffer: parts[i]!.buffer, at: add(mul(slot, constant(size)), at) };
  };
  const slot = (i: number, count: Scalar): Scalar => {
    if (attributes.last.includes(i)) return apply('mod', [count, constant(2)], 'i32');
    return reverse ? apply('sub', [constant(length), count], 'i32') : count;
  };
  const results = new Map([...body.results].map(([name, buffer]) => [buffer, resultNumber(name, carries)]));
  const leaves = new Map([...body.leaves].map(([name, buffer]) => [buffer, leafOf(name)]));
  const temporaries = new Map<BufferId, BufferId>();
  const own = (buffer: BufferId): BufferId => {
    const { name, dtype, length: size } = body.buffers[buffer]!;
    const known = temporaries.get(buffer) ?? newBuffer(plan.buffers, name, 'temporary', dtype, size);
    temporaries.set(buffer, known);
    return known;
  };
  const store: Places['store'] = (buffer, at) => {
    const result = results.get(buffer);
    if (result === undefined) return { buffer: own(buffer), at };
    const after = add(done, constant(1));
    return within(result, result < carries ? slot(result, after) : time, at);
  };
  return {
    store,
    load: (read, buffer, at) => {
      const leaf = leaves.get(buffer);
      const type = scalarType(body.buffers[buffer]!.dtype);
      const place =
        leaf === undefined
          ? store(buffer, at)
          : leaf.kind === 'carry'
            ? within(leaf.at, slot(leaf.at, done), at)
            : undefined;
      if (place !== undefined) return load(place.buffer, place.at, type);
      const input = leafSource(plan.flow, node, `${leaf!.kind}${leaf!.at}`)!;
      const shape = plan.flow.shape(input);
      return read(input, leaf!.kind === 'sequence' ? [time, ...unflatten(at, shape.slice(1))] : unflatten(at, shape));
    },
  };
}

function resultNumber(name: string, carries: number): number {
  const { kind, at } = leafOf(name);
  return kind === 'carry' ? at : carries + at;
}

/** A kernel of the body with its buffers where they lie in a step. */
function inPlace(plan: Plan, kernel: Kernel, places: Places, length: number): Kernel {
  const extents: number[] = [...extentsOf(kernel)];
  extents[STEP] = length;
  const group: Group = { kind: 'loop', outer: extents, inner: [], members: new Map() };
  const primary = (node: NodeId, flat: Scalar) => loadStored(plan, node, flat, extents);
  const { read, simplify } = groupReader(plan, group, primary, () => 0);
  const seen = new Map<Scalar, Scalar>();
  const replace = (s: Scalar): Scalar => (s.kind === 'load' ? places.load(read, s.buffer, s.at) : s);
  return mapKernel(
    kernel,
    s => simplify(mapScalar(s, replace, seen)),
    (buffer, at) => places.store(buffer, at),
  );
}

/** Makes the kernel of a step from one in which the number of steps done is open. */
function stepsOf(kernel: Kernel): (done: number) => Kernel {
  const varying = new Set<Scalar>();
  const seen = new Set<Scalar>();
  const note = (s: Scalar) => {
    if (s.kind === 'axis' ? s.axis === STEP : children(s).some(part => varying.has(part))) varying.add(s);
  };
  for (const s of scalarsOf(kernel)) walkScalar(s, note, seen);
  const simplify = simplifier(extentsOf(kernel));
  const indices = new Map([...varying].map(x => [x, indexOf(x, varying)]));
  return done => {
    const known = new Map<Scalar, Scalar>();
    const at = (s: Scalar): Scalar => {
      if (!varying.has(s)) return s;
      const found = known.get(s) ?? made(s);
      known.set(s, found);
      return found;
    };
    const made = (s: Scalar): Scalar => {
      if (s.kind === 'axis') return constant(done);
      const index = indexAt(indices.get(s), at);
      if (index !== undefined) return index;
      const same = withChildren(s, children(s).map(at));
      return same.kind === 'apply' && (same.type !== 'f32' || same.op === 'select') ? simplify(same) : same;
    };
    return mapKernel(kernel, at, (buffer, index) => ({ buffer, at: index }));
  };
}

/** An index in two parts: what is the same in all steps, and multiples of what is a number in each of them. */
interface StepIndex {
  readonly rest: Scalar | undefined;
  readonly offset: number;
  readonly varying: readonly (readonly [Scalar, number])[];
}

function indexOf(s: Scalar, varying: ReadonlySet<Scalar>): StepIndex | undefined {
  if (s.type !== 'i32' || s.kind !== 'apply') return undefined;
  const { offset, terms } = linear(s);
  const parts = [...terms].filter(([atom]) => varying.has(atom));
  if (parts.some(([atom]) => atom === s)) return undefined;
  const rest = new Map([...terms].filter(([atom]) => !varying.has(atom)));
  return { rest: rest.size > 0 ? fromLinear({ offset: 0, terms: rest }) : undefined, offset, varying: parts };
}

/** The index in a step; undefined where its varying part is no number there. */
function indexAt(index: StepIndex | undefined, at: (s: Scalar) => Scalar): Scalar | undefined {
  if (index === undefined) return undefined;
  let offset = index.offset;
  for (const [atom, factor] of index.varying) {
    const value = at(atom);
    if (value.kind !== 'constant') return undefined;
    offset += factor * value.value;
  }
  if (index.rest === undefined) return constant(offset);
  return offset === 0 ? index.rest : add(index.rest, constant(offset));
}

function mapKernel(
  kernel: Kernel,
  scalar: Simplify,
  place: (buffer: BufferId, at: Scalar) => Pick<Store, 'buffer' | 'at'>,
): Kernel {
  const store = (s: Store): Store => {
    const { buffer, at } = place(s.buffer, scalar(s.at));
    return { buffer, at: scalar(at), value: scalar(s.value) };
  };
  const phase = (p: Phase): Phase =>
    p.kind === 'reduce'
      ? { ...p, slots: p.slots.map(s => ({ ...s, value: scalar(s.value) })) }
      : { ...p, stores: p.stores.map(store) };
  switch (kernel.kind) {
    case 'loop':
      return { ...kernel, phases: kernel.phases.map(phase) };
    case 'matmul':
      return { ...kernel, a: scalar(kernel.a), b: scalar(kernel.b), stores: kernel.stores.map(store) };
    case 'scatter':
      return { ...kernel, ...place(kernel.buffer, scalar(kernel.at)), value: scalar(kernel.value) };
  }
}
