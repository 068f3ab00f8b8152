/** What code generation of one module shares: its functions, its scratch memory, and how large register tiles are. */
import type { ModuleBuilder } from './encoder.ts';
import type { Library } from './library.ts';
import type { Scratch } from './scratch.ts';
import type { Strips } from './strips.ts';

/** Shape of register tiles and the instructions they may use. */
export interface TileOptions {
  readonly rows: number;
  readonly vectors: number;
  /** Relaxed SIMD's fused multiply-add. */
  readonly fused: boolean;
}

/** What code generation of one module shares. */
export interface ModuleContext {
  readonly module: ModuleBuilder;
  readonly library: Library;
  readonly tile: TileOptions;
  readonly threads: number;
  readonly scratch: Scratch;
  readonly strips: Strips;
}
