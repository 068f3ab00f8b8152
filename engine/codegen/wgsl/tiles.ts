/** How a product is cut into workgroups: the table of tiles, which one a shape gets unless it was measured, and into how many parts its depth is split. */
import type { MatmulKernel } from '../../kernel/kernel.ts';
import type { WgslOptions } from './shader.ts';

export interface Tile {
  /** Rows and columns of the workgroup's block of the product, … */
  readonly rows: number;
  readonly columns: number;
  /** … and of each thread's. */
  readonly threadRows: number;
  readonly threadColumns: number;
  /** Depth of a packed slice. */
  readonly depth: number;
}

const tile = (rows: number, columns: number, threadRows: number, threadColumns: number, depth: number): Tile => ({
  rows,
  columns,
  threadRows,
  threadColumns,
  depth,
});

/**
 * All candidates. Sums run along the depth one by one whatever the tile, so which one is taken changes no bit.
 * Sizes are powers of two; a workgroup has at least as many threads as a row or a column of its block has vectors.
 */
export const tiles: readonly Tile[] = [
  tile(128, 128, 8, 8, 16),
  tile(128, 64, 8, 4, 16),
  tile(64, 128, 4, 8, 16),
  tile(64, 64, 8, 8, 16),
  tile(64, 64, 4, 4, 16),
  tile(64, 32, 4, 4, 32),
  tile(32, 64, 4, 4, 32),
  tile(32, 32, 4, 4, 32),
  tile(32, 32, 2, 2, 32),
  tile(64, 16, 4, 4, 32),
  tile(16, 64, 4, 4, 32),
  tile(16, 16, 2, 2, 32),
  tile(64, 8, 4, 2, 32),
  tile(8, 64, 2, 4, 32),
  tile(128, 4, 4, 2, 16),
  tile(4, 128, 2, 4, 16),
];

/** `64x64 4x4 16`: the block, the thread's block, the depth. */
export function tileName({ rows, columns, threadRows, threadColumns, depth }: Tile): string {
  return `${rows}x${columns} ${threadRows}x${threadColumns} ${depth}`;
}

export const threadsOf = (t: Tile): number => (t.rows / t.threadRows) * (t.columns / t.threadColumns);
/** Of workgroup memory. */
export const bytesOfTile = (t: Tile): number => (t.rows + t.columns) * t.depth * 4;

type Limits = Pick<WgslOptions, 'workgroupSize' | 'workgroupBytes'>;

/** Whether a device with these limits can run it. */
export const fits = (t: Tile, limits: Limits): boolean =>
  threadsOf(t) <= limits.workgroupSize && bytesOfTile(t) <= limits.workgroupBytes;

/** Fewer workgroups, or threads, than these leave parts of a GPU idle. */
const ENOUGH_WORKGROUPS = 96;
const ENOUGH_THREADS = 12_288;
/** What reading an element of workgroup memory, and moving one there, costs beside a multiply-add. */
const SHARED_READ = 2;
const PACKED = 4;

type Shape = Pick<MatmulKernel, 'batch' | 'm' | 'n' | 'k'>;

/** Multiply-adds that the product is worth with a tile, edges, memory and idle processors included. */
export function estimate(t: Tile, { batch, m, n, k }: Shape, splits: number, software: boolean): number {
  const blocks = Math.ceil(m / t.rows) * Math.ceil(n / t.columns) * batch;
  const reads = SHARED_READ * (1 / t.threadRows + 1 / t.threadColumns);
  const packs = PACKED * (1 / t.rows + 1 / t.columns);
  const groups = blocks * splits;
  const busy = Math.min(1, groups / ENOUGH_WORKGROUPS, (groups * threadsOf(t)) / ENOUGH_THREADS);
  return (blocks * t.rows * t.columns * k * (1 + reads + packs)) / (software ? 1 : busy);
}

/** Software compiles a block of more registers for too long. */
const SOFTWARE_REGISTERS = 16;

/** Candidates for a shape on a device, the one that is estimated to be fastest first. */
export function rankedTiles(shape: Shape, splits: number, options: WgslOptions): readonly Tile[] {
  const most = options.software ? SOFTWARE_REGISTERS : Number.POSITIVE_INFINITY;
  const possible = tiles.filter(t => fits(t, options) && t.threadRows * t.threadColumns <= most);
  const cost = new Map(possible.map(t => [t, estimate(t, shape, splits, options.software)]));
  return possible.sort((a, b) => cost.get(a)! - cost.get(b)!);
}

/** Parts of the depth begin at multiples of the deepest slice, so that they are the same for all tiles. */
export const SPLIT_ALIGNMENT = 32;
/**
 * A block of this size would leave a GPU idle if there were fewer than so many of it; a part of the depth is no shorter than this, and two
 * of them don't make up for the second dispatch.
 */
const NOMINAL_BLOCK = 32;
const ENOUGH_BLOCKS = 64;
const SHORTEST_PART = 192;
const FEWEST_PARTS = 3;
const MOST_PARTS = 32;

/** Depth of each part of the product; `k` itself where it isn't split. Depends on the shape alone, since it changes the order of the sum. */
export function partDepth({ batch, m, n, k }: Shape, { software, splits }: WgslOptions): number {
  const blocks = Math.ceil(m / NOMINAL_BLOCK) * Math.ceil(n / NOMINAL_BLOCK) * batch;
  const wanted = splits ?? (software ? 1 : Math.min(ENOUGH_BLOCKS / blocks, k / SHORTEST_PART, MOST_PARTS));
  const parts = Math.floor(wanted);
  return parts < (splits === undefined ? FEWEST_PARTS : 2)
    ? k
    : Math.min(k, Math.ceil(k / parts / SPLIT_ALIGNMENT) * SPLIT_ALIGNMENT);
}
