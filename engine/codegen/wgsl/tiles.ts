/** How a product is cut into workgroups: the table of tiles, which one a shape gets unless it was measured, and into how many parts its depth is split. */
import type { MatmulKernel } from '../../kernel/kernel.ts';
import type { WgslOptions } from './shader.ts';

/** Subgroup matrices that a device multiplies: [m, k] by [k, n], of f16 or f32, added up in f32. */
export interface MatrixShape {
  readonly component: 'f16' | 'f32';
  readonly m: number;
  readonly n: number;
  readonly k: number;
  /** Threads of a subgroup; a workgroup has a multiple of `multiple`. */
  readonly subgroup: number;
  readonly multiple: number;
  /** Whether a shader has to ask for subgroups of that size. */
  readonly isChosen: boolean;
}

export interface Tile {
  /** Rows and columns of the workgroup's block of the product, … */
  readonly rows: number;
  readonly columns: number;
  /** … and of each thread's, or, with matrices, of each subgroup's. */
  readonly threadRows: number;
  readonly threadColumns: number;
  /** Depth of a packed slice. */
  readonly depth: number;
  /** Whether a thread reads its part of the next slice while this one is multiplied, into registers and from there to a second slice of workgroup memory. */
  readonly isAhead?: boolean;
  /** What a subgroup multiplies with; threads by themselves if there is none. */
  readonly matrix?: MatrixShape;
}

type Cut = readonly [rows: number, columns: number, threadRows: number, threadColumns: number, depth: number];

const tile = (...[rows, columns, threadRows, threadColumns, depth]: Cut): Tile => ({
  rows,
  columns,
  threadRows,
  threadColumns,
  depth,
});

/**
 * All candidates of registers. Sums run along the depth one by one whatever the tile, so which one is taken changes no bit.
 * Sizes are powers of two; a workgroup has at least as many threads as a row or a column of its block has vectors.
 */
const plainTiles: readonly Tile[] = [
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

const ahead = (t: Tile): Tile => ({ ...t, isAhead: true });

/** With those whose threads have enough to multiply meanwhile. */
export const tiles: readonly Tile[] = [...plainTiles, ...plainTiles.slice(0, 5).map(ahead)];

/**
 * And of matrices, as far as a block of a subgroup is made of the device's. Each sum runs through them in order, so that among these, too,
 * which one is taken changes no bit; a register tile's sums may differ, since a device adds up a matrix's depth as it likes.
 */
const plainMatrixTiles: readonly Tile[] = [
  tile(128, 128, 64, 32, 32),
  tile(128, 64, 32, 32, 32),
  tile(64, 128, 32, 32, 32),
  tile(64, 64, 32, 32, 32),
  tile(64, 64, 32, 16, 32),
  tile(64, 32, 32, 16, 32),
  tile(32, 64, 16, 32, 32),
  tile(32, 32, 16, 16, 32),
  tile(64, 16, 16, 16, 32),
  tile(16, 64, 16, 16, 32),
];

const matrixTiles: readonly Tile[] = [...plainMatrixTiles, ...plainMatrixTiles.slice(1, 5).map(ahead)];

/** The tiles of matrices of one shape that a subgroup's blocks are made of. */
export function tilesOf(matrix: MatrixShape): readonly Tile[] {
  const suits = (t: Tile) =>
    t.threadRows % matrix.m === 0 && t.threadColumns % matrix.n === 0 && t.depth % matrix.k === 0;
  const own = matrixTiles.filter(suits).map(t => ({ ...t, matrix }));
  return own.filter(t => threadsOf(t) >= Math.max(t.rows, t.columns) / 4 && threadsOf(t) >= t.depth);
}

/** Candidates of all kinds for a device. */
export const allTiles = ({ matrices = [] }: Pick<WgslOptions, 'matrices'>): readonly Tile[] => [
  ...tiles,
  ...matrices.flatMap(tilesOf),
];

/** `64x64 4x4 16`: the block, the thread's or subgroup's block, the depth; whether it reads ahead; a subgroup matrix's type and sizes. */
export function tileName({ rows, columns, threadRows, threadColumns, depth, isAhead, matrix }: Tile): string {
  const name = `${rows}x${columns} ${threadRows}x${threadColumns} ${depth}${isAhead ? ' ahead' : ''}`;
  return matrix === undefined ? name : `${name} ${matrix.component} ${matrix.m}x${matrix.n}x${matrix.k}`;
}

export const threadsOf = (t: Tile): number =>
  (t.rows / t.threadRows) * (t.columns / t.threadColumns) * (t.matrix?.subgroup ?? 1);

/** Elements between steps of a slice that matrices are loaded from, so that neighbouring rows of a matrix begin in different banks. */
export const slicePadding = ({ matrix }: Tile): number =>
  matrix === undefined ? 0 : matrix.component === 'f16' ? 8 : 4;

/** Slices of an operand in workgroup memory. */
export const slicesOf = ({ isAhead }: Tile): number => (isAhead ? 2 : 1);

/** Of workgroup memory: slices of each operand, and a row of each subgroup's matrices on their way to the epilogue. */
export function bytesOfTile(t: Tile): number {
  const { rows, columns, threadRows, depth, matrix } = t;
  const slices = (rows + columns + 2 * slicePadding(t)) * depth * slicesOf(t);
  if (matrix === undefined) return slices * 4;
  return slices * (matrix.component === 'f16' ? 2 : 4) + (rows / threadRows) * matrix.m * columns * 4;
}

type Limits = Pick<WgslOptions, 'workgroupSize' | 'workgroupBytes'>;

/** Whether a device with these limits can run it. */
export const fits = (t: Tile, limits: Limits): boolean =>
  threadsOf(t) <= limits.workgroupSize &&
  threadsOf(t) % (t.matrix?.multiple ?? 1) === 0 &&
  bytesOfTile(t) <= limits.workgroupBytes;

/** Fewer workgroups, or threads, than these leave parts of a GPU idle. */
const ENOUGH_WORKGROUPS = 96;
const ENOUGH_THREADS = 12_288;
/** What reading an element of workgroup memory, and moving one there, costs beside a multiply-add. */
const SHARED_READ = 2;
const PACKED = 4;
/** What reading ahead gains depends on the device, so that it isn't taken unmeasured. */
const AHEAD = 1.01;
/** Multiply-adds that subgroup matrices do in the time of one, at least, where they are worth having. */
const MATRIX_SPEED = 4;

type Shape = Pick<MatmulKernel, 'batch' | 'm' | 'n' | 'k'>;

/** Multiply-adds that the product is worth with a tile, edges, memory and idle processors included. */
export function estimate(t: Tile, { batch, m, n, k }: Shape, splits: number, software: boolean): number {
  const blocks = Math.ceil(m / t.rows) * Math.ceil(n / t.columns) * batch;
  const reads = SHARED_READ * (1 / t.threadRows + 1 / t.threadColumns);
  const packs = PACKED * (1 / t.rows + 1 / t.columns);
  const groups = blocks * splits;
  const busy = Math.min(1, groups / ENOUGH_WORKGROUPS, (groups * threadsOf(t)) / ENOUGH_THREADS);
  const multiplies = t.matrix === undefined ? 1 : 1 / MATRIX_SPEED;
  const each = (multiplies + reads + packs) * (t.isAhead ? AHEAD : 1);
  return (blocks * t.rows * t.columns * k * each) / (software ? 1 : busy);
}

/** Software compiles a block of more registers, or matrices, for too long. */
const SOFTWARE_REGISTERS = 16;
const SOFTWARE_MATRICES = 8;

function isSmall({ threadRows, threadColumns, matrix }: Tile): boolean {
  const elements = threadRows * threadColumns;
  return matrix === undefined ? elements <= SOFTWARE_REGISTERS : elements <= SOFTWARE_MATRICES * matrix.m * matrix.n;
}

/**
 * Candidates for a shape on a device, the one that is estimated to be fastest first. All are of registers, or all of `matrices`, those of the
 * device that suit the product: which of the two depends on the shape alone, so that measuring changes no bit.
 */
export function rankedTiles(
  shape: Shape,
  splits: number,
  options: WgslOptions,
  matrices: readonly MatrixShape[],
): readonly Tile[] {
  const possible = allTiles({ matrices }).filter(t => fits(t, options) && (!options.software || isSmall(t)));
  const cost = new Map(possible.map(t => [t, estimate(t, shape, splits, options.software)]));
  const ranked = possible.sort((a, b) => cost.get(a)! - cost.get(b)!);
  return ranked.filter(t => t.matrix === ranked[0]!.matrix);
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
