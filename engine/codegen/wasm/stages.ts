/**
 * Roundings to f16 beside arithmetic, in loops of their own: a kernel computes in f32 alone and leaves its results in strips that stay in
 * the first-level cache, from where loops that do nothing else round and store them. Together the two need more registers than there are:
 * beside erf or exp a rounding takes three times as long as by itself.
 */
import type { DType } from '../../ir/graph.ts';
import type { Scalar } from '../../ir/scalar.ts';
import type { LoopKernel, Phase, Store } from '../../kernel/kernel.ts';
import { cost, intern, load, mapScalar, walkScalar } from '../../kernel/scalar.ts';
import type { Place } from './access.ts';

/** Arithmetic, in additions, beside which a result is rounded where it is computed. */
const LITTLE_WORK = 6;

/** Loops over the same points, one after the other. */
export interface Stages {
  readonly kernels: readonly LoopKernel[];
  /** Strips that they pass on, numbered as buffers behind all places, with an element for each point. */
  readonly strips: readonly DType[];
}

/** A value and the buffers of f16 that it goes to. */
type Rounded = readonly [value: Scalar, targets: readonly Store[]];

/** The kernel in stages; undefined where nothing is gained. `flat`: where a point's element lies in the strips. */
export function stagesOf(kernel: LoopKernel, places: readonly Place[], flat: Scalar): Stages | undefined {
  const phase = stagedPhase(kernel);
  const stores = phase?.stores.map(s => ({ ...s, value: intern(s.value) }));
  if (phase === undefined || stores === undefined || !isWorthwhile(kernel, stores, places)) return undefined;
  const strips: DType[] = [];
  const strip = (dtype: DType) => places.length + strips.push(dtype) - 1;
  const kernels: LoopKernel[] = [];
  const stage = (stored: readonly Store[], rounded: readonly Rounded[]) => {
    const all = rounded.map(([value, targets]) => ({ kept: { buffer: strip('f32'), at: flat, value }, targets }));
    if (stored.length + all.length > 0)
      kernels.push(storing(kernel, phase, [...stored, ...all.map(({ kept }) => kept)]));
    for (const { kept, targets } of all) {
      for (const target of targets) kernels.push(copying(kernel, { ...target, value: load(kept.buffer, flat, 'f32') }));
    }
  };
  const isHalf = ({ buffer }: Store) => places[buffer]!.dtype === 'f16';
  let rest = stores;
  const hasBefore = kernel.phases.length > 1;
  for (let inner = hasBefore ? [] : innermost(rest); inner.length > 0; inner = innermost(rest)) {
    const rounded = inner.map(({ args: [value] }): Rounded => {
      const own = rest.filter(s => s.value === value && isHalf(s));
      return [value!, own.length > 0 ? own : [{ buffer: strip('f16'), at: flat, value: value! }]];
    });
    stage([], rounded);
    const read = new Map(inner.map((x, i) => [x as Scalar, loadOf(rounded[i]![1][0]!)]));
    const done = rounded.flatMap(([, targets]) => targets);
    rest = rest.filter(s => !done.includes(s)).map(s => ({ ...s, value: mapScalar(s.value, x => read.get(x) ?? x) }));
  }
  stage(
    rest.filter(s => !isHalf(s)),
    rest.filter(isHalf).map((s): Rounded => [s.value, [s]]),
  );
  return { kernels, strips };
}

/** The one phase that stores over all of the kernel's axes. */
function stagedPhase({ phases, inner }: LoopKernel): (Phase & { kind: 'store' }) | undefined {
  const over = inner.length > 0 ? 'inner' : 'outer';
  const [phase, ...more] = phases.filter(p => p.kind === 'store').filter(p => p.over === over);
  return more.length > 0 ? undefined : phase;
}

function isWorthwhile({ phases }: LoopKernel, stores: readonly Store[], places: readonly Place[]): boolean {
  const halves = new Set(stores.map(s => s.buffer).filter(buffer => places[buffer]!.dtype === 'f16'));
  let readsOwn = false;
  const visit = (x: Scalar) => {
    readsOwn ||= x.kind === 'load' && halves.has(x.buffer);
  };
  const seen = new Set<Scalar>();
  for (const { value } of stores) walkScalar(value, visit, seen);
  const isLong = phases.length > 1 || stores.some(({ value }) => cost(value, 0) > LITTLE_WORK);
  return halves.size > 0 && isLong && !readsOwn;
}

/** The roundings that no other one is inside of. */
function innermost(stores: readonly Store[]): (Scalar & { kind: 'apply' })[] {
  const found: (Scalar & { kind: 'apply' })[] = [];
  const holding = new Set<Scalar>();
  const seen = new Set<Scalar>();
  const visit = (x: Scalar) => {
    if (x.kind !== 'apply') return;
    const isOuter = x.args.some(arg => holding.has(arg));
    if (x.op === 'round_f16' && !isOuter) found.push(x);
    if (x.op === 'round_f16' || isOuter) holding.add(x);
  };
  for (const { value } of stores) walkScalar(value, visit, seen);
  return found;
}

function loadOf({ buffer, at }: Store): Scalar {
  return load(buffer, at, 'f32');
}

/** The kernel with other results of one phase. */
function storing(kernel: LoopKernel, phase: Phase & { kind: 'store' }, stores: readonly Store[]): LoopKernel {
  return { ...kernel, phases: kernel.phases.map(p => (p === phase ? { ...phase, stores } : p)) };
}

/** One store for each of the kernel's points. */
function copying({ kind, name, axes, inner }: LoopKernel, store: Store): LoopKernel {
  return {
    kind,
    name,
    axes: [...axes, ...inner],
    inner: [],
    phases: [{ kind: 'store', over: 'outer', stores: [store] }],
  };
}
