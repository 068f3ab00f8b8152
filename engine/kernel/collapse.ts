/** Joins neighbouring axes of a loop that are walked as one, so that the loops are long and their indices plain. */
import type { Scalar } from '../ir/scalar.ts';
import type { Kernel, LoopKernel, Phase } from './kernel.ts';
import { scalarsOf } from './memory.ts';
import { apply, axis, constant, substituteAxes, walkScalar } from './scalar.ts';
import { type Simplify, simplifier } from './simplify.ts';

/** The same loop with fewer axes where that costs no division; other kernels as they are. */
export function collapseAxes(kernel: Kernel): Kernel {
  if (kernel.kind !== 'loop') return kernel;
  let best: LoopKernel = kernel;
  for (let at = 0; at + 1 < best.axes.length + best.inner.length; ) {
    const joined = joinAxes(best, at);
    if (joined && divisions(joined) <= divisions(best)) best = joined;
    else at++;
  }
  return best;
}

/** Axes `at` and `at + 1`, of sizes a and b, as one of size a b: the first is its quotient by b, the second its remainder. */
function joinAxes(kernel: LoopKernel, at: number): LoopKernel | undefined {
  const outer = kernel.axes.length;
  if (at + 1 === outer) return undefined;
  const sizes = [...kernel.axes, ...kernel.inner];
  const [a, b] = [sizes[at]!, sizes[at + 1]!];
  const joined = sizes.toSpliced(at, 2, a * b);
  const split = ['div', 'mod'].map(op => apply(op as 'div' | 'mod', [axis(at), constant(b)], 'i32'));
  const index = sizes.map((_, n) => (n < at ? axis(n) : n > at + 1 ? axis(n - 1) : split[n - at]!));
  const simplify = simplifier(joined);
  const axes = at < outer ? outer - 1 : outer;
  return {
    ...kernel,
    axes: joined.slice(0, axes),
    inner: joined.slice(axes),
    phases: kernel.phases.map(phase => mapPhase(phase, s => simplify(substituteAxes(s, index)))),
  };
}

function mapPhase(phase: Phase, f: Simplify): Phase {
  if (phase.kind === 'reduce') return { ...phase, slots: phase.slots.map(s => ({ ...s, value: f(s.value) })) };
  return { ...phase, stores: phase.stores.map(s => ({ ...s, at: f(s.at), value: f(s.value) })) };
}

function divisions(kernel: LoopKernel): number {
  let count = 0;
  const seen = new Set<Scalar>();
  const note = (x: Scalar) => {
    if (x.kind === 'apply' && x.type === 'i32' && (x.op === 'div' || x.op === 'mod')) count++;
  };
  for (const s of scalarsOf(kernel)) walkScalar(s, note, seen);
  return count;
}
