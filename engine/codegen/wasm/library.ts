/** Helper functions of the module, added when first called for. */
import type { ModuleBuilder } from './encoder.ts';
import { decodeFunction, encodeFunction } from './half.ts';
import { scalarFunction, VECTOR_FUNCTIONS, type VectorFunction } from './math.ts';
import { philoxFunction, powFunction } from './scalarMath.ts';

export type LibraryFunction = VectorFunction | 'pow' | 'philox' | 'decode_f16' | 'encode_f16';

export class Library {
  /** Functions may use relaxed SIMD's fused multiply-add. */
  readonly fused: boolean;
  private readonly module: ModuleBuilder;
  private readonly indices = new Map<LibraryFunction, number>();

  constructor(module: ModuleBuilder, fused: boolean) {
    this.fused = fused;
    this.module = module;
  }

  /** Index of the function in the module. */
  get(name: LibraryFunction): number {
    const known = this.indices.get(name);
    if (known !== undefined) return known;
    const index = this.module.add(build(name, this.fused));
    this.indices.set(name, index);
    return index;
  }
}

function build(name: LibraryFunction, fused: boolean) {
  if (name === 'pow') return powFunction();
  if (name === 'philox') return philoxFunction();
  if (name === 'decode_f16') return decodeFunction();
  if (name === 'encode_f16') return encodeFunction();
  return scalarFunction(name, fused);
}

export function isVectorFunction(name: string): name is VectorFunction {
  return name in VECTOR_FUNCTIONS;
}
