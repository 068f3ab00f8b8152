/** Which subgroup matrices products may use: those the device has, that multiply rightly, and that were measured to be faster than registers. */
import { candidates as candidateTiles, productKey } from '../../codegen/wgsl/matmul.ts';
import type { WgslOptions } from '../../codegen/wgsl/shader.ts';
import type { MatrixShape, Tile } from '../../codegen/wgsl/tiles.ts';
import type { Buffer, MatmulKernel, Schedule } from '../../kernel/kernel.ts';
import { add, axis, constant, load, mul, reduced } from '../../kernel/scalar.ts';
import type { Executable } from '../backend.ts';
import { type AdapterOptions, identityOf, matrixShapes, type OpenAdapter, tunes } from './adapter.ts';
import type { Device } from './index.ts';
import { openTileCache, type TileCache, userCacheFolder } from './tileCache.ts';
import { trustedMatrices } from './trial.ts';
import { fastest, TUNING_MS } from './tuning.ts';

export interface Gate {
  /** What the device is to be asked for: nothing that is known to be slower. */
  readonly candidates: readonly MatrixShape[];
  /** Those of them that pass on the device; `compile` takes a schedule whose product is to be in a tile. */
  passing(
    own: Device,
    compile: (schedule: Schedule, tile: Tile) => Promise<Executable>,
  ): Promise<readonly MatrixShape[]>;
  /** Measured tiles of a device that uses `matrices`, and no others; undefined where nothing is to be measured. */
  openCache(matrices: readonly MatrixShape[]): TileCache | undefined;
}

/** The gate of an adapter whose shaders are written as `shader` says; what was measured lies in the cache of tiles. */
export function openGate(opened: OpenAdapter, shader: WgslOptions, options: AdapterOptions): Gate {
  const { adapter, software } = opened;
  const isMeasured = tunes(options, software);
  const isWanted = shader.subgroups !== undefined && (options.matrices ?? isMeasured);
  const all = isWanted ? matrixShapes(adapter, options.mixed ?? false) : [];
  const openCache = (matrices: readonly MatrixShape[]) => {
    const folder = options.cacheFolder ?? userCacheFolder();
    return isMeasured ? openTileCache(folder, identityOf(adapter), { ...shader, matrices }) : undefined;
  };
  const verdicts = options.matrices ? undefined : openCache(all);
  const known = (matrix: MatrixShape) => verdicts?.tiles.get(gateProduct(matrix, software).key);
  const isSlower = (matrix: MatrixShape) => known(matrix) !== undefined && known(matrix)!.matrix === undefined;
  const candidates = all.filter(matrix => !isSlower(matrix));
  return {
    candidates,
    async passing(own, compile) {
      const passed: MatrixShape[] = [];
      for (const matrix of await trustedMatrices(own.shader, compile)) {
        if (verdicts !== undefined && known(matrix) === undefined) verdicts.add(await verdictOn(own, matrix, options));
        if (verdicts === undefined || known(matrix)?.matrix !== undefined) passed.push(matrix);
      }
      return passed;
    },
    openCache,
  };
}

/** Size of the product that decides: enough workgroups for any device, and tens of slices. Emulated matrices show in less. */
const SIZE = 1024;
const SOFTWARE_SIZE = 256;
/** Tiles of each kind that are measured. */
const TILES = 3;
/** How much faster matrices must be: so clearly that measuring anew says the same, since sums of the two kinds differ in their last bits. */
const LEAD = 1.5;

/** The fastest tile at one product; nothing if time was up. For all products alike, so that their bits depend on the device alone. */
async function verdictOn(
  own: Device,
  matrix: MatrixShape,
  { tuneMilliseconds = TUNING_MS }: AdapterOptions,
): Promise<ReadonlyMap<string, Tile>> {
  const { schedule, kernel, key } = gateProduct(matrix, own.software);
  const kinds = [[], [matrix]].map(matrices => candidateTiles(schedule, kernel, { ...own.shader, matrices }));
  const tiles = kinds.flatMap(kind => kind.slice(0, TILES));
  const handicap = (tile: Tile): number => (tile.matrix === undefined ? 1 : LEAD);
  const best = await fastest(own, { schedule, kernel }, tiles, performance.now() + tuneMilliseconds, handicap);
  return new Map(best === undefined ? [] : [[key, best]]);
}

/** `c = a b` of square matrices whose elements are of the type that `matrix` multiplies. */
function gateProduct({ component }: MatrixShape, software: boolean) {
  const size = software ? SOFTWARE_SIZE : SIZE;
  const isRounded = component === 'f16';
  const buffer = (name: string): Buffer => ({ name, kind: 'state', dtype: 'f32', length: size * size, isRounded });
  const at = (row: number, column: number) => add(mul(axis(row), constant(size)), axis(column));
  const kernel: MatmulKernel = {
    kind: 'matmul',
    name: 'gate',
    ...{ batch: 1, m: size, n: size, k: size },
    a: load(0, at(1, 3), 'f32'),
    b: load(1, at(3, 2), 'f32'),
    stores: [{ buffer: 2, at: at(1, 2), value: reduced(0, 'f32') }],
  };
  const schedule: Schedule = { name: 'gate', buffers: ['a', 'b', 'c'].map(buffer), kernels: [kernel], arenaBytes: 0 };
  return { schedule, kernel, key: productKey(schedule, kernel) };
}
