/** Matrix products: panels of B as wide as a register tile, packed where they don't lie well, times rows of A, with the stores at the tile's end. */
import type { Scalar } from '../../ir/scalar.ts';
import type { MatmulKernel, Store } from '../../kernel/kernel.ts';
import { add, axis, constant, load, mapScalar, mul, substituteAxes } from '../../kernel/scalar.ts';
import { accessOf, PARAMETER_AXIS, type Place, pointerCount, pointerOf, strideOf } from './access.ts';
import type { ModuleContext } from './context.ts';
import { Code, type Local } from './encoder.ts';
import { emitRegisterStores, fitsRegisters, registerNest } from './epilogue.ts';
import { BATCH, COLUMN, fragment, POINT, packFunction, ROW, straight, THREAD, type Tiled } from './fragments.ts';
import { type Gathered, tableKernel } from './gather.ts';
import { type CompiledKernel, compileLoop, kernelParameters } from './loop.ts';
import { asLoop, copyRows, isFarApart, isStrided, K, M, N, packTiles, separateLoad } from './operands.ts';
import { prepared, type SharedPanels } from './panels.ts';
import { type ProductMemory, touchesByColumns, touchesByRows } from './productTouches.ts';
import { emitTile, type TileRows } from './tile.ts';
import { accessesOf, movedTo, spanOf, touchesOf } from './touches.ts';
import { Values } from './values.ts';

/** Parameters of a kernel's function in front of the pointers. */
const POINTERS = 3;
/** Rows of a product that threads share row by row, not tile by tile: elementwise kernels before and after it divide theirs likewise. */
const FEW_ROWS = 256;
/** Bytes of a product's sums up to which they are kept until their rows are whole. */
const MOST_SUMS = 2 ** 17;

/** A as kept in memory, through a table of offsets, or copied to memory by a kernel that runs before. */
export function compileMatmul(
  kernel: MatmulKernel,
  places: readonly Place[],
  context: ModuleContext,
  shared?: SharedPanels,
): readonly CompiledKernel[] {
  const product = prepared(kernel);
  const { m, n, k, a, b } = product;
  const isDot = n === 1 || (m === 1 && b.kind === 'load' && strideOf(b.at, K) === 1);
  if (isDot) return [compileLoop(asLoop(product), places, context.library)];
  const strided = isStrided(a, places, [M, K]);
  if (strided && !isFarApart(a, kernel)) return new MatmulEmitter(product, places, context, { shared }).emit();
  const parts = strided ? undefined : separateLoad(a, places);
  if (parts !== undefined) {
    const table: Place = { base: context.scratch.take(4 * k), dtype: 'i32', length: k };
    const fill = tableKernel(kernel.name, parts.moving, K, k, places.length);
    const gathered = { table, fixed: parts.fixed };
    return [
      compileLoop(fill, [...places, table], context.library),
      ...new MatmulEmitter(product, places, context, { shared, gathered }).emit(),
    ];
  }
  if (isStrided(a, places, [M, K], true) && strideOf(a.at, M) === 1) {
    const { packing, packed } = packTiles(product, context, places.length);
    const all = [...places, packed];
    const emitter = new MatmulEmitter(product, all, context, { shared, packed });
    return [compileLoop(packing, all, context.library), ...emitter.emit()];
  }
  const { copying, copy, copied } = copyRows(product, context, places.length);
  const all = [...places, copy];
  return [compileLoop(copying, all, context.library), ...new MatmulEmitter(copied, all, context, { shared }).emit()];
}

/** How a product finds its operands, where not as its scalars say. */
interface Operands {
  /** Where B lies in panels for several products. */
  readonly shared: SharedPanels | undefined;
  readonly gathered?: Gathered;
  /** A in tiles, as `packTiles` lays them out. */
  readonly packed?: Place;
}

class MatmulEmitter implements Tiled {
  readonly kernel: MatmulKernel;
  readonly places: readonly Place[];
  readonly context: ModuleContext;
  private readonly gathered: Gathered | undefined;
  /** A in tiles, as `packTiles` lays them out. */
  private readonly packed: Place | undefined;
  private readonly code: Code;
  private readonly values: Values;
  /** The same places and locals, four columns at a time: what is stored while sums are in registers. */
  private readonly registers: Values;
  private readonly inRegisters: boolean;
  readonly width: number;
  readonly panels: number;
  /** The packed panel of each thread, or all panels if they are shared. */
  private readonly panel: Place | undefined;
  private readonly shared: SharedPanels | undefined;
  /** Threads share rows, not tiles; and what is stored is stored when all sums of a row are known. */
  private readonly byRows: boolean;
  private readonly wholeRows: boolean;
  /** The sums that are yet to be worked off: a tile of each thread, or all rows. */
  private readonly sums: Place;
  readonly sumsWidth: number;
  /** What the stages of what is stored pass on, a share for each thread. */
  readonly strips: Place[] = [];
  private readonly point: Local;
  private readonly rowTile: Local;
  private readonly batch: Local;
  private readonly row: Local;
  private readonly column: Local;

  constructor(
    kernel: MatmulKernel,
    places: readonly Place[],
    context: ModuleContext,
    { shared, gathered, packed }: Operands,
  ) {
    this.kernel = kernel;
    this.code = new Code(kernelParameters(places));
    [this.point, this.rowTile, this.batch, this.row, this.column] = Array.from({ length: 5 }, () =>
      this.code.local('i32'),
    ) as [Local, Local, Local, Local, Local];
    this.packed = packed;
    this.context = context;
    this.gathered = gathered;
    const { rows, vectors } = context.tile;
    this.width = 4 * vectors;
    this.panels = Math.ceil(kernel.n / this.width);
    const direct = this.readsDirectly(places);
    this.shared = direct ? undefined : shared;
    // Threads that share rows stay with them from kernel to kernel; but each would have to pack all panels.
    this.byRows =
      (direct || this.shared !== undefined) &&
      packed === undefined &&
      kernel.batch === 1 &&
      kernel.m <= FEW_ROWS &&
      kernel.m >= 4 * context.threads;
    this.inRegisters = fitsRegisters(kernel, places);
    const rowLength = this.panels * this.width;
    // Results that lie in many places are read and written row by row, which the processor foresees, not tile by tile.
    const isSpread = kernel.stores.length > 1;
    this.wholeRows = this.byRows && isSpread && !this.inRegisters && 4 * kernel.m * rowLength <= MOST_SUMS;
    this.sumsWidth = this.wholeRows ? rowLength : this.width;
    const sumsLength = this.wholeRows ? kernel.m * rowLength : context.threads * rows * this.width;
    const copies = this.shared === undefined ? context.threads : kernel.batch * this.panels;
    const panelLength = copies * kernel.k * this.width;
    const own = direct || this.shared !== undefined ? 0 : panelLength;
    // Scratch regions of one kernel must not overlap: one request for all of them.
    const base = context.scratch.take(4 * (sumsLength + own));
    this.sums = { base, dtype: 'f32', length: sumsLength };
    const panelBase = this.shared?.base ?? base + 4 * sumsLength;
    this.panel = direct ? undefined : { base: panelBase, dtype: 'f32', length: panelLength };
    this.places = [...places, this.sums, this.panel ?? this.sums];
    this.values = new Values(this.code, context.library, straight(this.places));
    this.registers = new Values(this.code, context.library, registerNest(this.places, PARAMETER_AXIS + 3));
    for (const values of [this.values, this.registers]) {
      for (const [i, local] of [2, this.batch, this.row, this.column, this.point].entries()) {
        values.bindAxis(PARAMETER_AXIS + i, local);
      }
      values.bindPointers(POINTERS);
    }
  }

  /** B needs no packing where its rows are contiguous and either few (they stay in the first-level cache) or used by few rows of A. */
  private readsDirectly(places: readonly Place[]): boolean {
    const { b, m, k } = this.kernel;
    if (!isStrided(b, places, [K]) || strideOf(b.at, N) !== 1) return false;
    const few = k <= 128 && (strideOf(b.at, K)! * 4) % 4096 !== 0;
    return few || m <= 2 * this.context.tile.rows;
  }

  /** The product, after the packing of its right operand where other products share that and none has packed it yet. */
  emit(): readonly CompiledKernel[] {
    const { shared, panel } = this;
    const pack = panel === undefined || shared?.isPacked === true ? undefined : packFunction(this, panel);
    if (shared === undefined) return [this.emitProduct(pack)];
    shared.isPacked = true;
    return [...(pack === undefined ? [] : [this.packAll(pack)]), this.emitProduct(undefined)];
  }

  /** Packs every panel into a place of its own: `pack` takes the number of the panel for that of the thread. */
  private packAll(pack: number): CompiledKernel {
    const code = new Code(kernelParameters(this.places));
    const { batch, k } = this.kernel;
    const { panels, width } = this;
    const point = code.local('i32');
    code.get(0).count(
      point,
      1,
      () => code.get(1),
      () => {
        code.i32(0).i32(k).get(point);
        code.get(point).i32(panels).op('i32.div_u').i32(0);
        code.get(point).i32(panels).op('i32.rem_u').i32(width).op('i32.mul');
        this.pass(code).call(pack);
      },
    );
    const accesses = accessesOf([this.kernel.b], []);
    const extents = [batch, 1, this.kernel.n, k];
    const reads = (own: readonly Place[]) => touchesOf(accesses, movedTo(own, this.places), extents, []).reads;
    const touches = (own: readonly Place[]) => () => ({ reads: reads(own), writes: [spanOf(this.panel!)] });
    return { code, points: batch * panels, granule: 1, touches };
  }

  private emitProduct(pack: number | undefined): CompiledKernel {
    const { code, kernel, panels } = this;
    const { threads, tile } = this.context;
    const points = kernel.batch * panels;
    const rowTiles = Math.ceil(kernel.m / tile.rows);
    if (this.byRows) return this.emitByRows();
    const byColumns = points >= 4 * threads || points >= rowTiles;
    const from = (divided: boolean) => (divided ? code.get(0) : code.i32(0));
    const to = (divided: boolean, count: number) => () => (divided ? code.get(1) : code.i32(count));
    from(byColumns).count(this.point, 1, to(byColumns, points), () => {
      this.emitPoint();
      if (pack !== undefined) {
        code.i32(0).i32(kernel.k).get(2).get(this.batch).get(this.row).get(this.column);
        this.pass(code).call(pack);
      }
      from(!byColumns).count(this.rowTile, 1, to(!byColumns, rowTiles), () => this.emitRows(rowTiles));
    });
    const touches = byColumns ? touchesByColumns(this.memory(), this.width) : touchesByRows(this.memory(), tile.rows);
    return { code, points: byColumns ? points : rowTiles, granule: 1, touches };
  }

  /** Each thread takes some rows. */
  private emitByRows(): CompiledKernel {
    const { code, kernel, panels } = this;
    const granule = Math.ceil(kernel.m / this.context.threads);
    const all = () => code.i32(panels);
    code.i32(0).count(this.point, 1, all, () => {
      this.emitPoint();
      this.emitRowTiles(granule, rows => this.emitColumns(rows));
    });
    if (this.wholeRows) {
      code.i32(0).set(this.column);
      this.emitRowTiles(granule, rows => this.callEpilogue(rows, kernel.n));
    }
    return { code, points: kernel.m, granule, touches: touchesByRows(this.memory(), 1) };
  }

  /** Whole tiles of the thread's rows, and a lower one for the rest, where threads take `granule` of them. */
  private emitRowTiles(granule: number, body: (rows: number) => void): void {
    const { code } = this;
    const { m } = this.kernel;
    const { rows } = this.context.tile;
    const last = m - granule * Math.floor((m - 1) / granule);
    const rests = new Set([m, granule, last].map(count => count % rows));
    rests.delete(0);
    const end = () =>
      code
        .get(1)
        .i32(rows - 1)
        .op('i32.sub');
    code.get(0).count(this.row, rows, end, () => body(rows));
    for (const rest of rests) {
      code.get(this.row).i32(rest).op('i32.add').get(1).op('i32.eq');
      code.if(() => body(rest));
    }
  }

  private memory(): ProductMemory {
    const { kernel, places, gathered, packed, panel, sums } = this;
    const readsA = gathered === undefined && packed === undefined;
    const scalars = [...(readsA ? [kernel.a] : []), ...(this.shared ? [] : [kernel.b])];
    const whole = gathered === undefined ? [] : [(kernel.a as Scalar & { kind: 'load' }).buffer];
    const tables = [gathered?.table, packed, this.shared && panel].filter(place => place !== undefined);
    const shares = [...this.strips, ...(this.wholeRows ? [] : [sums]), ...(panel && !this.shared ? [panel] : [])];
    const kept = mul(axis(M), constant(this.sumsWidth));
    const stores = this.wholeRows
      ? [{ buffer: places.length - 2, at: add(kept, axis(N)), value: constant(0, 'f32') }, ...kernel.stores]
      : kernel.stores;
    return { kernel, places, scalars, stores, whole, tables, shares, threads: this.context.threads };
  }

  /** Pushes the pointers for a function over the same places. */
  private pass(code: Code): Code {
    for (let i = 0; i < pointerCount(this.places); i++) code.get(POINTERS + i);
    return code;
  }

  /** Batch and first column of the panel numbered `point`. */
  private emitPoint(): void {
    const { code, kernel, panels, width } = this;
    if (kernel.batch > 1) code.get(this.point).i32(panels).op('i32.div_u').set(this.batch);
    code.get(this.point);
    if (kernel.batch > 1) code.i32(panels).op('i32.rem_u');
    code.i32(width).op('i32.mul').set(this.column);
  }

  private emitRows(rowTiles: number): void {
    const { code, kernel } = this;
    const { rows } = this.context.tile;
    const rest = kernel.m % rows;
    code.get(this.rowTile).i32(rows).op('i32.mul').set(this.row);
    if (rest === 0) this.emitColumns(rows);
    else if (rowTiles === 1) this.emitColumns(rest);
    else {
      code
        .get(this.rowTile)
        .i32(rowTiles - 1)
        .op('i32.lt_s');
      code.if(
        () => this.emitColumns(rows),
        () => this.emitColumns(rest),
      );
    }
  }

  private emitColumns(rows: number): void {
    const { code, kernel, panels, width } = this;
    const rest = kernel.n % width;
    if (rest === 0) this.emitTile(rows, width);
    else if (panels === 1) this.emitTile(rows, rest);
    else {
      code
        .get(this.column)
        .i32((panels - 1) * width)
        .op('i32.lt_s');
      code.if(
        () => this.emitTile(rows, width),
        () => this.emitTile(rows, rest),
      );
    }
  }

  private emitTile(rows: number, columns: number): void {
    const { code, kernel, width } = this;
    const a = this.rowsOfA(rows);
    const b = this.panel === undefined ? this.operand(kernel.b, K) : this.panelOperand(this.panel, width);
    const vectors = Math.ceil(columns / 4);
    const fused = this.context.tile.fused;
    const sums = emitTile(code, { rows, vectors, k: kernel.k, a, b, fused });
    if (this.inRegisters && columns % 4 === 0)
      emitRegisterStores(this.registers, kernel.stores, [BATCH, ROW, COLUMN], sums);
    else this.emitEpilogue(sums, rows, columns);
  }

  private rowsOfA(rows: number): TileRows {
    if (this.gathered !== undefined) return this.gatheredRows(this.gathered, rows);
    const { a, m, k } = this.kernel;
    if (this.packed !== undefined) {
      const { rows: height } = this.context.tile;
      const row = add(mul(BATCH, constant(Math.ceil(m / height) * height)), ROW);
      const pointer = this.pointer(mul(row, constant(4 * k)));
      return { pointer, offset: this.packed.base, stepBytes: 4 * height, rowBytes: 4 };
    }
    return { ...this.operand(a, K), rowBytes: 4 * strideOf((a as Scalar & { kind: 'load' }).at, M)! };
  }

  /** A pointer a row; the whole address is in it, since what the table adds may be negative. */
  private gatheredRows({ table, fixed }: Gathered, rows: number): TileRows {
    const place = this.places[(this.kernel.a as Scalar & { kind: 'load' }).buffer]!;
    const base = add(pointerOf(place) ?? constant(0), constant(place.base));
    const pointers = Array.from({ length: rows }, (_, r) => {
      const at = substituteAxes(fixed, [BATCH, add(ROW, constant(r)), COLUMN, constant(0)]);
      return this.pointer(add(mul(at, constant(4)), base));
    });
    return { pointers, table: { pointer: this.pointer(constant(0)), offset: table.base, stepBytes: 4 } };
  }

  /** Pointer to the operand's element at the tile's first row or column and k = 0. */
  private operand(s: Scalar, along: number) {
    const { at, buffer } = s as Scalar & { kind: 'load' };
    const first = substituteAxes(at, [BATCH, ROW, COLUMN, constant(0)]);
    const { address, offset } = accessOf(first, this.places[buffer]!, undefined, []);
    return { pointer: this.pointer(address), offset, stepBytes: 4 * strideOf(at, along)! };
  }

  private panelOperand(panel: Place, width: number) {
    const address = mul(this.shared === undefined ? THREAD : POINT, constant(this.kernel.k * width * 4));
    return { pointer: this.pointer(address), offset: panel.base, stepBytes: width * 4 };
  }

  private pointer(address: Scalar): Local {
    const local = this.code.local('i32');
    this.values.emit(address, 'scalar');
    this.code.set(local);
    return local;
  }

  /** Sums go to memory, from where a small loop kernel reads them. */
  private emitEpilogue(sums: readonly (readonly Local[])[], rows: number, columns: number): void {
    const { code } = this;
    const pointer = this.pointer(mul(this.firstSum(), constant(4)));
    sums.forEach((row, r) => {
      row.forEach((sum, v) => {
        code
          .get(pointer)
          .get(sum)
          .memory('v128.store', this.sums.base + r * this.sumsWidth * 4 + 16 * v, 2);
      });
    });
    if (!this.wholeRows) this.callEpilogue(rows, columns);
  }

  /** Where the sum of row ROW and column COLUMN is kept. */
  private firstSum(): Scalar {
    return this.wholeRows
      ? add(mul(ROW, constant(this.sumsWidth)), COLUMN)
      : mul(THREAD, constant(this.context.tile.rows * this.width));
  }

  private callEpilogue(rows: number, columns: number): void {
    const { code } = this;
    code.i32(0).i32(rows).get(2).get(this.batch).get(this.row).get(this.column);
    this.pass(code).call(this.epilogueFunction(rows, columns));
  }

  /** The stores over a tile of the given size; axes 0 and 1 run over its rows and columns. */
  private epilogueFunction(rows: number, columns: number): number {
    const at = add(add(this.firstSum(), mul(axis(0), constant(this.sumsWidth))), axis(1));
    const sum = load(this.places.length - 2, at, 'f32');
    const index = [BATCH, add(ROW, axis(0)), add(COLUMN, axis(1)), constant(0)];
    const rewrite = (s: Scalar) => mapScalar(substituteAxes(s, index), x => (x.kind === 'reduced' ? sum : x));
    const stores = this.kernel.stores.map(
      (s): Store => ({ buffer: s.buffer, at: rewrite(s.at), value: rewrite(s.value) }),
    );
    return fragment(this, [rows, columns], stores);
  }
}
