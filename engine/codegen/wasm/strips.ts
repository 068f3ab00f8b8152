/** Values of a row that several phases of a loop need (softmax's exponentials): computed once, kept in memory of the thread's own that stays in the first-level cache. */
import type { Scalar } from '../../ir/scalar.ts';
import type { Kernel, LoopKernel, Phase, Store } from '../../kernel/kernel.ts';
import { add, axis, children, constant, cost, load, mapScalar, mul, walkScalar } from '../../kernel/scalar.ts';
import { axesOf, type Place, THREAD_AXIS } from './access.ts';
import { mapPhase, scalarsOf } from './merge.ts';

/** One strip for each thread, one behind the other. */
export interface Strips {
  readonly base: number;
  /** Of each strip. */
  readonly bytes: number;
  readonly threads: number;
}

/** A kernel whose later phases load what an earlier one keeps. */
export interface Kept {
  readonly kernel: LoopKernel;
  /** The kernel's places and, where something is kept, the strips'. */
  readonly places: readonly Place[];
  /** What each phase keeps, by the number of the phase. */
  readonly keeps: readonly (readonly Store[])[];
}

/** Arithmetic, in additions, that is cheaper to read back than to repeat. */
const KEPT_COST = 8;
/** Half of a first-level cache. */
const MOST_BYTES = 16384;
const CACHE_LINE = 64;

/** Bytes a thread needs to keep what the loops among `kernels` compute more than once a row. */
export function stripBytes(kernels: readonly Kernel[]): number {
  const bytes = kernels.map(kernel => (kernel.kind === 'loop' ? keptScalars(kernel).length * rowBytes(kernel) : 0));
  return Math.min(MOST_BYTES, Math.max(0, ...bytes));
}

function rowBytes({ inner }: LoopKernel): number {
  return Math.ceil((4 * inner.reduce((a, b) => a * b, 1)) / CACHE_LINE) * CACHE_LINE;
}

/** Keeps in the strips what fits there. Scalars are interned. */
export function keepRows(kernel: LoopKernel, places: readonly Place[], strips: Strips): Kept {
  const bytes = rowBytes(kernel);
  const kept = keptScalars(kernel).slice(0, Math.floor(strips.bytes / bytes));
  if (kept.length === 0) return { kernel, places, keeps: [] };
  const buffer = places.length;
  const length = (strips.bytes / 4) * strips.threads;
  const start = mul(axis(THREAD_AXIS), constant(strips.bytes / 4));
  const element = kernel.inner.reduce<Scalar>(
    (flat, size, n) => add(mul(flat, constant(size)), axis(kernel.axes.length + n)),
    constant(0),
  );
  const at = kept.map((_, i) => add(add(start, element), constant((i * bytes) / 4)));
  const loads = kept.map(({ value }, i) => [value, load(buffer, at[i]!, 'f32')] as const);
  const phases: Phase[] = [];
  const keeps: Store[][] = [];
  kernel.phases.forEach((phase, p) => {
    const seen = new Map(loads.filter((_, i) => kept[i]!.phase < p));
    const replace = (s: Scalar) => mapScalar(s, x => x, seen);
    phases.push(seen.size === 0 ? phase : mapPhase(phase, replace));
    keeps.push(
      kept.flatMap(({ phase, value }, i) => (phase === p ? [{ buffer, at: at[i]!, value: replace(value) }] : [])),
    );
  });
  return { kernel: { ...kernel, phases }, places: [...places, { base: strips.base, dtype: 'f32', length }], keeps };
}

/** What is kept, and the first phase that computes it. */
interface KeptScalar {
  readonly phase: number;
  readonly value: Scalar;
}

/** The largest expensive values along the rows that a reduction computes and a later phase would compute again. */
function keptScalars({ axes, inner, phases }: LoopKernel): readonly KeptScalar[] {
  const size = inner.reduce((a, b) => a * b, 1);
  if (4 * size > MOST_BYTES || size < CACHE_LINE / 4) return [];
  const along = inner.reduce((mask, _, n) => mask | (1 << (axes.length + n)), 0);
  const varies = (s: Scalar) => (axesOf(s) & along) !== 0;
  const parts = phases.map(phase => {
    const found = new Set<Scalar>();
    if (isAlongRows(phase)) for (const s of scalarsOf(phase)) walkScalar(s, () => {}, found);
    return found;
  });
  const kept = new Map<Scalar, number>();
  phases.forEach((phase, p) => {
    if (phase.kind !== 'reduce') return;
    const seen = new Set<Scalar>();
    const visit = (s: Scalar): void => {
      if (seen.has(s) || kept.has(s) || !varies(s)) return;
      seen.add(s);
      const again = s.type === 'f32' && parts.some((set, q) => q > p && set.has(s));
      if (again && cost(s, 2, varies) >= KEPT_COST) kept.set(s, p);
      else children(s).forEach(visit);
    };
    for (const { value } of phase.slots) visit(value);
  });
  return [...kept].map(([value, phase]) => ({ value, phase }));
}

function isAlongRows(phase: Phase): boolean {
  return phase.kind === 'reduce' || phase.over === 'inner';
}
