/** Estimates of what a kernel does, for profiles and for the choice of threads. */
import type { Scalar } from '../../ir/scalar.ts';
import type { Kernel } from '../../kernel/kernel.ts';
import { cost, intern, walkScalar } from '../../kernel/scalar.ts';
import { axesOf, bytesOf, type Place } from './access.ts';
import { scalarsOf } from './merge.ts';

export interface Work {
  readonly flops: number;
  readonly bytes: number;
}

const product = (sizes: readonly number[]) => sizes.reduce((n, d) => n * d, 1);

/** Operations (a transcendental function counts about ten) and bytes of the distinct elements touched, at most each buffer once. */
export function kernelWork(kernel: Kernel, places: readonly Place[]): Work {
  if (kernel.kind === 'matmul') {
    const { batch, m, n, k } = kernel;
    const stores = kernel.stores.reduce((sum, s) => sum + cost(intern(s.value)), 0);
    return {
      flops: 2 * batch * m * n * k + batch * m * n * stores,
      bytes: 4 * batch * (m * k + k * n) + 4 * batch * m * n * kernel.stores.length,
    };
  }
  const extents = kernel.kind === 'scatter' ? kernel.axes : [...kernel.axes, ...kernel.inner];
  const scalars = kernel.kind === 'scatter' ? [kernel.at, kernel.value] : kernel.phases.flatMap(scalarsOf);
  const written = kernel.kind === 'scatter' ? [] : kernel.phases.flatMap(p => (p.kind === 'store' ? p.stores : []));
  const touched = new Map<number, number>();
  const touch = (buffer: number, at: Scalar) => {
    const place = places[buffer]!;
    const count = Math.min(place.length, pointsOf(at, extents));
    touched.set(buffer, Math.max(touched.get(buffer) ?? 0, count * bytesOf(place.dtype)));
  };
  for (const s of scalars) {
    walkScalar(intern(s), x => {
      if (x.kind === 'load') touch(x.buffer, x.at);
    });
  }
  let bytes = 0;
  for (const count of touched.values()) bytes += count;
  for (const { buffer, at } of written) bytes += Math.min(places[buffer]!.length, pointsOf(at, extents)) * 4;
  const flops = scalars.reduce((sum, s) => sum + cost(intern(s), 0) * pointsOf(s, extents), 0);
  return { flops, bytes };
}

/** Number of points of the axes that the scalar depends on. */
function pointsOf(s: Scalar, extents: readonly number[]): number {
  const axes = axesOf(s);
  return product(extents.filter((_, n) => (axes & (1 << n)) !== 0));
}
