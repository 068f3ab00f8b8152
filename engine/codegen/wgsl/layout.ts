/** How the points of a loop kernel are spread over threads: what lies side by side in memory is read by neighbours. */
import type { Scalar } from '../../ir/scalar.ts';
import type { LoopKernel } from '../../kernel/kernel.ts';
import { linear, walkScalar } from '../../kernel/scalar.ts';
import type { WgslOptions } from './shader.ts';

export interface Layout {
  /** Threads of a workgroup. */
  readonly threads: number;
  /** Outer points of a workgroup. */
  readonly points: number;
  /** Threads that share the inner axes of a point; 1 where a thread walks them by itself. Neighbouring threads have neighbouring points. */
  readonly lanes: number;
}

/** Rows no longer than this are walked by one thread, … */
const SHORT_ROW = 64;
/** … and longer ones too, where there are rows enough to fill a device. */
const MANY_ROWS = 16_384;
/** Threads of a workgroup whose points don't share any. */
const ALONE = 64;
/** Neighbouring points read whole sectors of memory (32 bytes), more of them where there are enough for the device. */
const FEW_COLUMNS = 8;
const COLUMNS = 32;
const MANY_COLUMNS = 4096;

export const product = (sizes: readonly number[]): number => sizes.reduce((a, b) => a * b, 1);

export function layoutOf(kernel: LoopKernel, { workgroupSize, software }: WgslOptions): Layout {
  const outer = product(kernel.axes);
  const inner = product(kernel.inner);
  const alone: Layout = { threads: ALONE, points: ALONE, lanes: 1 };
  if (kernel.inner.length === 0 || inner <= SHORT_ROW || (outer >= MANY_ROWS && inner <= SHORT_ROW * 16)) return alone;
  const threads = Math.min(2 ** Math.floor(Math.log2(workgroupSize)), inner >= 4096 ? 1024 : 256);
  const points = outer >= MANY_COLUMNS ? COLUMNS : FEW_COLUMNS;
  if (outer < FEW_COLUMNS || !readsColumns(kernel)) return { threads, points: 1, lanes: threads };
  return software ? alone : { threads, points, lanes: threads / points };
}

/** Whether most of what its sums read lies side by side for neighbouring outer points, and not along the inner axes. */
function readsColumns({ axes, phases }: LoopKernel): boolean {
  const last = axes.length - 1;
  let [columns, rows] = [0, 0];
  const count = (s: Scalar): void => {
    if (s.kind !== 'load') return;
    const strides = new Map<number, number>();
    for (const [atom, factor] of linear(s.at).terms) if (atom.kind === 'axis') strides.set(atom.axis, factor);
    const inner = [...strides].filter(([n]) => n > last);
    if (inner.length === 0) return;
    if (strides.get(last) === 1 && inner.every(([, stride]) => stride !== 1)) columns++;
    else rows++;
  };
  const seen = new Set<Scalar>();
  for (const phase of phases) {
    if (phase.kind === 'reduce') for (const slot of phase.slots) walkScalar(slot.value, count, seen);
  }
  return columns > rows;
}
