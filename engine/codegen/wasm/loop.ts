/** Loop kernels: nests of loops over outer points, with reductions and stores inside, vectorised along one axis. */
import type { Scalar } from '../../ir/scalar.ts';
import type { LoopKernel, Phase, Store } from '../../kernel/kernel.ts';
import { storesOf } from '../../kernel/memory.ts';
import { cost, intern, walkScalar } from '../../kernel/scalar.ts';
import { PARAMETER_AXIS, type Place, pointerCount, strideOf, THREAD_AXIS } from './access.ts';
import { Code, type Local } from './encoder.ts';
import { guardLoads } from './guard.ts';
import type { Library } from './library.ts';
import { mapPhase, mergeAxes, scalarsOf } from './merge.ts';
import { type Accumulator, combineLanes, createAccumulator, emitAccumulate } from './reduce.ts';
import { emitStores } from './store.ts';
import { type Kept, keepRows, type Strips } from './strips.ts';
import { accessesOf, movedTo, type TouchesOf, touchesOf } from './touches.ts';
import { type Mode, type Plan, SCALAR, Values } from './values.ts';

/** A kernel's function `(from, to, thread, pointers …)` over the points of its first axis, and how many there are. */
export interface CompiledKernel {
  readonly code: Code;
  /** Points that may be divided among threads; 1 if the kernel can't be. */
  readonly points: number;
  /** Ranges should begin at multiples of this. */
  readonly granule: number;
  /** For the places of a call. */
  readonly touches: (places: readonly Place[]) => TouchesOf;
}

/** The function's parameter that says on which thread it runs. */
const THREAD: Local = 2;
const ELEMENTWISE_UNROLL = 2;
const REDUCE_UNROLL = 4;
/** Accumulators of sums of neighbouring columns: a row is walked several cache lines at a time. */
const COLUMN_SUMS = 16;

/** Buffers a scalar loads from, each once. */
function loadsOf(s: Scalar): (Scalar & { kind: 'load' })[] {
  const loads: (Scalar & { kind: 'load' })[] = [];
  walkScalar(s, x => {
    if (x.kind === 'load') loads.push(x);
  });
  return loads;
}

/** From, to, thread and a pointer for each place that has one. */
export function kernelParameters(places: readonly Place[]): 'i32'[] {
  return Array.from({ length: 3 + pointerCount(places) }, () => 'i32');
}

/** With `strips`, what several phases of a row compute is kept there. */
export function compileLoop(
  kernel: LoopKernel,
  places: readonly Place[],
  library: Library,
  strips?: Strips,
): CompiledKernel {
  const merged = mergeAxes(kernel);
  const code = new Code(kernelParameters(places));
  const innermost = merged.axes.length + merged.inner.length - 1;
  const keeps = strips !== undefined && merged.inner.length > 0 && chooseLane(merged) === innermost;
  const kept = keeps ? keepRows(merged, places, strips) : { kernel: merged, places, keeps: [] };
  new LoopEmitter(kept, code, library).emit();
  const granule = merged.axes.length === 1 ? 16 : 1;
  return { code, points: merged.axes[0] ?? 1, granule, touches: own => loopTouches(merged, own, places) };
}

/** What ranges of the kernel's points touch, where its places are `own`. */
export function loopTouches(kernel: LoopKernel, own: readonly Place[], compiled: readonly Place[]): TouchesOf {
  const places = movedTo(own, compiled);
  const reduced = kernel.phases.flatMap(phase => (phase.kind === 'reduce' ? phase.slots.map(s => s.value) : []));
  const accesses = accessesOf(reduced, storesOf(kernel));
  const extents = [...kernel.axes, ...kernel.inner];
  const divided = kernel.axes.length > 0;
  return (from, to) => touchesOf(accesses, places, divided ? extents.with(0, to) : extents, divided ? [from] : []);
}

/**
 * A function `(from, to, p0, p1 …, pointers …)` over the kernel's points as they are, without merging axes: scalars may use the
 * axes PARAMETER_AXIS + i for its parameters p_i, which are below parameters[i].
 */
export function compileFragment(
  kernel: LoopKernel,
  parameters: readonly number[],
  places: readonly Place[],
  library: Library,
): Code {
  const code = new Code([...kernelParameters(places).slice(1), ...parameters.map(() => 'i32' as const)]);
  new LoopEmitter({ kernel, places, keeps: [] }, code, library, parameters).emit();
  return code;
}

/** Chooses the axis for the four lanes: the innermost inner axis of reductions, else the last outer axis. */
export function chooseLane(kernel: LoopKernel): number | undefined {
  const { axes, inner, phases } = kernel;
  const outer = axes.length - 1;
  const innermost = axes.length + inner.length - 1;
  const extents = [...axes, ...inner];
  const iterated = phases.filter(p => p.kind === 'reduce' || p.over === 'inner');
  const smooth = (n: number, scope: readonly Phase[]) =>
    scope
      .flatMap(scalarsOf)
      .flatMap(loadsOf)
      .every(x => isSmooth(x.at, n));
  const storesAlong = (n: number, scope: readonly Phase[]) =>
    scope.every(p => p.kind !== 'store' || p.stores.every(s => strideOf(s.at, n) === 1));
  const hasArgmax = phases.some(p => p.kind === 'reduce' && p.slots.some(s => s.reducer === 'argmax'));
  const useInner = inner.length > 0 && extents[innermost]! >= 4 && smooth(innermost, iterated) && !hasArgmax;
  if (useInner && storesAlong(innermost, iterated)) return innermost;
  if (outer < 0 || extents[outer]! < 4) return undefined;
  if (!storesAlong(outer, phases)) return undefined;
  return smooth(outer, phases) || inner.length === 0 ? outer : undefined;
}

function isSmooth(at: Scalar, n: number): boolean {
  const stride = strideOf(at, n);
  return stride === 0 || stride === 1;
}

/** How many reductions there are, if they all need little more than what they load; else 0. */
function plainSlots({ phases }: LoopKernel): number {
  const slots = phases.flatMap(p => (p.kind === 'reduce' ? p.slots : []));
  const isPlain = ({ reducer, value }: (typeof slots)[number]) => reducer !== 'argmax' && cost(value, 0) <= 1;
  return slots.length <= 2 && slots.every(isPlain) ? slots.length : 0;
}

class LoopEmitter {
  private readonly kernel: LoopKernel;
  /** What the reduction of each phase stores beside, for later phases. */
  private readonly keeps: readonly (readonly Store[])[];
  private readonly code: Code;
  private readonly values: Values;
  private readonly lane: number | undefined;
  private readonly depth: number;
  private readonly extents: readonly number[];
  private readonly variables: readonly Local[];
  /** Vectors that one turn of the loop over the lane axis computes: as many as there are, then fewer for the rest. */
  private readonly unrolls: readonly number[];
  /** Number of the first slot of each phase. */
  private readonly firstSlot: readonly number[];

  constructor({ kernel, places, keeps }: Kept, code: Code, library: Library, parameters: readonly number[] = []) {
    const extents = [...kernel.axes, ...kernel.inner];
    const bounds = [...extents];
    parameters.forEach((extent, i) => {
      bounds[PARAMETER_AXIS + i] = extent;
    });
    const lane = chooseLane(kernel);
    const guard = (s: Scalar) => guardLoads(intern(s), places, bounds, lane);
    this.kernel = { ...kernel, phases: kernel.phases.map(p => mapPhase(p, guard)) };
    this.keeps = keeps.map(stores => stores.map(store => ({ ...store, value: guard(store.value) })));
    this.code = code;
    this.lane = lane;
    this.depth = kernel.axes.length;
    this.extents = extents;
    const slots = plainSlots(this.kernel);
    this.unrolls = [...(slots > 0 ? [Math.floor(COLUMN_SUMS / slots)] : []), ELEMENTWISE_UNROLL, 1];
    const stores = [...kernel.phases.flatMap(p => (p.kind === 'store' ? p.stores : [])), ...keeps.flat()];
    const written = new Set(stores.map(s => s.buffer));
    const depthOf = (axis: number) => (axis < extents.length ? axis + 1 : 0);
    this.values = new Values(code, library, {
      places,
      extents: bounds,
      lane,
      outerDepth: this.depth,
      written,
      depthOf,
    });
    this.variables = extents.map((_, axis) => {
      const local = code.local('i32');
      this.values.bindAxis(axis, local);
      return local;
    });
    const first = code.signature.params.length - pointerCount(places);
    for (let i = 2; i < first; i++) this.values.bindAxis(PARAMETER_AXIS + i - 2, i);
    this.values.bindAxis(THREAD_AXIS, THREAD);
    this.values.bindPointers(first);
    let slot = 0;
    this.firstSlot = kernel.phases.map(p => {
      const first = slot;
      if (p.kind === 'reduce') slot += p.slots.length;
      return first;
    });
  }

  emit(): void {
    if (this.depth === 0) this.emitPhases(SCALAR);
    else this.emitOuter(0);
  }

  /** Opens the loop over outer axis `axis`, then the next, then runs the phases. */
  private emitOuter(axis: number): void {
    const last = axis === this.depth - 1;
    const modes = this.modes(axis, this.unrolls, axis === 0);
    const below = last ? modes : this.modes(this.depth - 1, this.unrolls, false);
    this.values.materialize(
      below.flatMap(mode => this.plans(mode)),
      axis,
    );
    this.emitRange(axis, modes, mode => {
      if (last) this.emitPhases(mode);
      else this.emitOuter(axis + 1);
    });
  }

  /** The loops an axis is split into: unrolled vectors, single vectors, single elements. */
  private modes(axis: number, unrolls: readonly number[], divided: boolean): Mode[] {
    if (axis !== this.lane) return [SCALAR];
    const extent = this.extents[axis]!;
    const all: Mode[] = [...unrolls.map(unroll => ({ form: 'vector', unroll }) as const), SCALAR];
    if (divided) return all;
    let rest = extent;
    return all.filter(mode => {
      const step = stepOf(mode);
      const needed = rest >= step;
      rest %= step;
      return needed;
    });
  }

  /** Loops over the axis' whole range (the function's parameters for axis 0), in each mode as far as it goes. */
  private emitRange(axis: number, modes: readonly Mode[], body: (mode: Mode) => void): void {
    const { code, values } = this;
    const variable = this.variables[axis]!;
    const divided = axis === 0 && this.depth > 0;
    if (divided) code.get(0).set(variable);
    else code.i32(0).set(variable);
    for (const mode of modes) {
      const step = stepOf(mode);
      const limit = () => {
        if (!divided) code.i32(this.extents[axis]! - step + 1);
        else if (step === 1) code.get(1);
        else
          code
            .get(1)
            .i32(step - 1)
            .op('i32.sub');
      };
      code.get(variable);
      code.count(variable, step, limit, () => values.scope(() => body(mode)));
    }
  }

  private emitPhases(mode: Mode): void {
    this.kernel.phases.forEach((phase, i) => {
      this.values.scope(() => {
        if (phase.kind === 'reduce') this.emitReduce(phase, this.keeps[i] ?? [], this.firstSlot[i]!, mode);
        else if (phase.over === 'outer') this.emitStorePhase(phase.stores, mode);
        else this.emitInnerStores(phase.stores, mode);
      });
    });
  }

  private emitStorePhase(stores: readonly Store[], mode: Mode): void {
    this.values.materialize([this.storePlan(stores, mode, this.depth)], this.depth, mode.unroll);
    emitStores(this.values, stores, mode);
  }

  private emitInnerStores(stores: readonly Store[], mode: Mode): void {
    const end = this.extents.length;
    const splits = this.innerModes(mode, [ELEMENTWISE_UNROLL, 1]);
    const plans = splits.map(m => this.storePlan(stores, m, end));
    this.emitInner(this.depth, splits, plans, mode, m => emitStores(this.values, stores, m));
  }

  private emitReduce(phase: Phase & { kind: 'reduce' }, keeps: readonly Store[], firstSlot: number, mode: Mode): void {
    const { values } = this;
    const splits = this.innerModes(mode, [REDUCE_UNROLL, 1]);
    const accumulators = phase.slots.map(slot => createAccumulator(this.code, slot, splits));
    const plans = splits.map(m => this.reducePlan(phase.slots, keeps, m));
    this.emitInner(this.depth, splits, plans, mode, m => {
      if (keeps.length > 0) emitStores(values, keeps, m);
      this.accumulate(accumulators, m);
    });
    accumulators.forEach((accumulator, i) => {
      const inLanes = this.lane !== undefined && this.lane >= this.depth;
      const locals = inLanes ? [combineLanes(this.code, accumulator, THREAD)] : accumulator.results(mode.form);
      values.bindSlot(firstSlot + i, locals);
    });
  }

  private accumulate(accumulators: readonly Accumulator[], mode: Mode): void {
    for (const accumulator of accumulators) emitAccumulate(this.values, accumulator, mode, () => this.emitFlatIndex());
  }

  /** Position along the flattened inner axes, for argmax. */
  private emitFlatIndex(): void {
    this.code.i32(0);
    for (let axis = this.depth; axis < this.extents.length; axis++) {
      this.code.i32(this.extents[axis]!).op('i32.mul').get(this.variables[axis]!).op('i32.add');
    }
  }

  private innerModes(mode: Mode, unrolls: readonly number[]): Mode[] {
    const isInner = this.lane !== undefined && this.lane >= this.depth;
    return isInner ? this.modes(this.lane, unrolls, false) : [mode];
  }

  /** The loops over the inner axes; the innermost is split into `splits`. */
  private emitInner(
    axis: number,
    splits: readonly Mode[],
    plans: readonly Plan[],
    mode: Mode,
    body: (m: Mode) => void,
  ): void {
    const end = this.extents.length;
    // With lanes along the outer axis, every level computes whole vectors.
    this.values.materialize(plans, axis, mode.unroll);
    if (axis === end) {
      body(mode);
      return;
    }
    const last = axis === end - 1;
    const isInner = this.lane !== undefined && this.lane >= this.depth;
    const modes = last && isInner ? splits : [SCALAR];
    this.emitRange(axis, modes, m => {
      if (!last) this.emitInner(axis + 1, splits, plans, mode, body);
      else {
        const own = isInner ? m : mode;
        this.values.materialize([plans[splits.indexOf(own)]!], end, own.unroll);
        body(own);
      }
    });
  }

  private storePlan(stores: readonly Store[], mode: Mode, depth: number): Plan {
    return this.values.plan(this.storeRoots(stores, mode), depth);
  }

  private reducePlan(slots: (Phase & { kind: 'reduce' })['slots'], keeps: readonly Store[], mode: Mode): Plan {
    const reduced = slots.map(({ value }) => ({ scalar: value, form: mode.form }));
    return this.values.plan([...reduced, ...this.storeRoots(keeps, mode)], this.extents.length);
  }

  private storeRoots(stores: readonly Store[], { form }: Mode) {
    return stores.flatMap(store => [
      { scalar: store.value, form },
      { scalar: this.values.access(store.buffer, store.at).address, form: 'scalar' as const },
    ]);
  }

  /** Plans of all phases, for what can be computed in the outer loops. */
  private plans(mode: Mode): Plan[] {
    return this.kernel.phases.flatMap((phase, i) => {
      if (phase.kind === 'store' && phase.over === 'outer') return [this.storePlan(phase.stores, mode, this.depth)];
      const end = this.extents.length;
      const splits = this.innerModes(mode, [1]);
      if (phase.kind === 'store') return splits.map(m => this.storePlan(phase.stores, m, end));
      return splits.map(m => this.reducePlan(phase.slots, this.keeps[i] ?? [], m));
    });
  }
}

function stepOf(mode: Mode): number {
  return mode.form === 'vector' ? 4 * mode.unroll : 1;
}
