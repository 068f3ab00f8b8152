/** Helper functions of the module, added when first called for. */
import type { ModuleBuilder } from './encoder.ts';
import { scalarFunction, VECTOR_FUNCTIONS, type VectorFunction } from './math.ts';
import { philoxFunction, powFunction } from './scalarMath.ts';

export type LibraryFunction = VectorFunction | 'pow' | 'philox';

export class Library {
  private readonly module: ModuleBuilder;
  private readonly indices = new Map<LibraryFunction, number>();

  constructor(module: ModuleBuilder) {
    this.module = module;
  }

  /** Index of the function in the module. */
  get(name: LibraryFunction): number {
    const known = this.indices.get(name);
    if (known !== undefined) return known;
    const index = this.module.add(build(name));
    this.indices.set(name, index);
    return index;
  }
}

function build(name: LibraryFunction) {
  if (name === 'pow') return powFunction();
  if (name === 'philox') return philoxFunction();
  return scalarFunction(name);
}

export function isVectorFunction(name: string): name is VectorFunction {
  return name in VECTOR_FUNCTIONS;
}
