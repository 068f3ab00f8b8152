/** Kernels that are equal but for where their buffers lie, such as the time steps of a recurrence, share one function, which is told. */
import type { Scalar } from '../../ir/scalar.ts';
import type { Kernel, Phase, Store } from '../../kernel/kernel.ts';
import { extentsOf, scalarsOf } from '../../kernel/memory.ts';
import { intern, linear, load, mapScalar, scalarId, walkScalar } from '../../kernel/scalar.ts';
import { fromLinear } from '../../kernel/simplify.ts';
import { bytesOf, type Place } from './access.ts';
import { mayLeave } from './guard.ts';
import type { SharedPanels } from './panels.ts';

/** A kernel by its structure: buffers are numbered as it mentions them, and the constant parts of its indices are in their places. */
export interface Instance {
  readonly kernel: Kernel;
  readonly places: readonly Place[];
  /** The same for kernels that can share a function; undefined for those that can't. */
  readonly key: string | undefined;
}

/** What a function is compiled from: places with a `pointer` are passed to it. */
export interface Template {
  readonly kernel: Kernel;
  readonly places: readonly Place[];
}

/** Relative indices stay below this: their loads have been found to need no guard. */
const ANY_LENGTH = 2 ** 28;

/** A kernel of an entry, and the instances that one function can be compiled for. */
export interface Use {
  readonly kernel: Kernel;
  readonly instance: Instance;
  /** Complete once the kernels of all entries have been noted. */
  readonly alike: readonly Instance[];
  readonly operand: SharedPanels | undefined;
}

/** Notes a kernel among those of its class. `operand`: its packed right operand, which it shares with others; `kept`: bytes of scratch that are its entry's. */
export function useOf(
  kernel: Kernel,
  places: readonly Place[],
  operand: SharedPanels | undefined,
  kept: number,
  classes: Map<string, Instance[]>,
): Use {
  const instance = instanceOf(kernel, places, `${operand?.base};${kept}`);
  if (instance.key === undefined) return { kernel, instance, alike: [instance], operand };
  const alike = classes.get(instance.key) ?? [];
  classes.set(instance.key, alike);
  alike.push(instance);
  return { kernel, instance, alike, operand };
}

function instanceOf(kernel: Kernel, places: readonly Place[], context: string): Instance {
  const own = { kernel, places, key: undefined };
  if (kernel.kind === 'scatter') return own;
  const starts = startsOf(kernel, places);
  if (starts === undefined) return own;
  const number = new Map([...starts.keys()].map((buffer, i) => [buffer, i]));
  const relative = (buffer: number, at: Scalar): Scalar => {
    const { offset, terms } = linear(at);
    return fromLinear({ offset: offset - starts.get(buffer)!, terms });
  };
  const seen = new Map<Scalar, Scalar>();
  const rewrite = (s: Scalar): Scalar =>
    mapScalar(
      intern(s),
      x => (x.kind === 'load' ? load(number.get(x.buffer)!, relative(x.buffer, x.at), x.type) : x),
      seen,
    );
  const store = (s: Store): Store => ({
    buffer: number.get(s.buffer)!,
    at: relative(s.buffer, rewrite(s.at)),
    value: rewrite(s.value),
  });
  const general = mapKernel(kernel, rewrite, store);
  const exact = [...starts].map(([buffer, start]): Place => {
    const { base, dtype, length } = places[buffer]!;
    return { base: base + start * bytesOf(dtype), dtype, length: length - start };
  });
  return { kernel: general, places: exact, key: `${keyOf(general)};${exact.map(p => p.dtype).join()};${context}` };
}

/** For each buffer, in the order in which the kernel mentions them, the least constant part of an index; undefined if a load needs a guard. */
function startsOf(
  kernel: Kernel & { kind: 'loop' | 'matmul' },
  places: readonly Place[],
): Map<number, number> | undefined {
  const extents = extentsOf(kernel);
  const starts = new Map<number, number>();
  let isSafe = true;
  const note = (buffer: number, at: Scalar) => {
    const { offset } = linear(at);
    starts.set(buffer, Math.min(starts.get(buffer) ?? offset, offset));
  };
  const seen = new Set<Scalar>();
  const visit = (x: Scalar) => {
    if (x.kind !== 'load') return;
    isSafe &&= !mayLeave(x.at, places[x.buffer]!, extents);
    note(x.buffer, x.at);
  };
  for (const s of scalarsOf(kernel)) walkScalar(intern(s), visit, seen);
  for (const { buffer, at } of storesOf(kernel)) note(buffer, intern(at));
  return isSafe ? starts : undefined;
}

function storesOf(kernel: Kernel & { kind: 'loop' | 'matmul' }): readonly Store[] {
  return kernel.kind === 'matmul' ? kernel.stores : kernel.phases.flatMap(p => (p.kind === 'store' ? p.stores : []));
}

function mapKernel(
  kernel: Kernel & { kind: 'loop' | 'matmul' },
  f: (s: Scalar) => Scalar,
  store: (s: Store) => Store,
): Kernel {
  if (kernel.kind === 'matmul') return { ...kernel, a: f(kernel.a), b: f(kernel.b), stores: kernel.stores.map(store) };
  const phases = kernel.phases.map(
    (p): Phase =>
      p.kind === 'reduce'
        ? { ...p, slots: p.slots.map(s => ({ ...s, value: f(s.value) })) }
        : { ...p, stores: p.stores.map(store) },
  );
  return { ...kernel, phases };
}

/** All but the name. */
function keyOf(kernel: Kernel): string {
  const { name: _, ...rest } = kernel;
  return JSON.stringify(rest, (_, value) => (isScalar(value) ? scalarId(value) : value));
}

function isScalar(value: unknown): value is Scalar {
  return typeof value === 'object' && value !== null && 'type' in value;
}

/** The function for all `instances` (at least one): what lies in the same place for each of them is no parameter. */
export function templateOf(instances: readonly Instance[]): Template {
  const [{ kernel, places }] = instances as [Instance];
  let pointers = 0;
  const general = places.map((place, i): Place => {
    if (instances.every(other => other.places[i]!.base === place.base)) return place;
    return { base: 0, dtype: place.dtype, length: ANY_LENGTH, pointer: pointers++ };
  });
  return { kernel, places: general };
}

/** What a call passes for the pointers of its template. */
export function pointersOf({ places }: Template, instance: Instance): readonly number[] {
  return places.flatMap(({ pointer }, i) => (pointer === undefined ? [] : [instance.places[i]!.base]));
}
