/** What this JavaScript engine's WebAssembly can do, found out once a process: relaxed SIMD by validation, 256-bit pairing by trial. */
import type { TileOptions } from '../../codegen/wasm/context.ts';
import { Code, ModuleBuilder } from '../../codegen/wasm/encoder.ts';
import { withFlags } from '../flags.ts';
import { measureTile, runProbe } from './probe.ts';

export interface Features {
  /** Fused multiply-add of relaxed SIMD. */
  readonly relaxed: boolean;
  /** V8 pairs neighbouring 128-bit vectors into 256-bit registers. */
  readonly wide: boolean;
  readonly tile: TileOptions;
}

/** 6 x 16 fills the sixteen registers when they are 256 bits wide and spills when they aren't; then 6 x 8 does. */
const WIDE_VECTORS = 4;
const PLAIN_VECTORS = 2;
const TILE_ROWS = 6;

/** True if a module with `f32x4.relaxed_madd` validates. */
export function hasRelaxedSimd(): boolean {
  const code = new Code();
  code.f32x4(0).f32x4(0).f32x4(0).op('f32x4.relaxed_madd').op('drop');
  const module = new ModuleBuilder();
  module.add(code);
  return WebAssembly.validate(module.encode({ pages: 1, shared: false }));
}

/** V8 knows `--experimental-wasm-revectorize` and acts on it from version 13 (Node 24) on; older ones complain on stderr. */
function knowsRevectorize(): boolean {
  return Number(process.versions.v8?.split('.')[0] ?? 0) >= 13;
}

/**
 * Compiles with V8's optimising compiler at once: full speed from the first step, and the same bits throughout.
 */
export function compileOptimized(binary: Uint8Array<ArrayBuffer>, wide: boolean): WebAssembly.Module {
  const flags = {
    liftoff: false,
    'wasm-lazy-compilation': false,
    ...(wide && { 'experimental-wasm-revectorize': true }),
  };
  return withFlags(flags, () => new WebAssembly.Module(binary));
}

/** The module with an empty custom section: V8 compiles equal bytes but once, whatever its flags. */
function apart(binary: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return new Uint8Array([...binary, 0, 1, 0]);
}

const known = new Map<string, Features>();

/** Features as wished, or as found: pairing is used where it changes no bit of a probe and makes the wide tile the faster one. */
export function detectFeatures(wish: { readonly relaxed?: boolean; readonly revectorize?: boolean }): Features {
  const key = `${wish.relaxed} ${wish.revectorize}`;
  const found = known.get(key) ?? detect(wish);
  known.set(key, found);
  return found;
}

function detect(wish: { readonly relaxed?: boolean; readonly revectorize?: boolean }): Features {
  const relaxed = (wish.relaxed ?? true) && hasRelaxedSimd();
  const plain: TileOptions = { rows: TILE_ROWS, vectors: PLAIN_VECTORS, fused: relaxed };
  const wideTile: TileOptions = { ...plain, vectors: WIDE_VECTORS };
  const off: Features = { relaxed, wide: false, tile: plain };
  if (wish.revectorize === false || !knowsRevectorize()) return off;
  const compile = (binary: Uint8Array<ArrayBuffer>) => compileOptimized(binary, true);
  const paired = runProbe(wideTile, compile);
  const single = runProbe(wideTile, binary => compileOptimized(apart(binary), false));
  if (!paired.every((bits, i) => bits === single[i])) return off;
  const isFaster = measureTile(wideTile, compile) < measureTile(plain, compile);
  return { relaxed, wide: true, tile: isFaster ? wideTile : plain };
}
