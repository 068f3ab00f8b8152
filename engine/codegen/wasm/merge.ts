/** Merges neighbouring axes of a loop that every index walks as one, so that inner loops are long and addresses simple. */
import type { Scalar } from '../../ir/scalar.ts';
import type { LoopKernel, Phase } from '../../kernel/kernel.ts';
import { axis, children, constant, intern, substituteAxes } from '../../kernel/scalar.ts';
import { simplifier } from '../../kernel/simplify.ts';
import { dependsOn, strideOf } from './access.ts';

/** The same kernel with as few axes as its indices allow, scalars interned and simplified. */
export function mergeAxes(kernel: LoopKernel): LoopKernel {
  let current = simplified(kernel);
  for (;;) {
    const scalars = current.phases.flatMap(scalarsOf);
    const { axes, inner } = current;
    const pairs = [...pairsOf(0, axes.length), ...pairsOf(axes.length, inner.length)];
    const extents = [...axes, ...inner];
    const single = (n: number) => extents[n] === 1 || extents[n + 1] === 1;
    const pair = pairs.find(n => single(n) || scalars.every(s => walksAsOne(s, n, extents[n + 1]!)));
    if (pair === undefined) return current;
    current = simplified(merge(current, pair));
  }
}

function pairsOf(start: number, count: number): number[] {
  return Array.from({ length: Math.max(0, count - 1) }, (_, i) => start + i);
}

/** Every scalar a phase evaluates. */
export function scalarsOf(phase: Phase): readonly Scalar[] {
  return phase.kind === 'reduce' ? phase.slots.map(slot => slot.value) : phase.stores.flatMap(s => [s.at, s.value]);
}

export function mapPhase(phase: Phase, f: (s: Scalar) => Scalar): Phase {
  if (phase.kind === 'reduce') return { ...phase, slots: phase.slots.map(slot => ({ ...slot, value: f(slot.value) })) };
  return { ...phase, stores: phase.stores.map(s => ({ ...s, at: f(s.at), value: f(s.value) })) };
}

function simplified(kernel: LoopKernel): LoopKernel {
  const simplify = simplifier([...kernel.axes, ...kernel.inner]);
  return { ...kernel, phases: kernel.phases.map(phase => mapPhase(phase, s => simplify(intern(s)))) };
}

/** True if axes n and n+1 only occur as n * size + (n+1), where `size` is the extent of axis n+1. */
function walksAsOne(s: Scalar, n: number, size: number): boolean {
  if (!dependsOn(s, n) && !dependsOn(s, n + 1)) return true;
  if (s.type === 'i32' && s.kind !== 'load') {
    const outer = strideOf(s, n);
    const step = strideOf(s, n + 1);
    if (outer !== undefined && step !== undefined) return outer === step * size;
  }
  return children(s).length > 0 && children(s).every(child => walksAsOne(child, n, size));
}

function merge(kernel: LoopKernel, n: number): LoopKernel {
  const extents = [...kernel.axes, ...kernel.inner];
  const gone = (i: number) => i === n && extents[n + 1] !== 1;
  const index = extents.map((_, i) => (gone(i) ? constant(0) : axis(i <= n ? i : i - 1)));
  const product = extents[n]! * extents[n + 1]!;
  const replace = (sizes: readonly number[], at: number) =>
    at >= 0 && at < sizes.length - 1 ? [...sizes.slice(0, at), product, ...sizes.slice(at + 2)] : sizes;
  return {
    ...kernel,
    axes: replace(kernel.axes, n),
    inner: replace(kernel.inner, n - kernel.axes.length),
    phases: kernel.phases.map(phase => mapPhase(phase, s => substituteAxes(s, index))),
  };
}
