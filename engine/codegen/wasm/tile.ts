/** The register tile of a matrix product: a few rows of A times a few vectors of B, accumulated over k. */
import type { Code, Local } from './encoder.ts';

export interface TileOperand {
  /** Local with the byte address of the first element; it is advanced by the loop. */
  readonly pointer: Local;
  /** Constant part of the address. */
  readonly offset: number;
  /** Bytes from one k to the next. */
  readonly stepBytes: number;
}

/** The rows of A: evenly apart, or each with a pointer of its own to which a table adds the bytes of every k. */
export type TileRows =
  | (TileOperand & { readonly rowBytes: number })
  | { readonly pointers: readonly Local[]; readonly table: TileOperand };

export interface Tile {
  readonly rows: number;
  /** Vectors of four columns; an even number lets V8 pair them into 256-bit registers. */
  readonly vectors: number;
  readonly k: number;
  readonly a: TileRows;
  readonly b: TileOperand;
  readonly fused: boolean;
}

const UNROLL = 4;

/** Emits the loop over k; returns the accumulators by row. */
export function emitTile(code: Code, tile: Tile): readonly (readonly Local[])[] {
  const { rows, vectors, k, a, b } = tile;
  const accumulators = Array.from({ length: rows }, () =>
    Array.from({ length: vectors }, () => {
      const local = code.local('v128');
      code.i32x4(0).set(local);
      return local;
    }),
  );
  const unroll = Math.min(UNROLL, k);
  const turns = Math.floor(k / unroll);
  const body = (count: number) => {
    for (let i = 0; i < count; i++) emitStep(code, tile, accumulators, i);
  };
  const advance = (count: number) => {
    for (const { pointer, stepBytes } of [walked(a), b]) {
      code
        .get(pointer)
        .i32(stepBytes * count)
        .op('i32.add')
        .set(pointer);
    }
  };
  if (turns > 1) {
    const left = code.local('i32');
    code.i32(turns).set(left);
    code.repeat(() => {
      body(unroll);
      advance(unroll);
      code.get(left).i32(1).op('i32.sub').tee(left);
    });
    body(k - turns * unroll);
  } else body(k);
  return accumulators;
}

/** What advances along k: A itself or the table of its offsets. */
function walked(a: TileRows): TileOperand {
  return 'table' in a ? a.table : a;
}

/** Emits the load of one element of each row, spread over a vector. */
function rowLoader(code: Code, a: TileRows, step: number): (row: number) => void {
  const { pointer, offset, stepBytes } = walked(a);
  if (!('table' in a)) {
    return row => {
      code.get(pointer).memory('v128.load32_splat', offset + stepBytes * step + a.rowBytes * row, 2);
    };
  }
  const bytes = code.local('i32');
  code
    .get(pointer)
    .memory('i32.load', offset + stepBytes * step, 2)
    .set(bytes);
  return row => {
    code.get(a.pointers[row]!).get(bytes).op('i32.add').memory('v128.load32_splat', 0, 2);
  };
}

/** One k: the row of B is loaded once, each element of the column of A is spread over a vector. */
function emitStep(code: Code, tile: Tile, accumulators: readonly (readonly Local[])[], step: number): void {
  const { a, b, fused } = tile;
  const row = accumulators[0]!.map((_, v) => {
    const local = code.local('v128');
    code
      .get(b.pointer)
      .memory('v128.load', b.offset + b.stepBytes * step + 16 * v, 2)
      .set(local);
    return local;
  });
  const load = rowLoader(code, a, step);
  accumulators.forEach((sums, r) => {
    const spread = code.local('v128');
    load(r);
    code.set(spread);
    sums.forEach((sum, v) => {
      if (fused) code.get(spread).get(row[v]!).get(sum).op('f32x4.relaxed_madd').set(sum);
      else code.get(sum).get(spread).get(row[v]!).op('f32x4.mul').op('f32x4.add').set(sum);
    });
  });
}
