/** Products that read f16: an operand that would be converted element by element is written out in f32 first, as far as the product reads it. */
import type { LoopKernel, MatmulKernel } from '../../kernel/kernel.ts';
import { add, axis, constant, load, rangeOf } from '../../kernel/scalar.ts';
import { type Place, strideOf } from './access.ts';
import type { ModuleContext } from './context.ts';
import type { CompiledKernel } from './loop.ts';
import { compileLoop } from './loop.ts';
import { compileMatmul } from './matmul.ts';
import { isStrided, K, M, N } from './operands.ts';
import { prepared, type SharedPanels } from './panels.ts';

/** How many times what a product needs may be converted. */
const SPREAD = 2;

/** The kernels of a product, whatever its operands are stored as. */
export function compileProduct(
  kernel: MatmulKernel,
  places: readonly Place[],
  context: ModuleContext,
  shared?: SharedPanels,
): readonly CompiledKernel[] {
  const isDot = kernel.m === 1 || kernel.n === 1;
  if (isDot || !places.some(({ dtype }) => dtype === 'f16')) return compileMatmul(kernel, places, context, shared);
  let product = prepared(kernel);
  const all = [...places];
  const before: LoopKernel[] = [];
  for (const side of ['a', 'b'] as const) {
    const widened = shared?.isPacked && side === 'b' ? undefined : widen(product, side, all, context);
    if (widened === undefined) continue;
    product = widened.product;
    all.push(widened.wide);
    before.push(widened.copying);
  }
  const copies = before.map(copying => compileLoop(copying, all, context.library));
  return [...copies, ...compileMatmul(product, all, context, shared)];
}

/** The product with one operand read from a copy in f32; undefined where it is read well as it is. */
function widen(product: MatmulKernel, side: 'a' | 'b', places: readonly Place[], { scratch, tile }: ModuleContext) {
  const { name, batch, m, n, k } = product;
  const operand = product[side];
  if (operand.kind !== 'load' || places[operand.buffer]!.dtype !== 'f16') return undefined;
  // Panels, and tiles of A that lie along its rows, are packed, and converted, in whole vectors.
  const along = side === 'a' ? [M] : n >= 4 * tile.vectors ? [N, K] : [N];
  if (isStrided(operand, places, [side === 'a' ? M : N, K], true) && along.some(x => strideOf(operand.at, x) === 1))
    return undefined;
  const [low, high] = rangeOf(operand.at, [batch, m, n, k]);
  const length = high - low + 1;
  if (!(length <= SPREAD * batch * k * (side === 'a' ? m : n))) return undefined;
  const copying: LoopKernel = {
    kind: 'loop',
    name: `${name}.${side}`,
    axes: [length],
    inner: [],
    phases: [
      {
        kind: 'store',
        over: 'outer',
        stores: [
          { buffer: places.length, at: axis(0), value: load(operand.buffer, add(axis(0), constant(low)), 'f32') },
        ],
      },
    ],
  };
  const wide: Place = { base: scratch.take(4 * length), dtype: 'f32', length };
  const read = load(places.length, add(operand.at, constant(-low)), 'f32');
  return { copying, wide, product: { ...product, [side]: read } };
}
