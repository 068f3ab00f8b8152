/** Right operands of several products, such as the weights of a recurrence: which are packed into panels once a step instead of once a product. */
import type { Scalar } from '../../ir/scalar.ts';
import type { MatmulKernel, Schedule } from '../../kernel/kernel.ts';
import { storedBuffers } from '../../kernel/memory.ts';
import { intern, scalarId } from '../../kernel/scalar.ts';
import { simplifier } from '../../kernel/simplify.ts';

export interface SharedPanels {
  /** Byte address of all panels of the operand. */
  readonly base: number;
  isPacked: boolean;
}

/** The same for products with the same right operand. */
export function operandKey({ batch, n, k, b }: MatmulKernel): string {
  return `${scalarId(b)}:${batch}:${n}:${k}`;
}

/** Right operands that must be packed and that several products read from a persistent buffer, or from a copy in f16, which nobody writes in between; with their bytes in panels of `width` columns. */
export function sharedOperands({ kernels, buffers }: Schedule, width: number): ReadonlyMap<string, number> {
  const uses = new Map<string, { readonly kernel: MatmulKernel; readonly numbers: number[] }>();
  kernels.forEach((kernel, number) => {
    if (kernel.kind !== 'matmul' || kernel.b.kind !== 'load' || kernel.m === 1 || kernel.n === 1) return;
    const { kind, dtype } = buffers[kernel.b.buffer]!;
    if (kind === 'temporary' && dtype !== 'f16') return;
    const key = operandKey(prepared(kernel));
    const known = uses.get(key);
    if (known === undefined) uses.set(key, { kernel, numbers: [number] });
    else known.numbers.push(number);
  });
  const bytes = new Map<string, number>();
  for (const [key, { kernel, numbers }] of uses) {
    const { buffer } = kernel.b as Scalar & { kind: 'load' };
    const isWritten = kernels.slice(numbers[0], numbers.at(-1)).some(each => storedBuffers(each).has(buffer));
    if (numbers.length > 1 && !isWritten)
      bytes.set(key, 4 * kernel.batch * Math.ceil(kernel.n / width) * width * kernel.k);
  }
  return bytes;
}

/** Operands and stores interned and simplified. */
export function prepared(kernel: MatmulKernel): MatmulKernel {
  const simplify = simplifier([kernel.batch, kernel.m, kernel.n, kernel.k]);
  const prepare = (s: Scalar) => simplify(intern(s));
  const stores = kernel.stores.map(s => ({ ...s, at: prepare(s.at), value: prepare(s.value) }));
  return { ...kernel, a: prepare(kernel.a), b: prepare(kernel.b), stores };
}
