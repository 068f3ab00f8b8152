/** Loop kernels in stages: block after block of their points goes through all of them, so that what they pass on stays in the first-level cache. */
import { flatten } from '../../ir/scalars.ts';
import type { LoopKernel } from '../../kernel/kernel.ts';
import { axis } from '../../kernel/scalar.ts';
import { bytesOf, type Place, pointerCount } from './access.ts';
import type { ModuleContext } from './context.ts';
import { Code } from './encoder.ts';
import { type CompiledKernel, compileFragment, compileLoop, kernelParameters, loopTouches } from './loop.ts';
import { mergeAxes } from './merge.ts';
import { stagesOf } from './stages.ts';
import { shareOf } from './touches.ts';

/** Elements of a block, and of a point that is one by itself at most. */
const BLOCK = 1024;
const MOST = 4096;
/** Strips are addressed as if they held every point. */
const ANY_LENGTH = 2 ** 28;

/** The kernel's function, in stages where it rounds to f16 beside other arithmetic. */
export function compileStaged(kernel: LoopKernel, places: readonly Place[], context: ModuleContext): CompiledKernel {
  const merged = mergeAxes(kernel);
  const extents = [...merged.axes, ...merged.inner];
  const point = extents.slice(1).reduce((n, extent) => n * extent, 1);
  const flat = flatten(
    extents.map((_, n) => axis(n)),
    extents,
  );
  const stages = merged.axes.length === 0 || point > MOST ? undefined : stagesOf(merged, places, flat);
  if (stages === undefined) return compileLoop(kernel, places, context.library, context.strips);
  const { library, module, scratch, threads } = context;
  const block = Math.max(1, Math.floor(BLOCK / point));
  const pointers = pointerCount(places);
  const strips = stages.strips.map(
    (dtype, i): Place => ({ base: 0, dtype, length: ANY_LENGTH, pointer: pointers + i }),
  );
  const homes = stages.strips.map((dtype): Place => {
    const length = threads * block * point;
    return { base: scratch.take(length * bytesOf(dtype)), dtype, length };
  });
  const functions = stages.kernels.map(stage =>
    module.add(compileFragment(stage, [threads], [...places, ...strips], library)),
  );
  const touches = (own: readonly Place[]): ReturnType<CompiledKernel['touches']> => {
    const outer = loopTouches(merged, own, places);
    return (from, to, thread) => {
      const { reads, writes } = outer(from, to, thread);
      return { reads, writes: [...writes, ...homes.map(home => shareOf(home, thread, threads))] };
    };
  };
  const code = blocks(places, homes, functions, { block, point, threads });
  return { code, points: merged.axes[0]!, granule: merged.axes.length === 1 ? 16 : 1, touches };
}

/** `(from, to, thread, pointers …)`: all functions over a block of points, then over the next. */
function blocks(
  places: readonly Place[],
  homes: readonly Place[],
  functions: readonly number[],
  { block, point, threads }: { readonly block: number; readonly point: number; readonly threads: number },
): Code {
  const code = new Code(kernelParameters(places));
  const [start, end] = [code.local('i32'), code.local('i32')];
  const strips = homes.map(() => code.local('i32'));
  const last = () => code.get(1);
  code.get(0).count(start, block, last, () => {
    code.get(start).i32(block).op('i32.add').tee(end).get(1);
    code.get(end).get(1).op('i32.lt_s').op('select').set(end);
    homes.forEach(({ base, dtype, length }, i) => {
      // The thread's own strip, less what lies before the block.
      const bytes = bytesOf(dtype);
      code
        .get(2)
        .i32((length / threads) * bytes)
        .op('i32.mul')
        .i32(base)
        .op('i32.add');
      code
        .get(start)
        .i32(point * bytes)
        .op('i32.mul')
        .op('i32.sub')
        .set(strips[i]!);
    });
    for (const index of functions) {
      code.get(start).get(end);
      for (let i = 2; i < code.signature.params.length; i++) code.get(i);
      for (const strip of strips) code.get(strip);
      code.call(index);
    }
  });
  return code;
}
