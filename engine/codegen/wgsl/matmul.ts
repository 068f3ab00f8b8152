/** Matrix products in WGSL: slices of both operands go to workgroup memory, threads or subgroups multiply them and keep the sums. */
import type { MatmulKernel, Schedule } from '../../kernel/kernel.ts';
import { finishText, partialText, sumShader, vectorStores } from './finish.ts';
import { hasHalves, matrixSums } from './matrices.ts';
import { accessIn, accessOf, type Packer, packer, type Side, sliceText } from './packing.ts';
import { registerSums } from './registers.ts';
import { indent, type ScalarWriter, scalarWriter } from './scalarWriter.ts';
import {
  finishShader,
  fitsBindings,
  type Module,
  newModule,
  type Shader,
  scratchBinding,
  type WgslOptions,
} from './shader.ts';
import { partDepth, rankedTiles, slicePadding, type Tile, threadsOf } from './tiles.ts';

/** What the choice of a tile depends on: the shape, how the operands lie, and whether they are numbers of f16. */
export function productKey(schedule: Schedule, kernel: MatmulKernel): string {
  const { batch, m, n, k, a, b } = kernel;
  const sides = [accessOf(schedule, kernel, a, 1), accessOf(schedule, kernel, b, 2)];
  const lie = sides.map(({ along, vector }) => {
    const isHalf = vector !== undefined && schedule.buffers[vector]!.dtype === 'f16';
    return `${along}${vector === undefined ? '' : '4'}${isHalf ? 'h' : ''}`;
  });
  return `${batch} ${m} ${n} ${k} ${lie.join(' ')}${hasHalves(schedule, kernel) ? ' f16' : ''}`;
}

/** Tiles that a product may get, the one that should be fastest first; the sums of all of them have the same bits. */
export function candidates(schedule: Schedule, kernel: MatmulKernel, options: WgslOptions): readonly Tile[] {
  const { matrices = [] } = options;
  const suiting = matrices.filter(({ component }) => component === 'f32' || hasHalves(schedule, kernel));
  return rankedTiles(kernel, Math.ceil(kernel.k / partDepth(kernel, options)), options, suiting);
}

/** The tile that a product gets: the one that was measured to be best, else the one that should be. */
export function tileOf(schedule: Schedule, kernel: MatmulKernel, options: WgslOptions): Tile {
  return options.tiles?.get(productKey(schedule, kernel)) ?? candidates(schedule, kernel, options)[0]!;
}

/** One dispatch, or two where the depth is split: partial sums, then their sum and what becomes of it. */
export function matmulShaders(schedule: Schedule, kernel: MatmulKernel, options: WgslOptions): readonly Shader[] {
  const canSplit = fitsBindings(kernel, options);
  const part = canSplit ? partDepth(kernel, options) : kernel.k;
  const product = productShader(schedule, kernel, options, part);
  const parts = Math.ceil(kernel.k / part);
  return parts === 1 ? [product] : [product, sumShader(schedule, kernel, options, parts)];
}

/** A product about to be written: how it is cut up. */
export interface Plan {
  readonly module: Module;
  readonly kernel: MatmulKernel;
  readonly tile: Tile;
  readonly a: Side;
  readonly b: Side;
  /** Threads, or subgroups, of a row of the workgroup, and of a column. */
  readonly across: number;
  readonly down: number;
  /** Columns that `finish` takes at once. */
  readonly finishWidth: number;
  /** Depth of a part, and their number. */
  readonly part: number;
  readonly parts: number;
}

/** How the sums of a workgroup's block are kept and added up. */
export interface Sums {
  /** Workgroup memory beside the slices. */
  readonly globals: string;
  /** Statements that say which part of the block is the thread's own, those that begin its sums, … */
  readonly places: readonly string[];
  readonly begin: readonly string[];
  /** … that add up `count` steps of a slice from step `from` of workgroup memory, and that hand the sums to `finish`. */
  multiply(count: string, from?: string): string;
  readonly finish: readonly string[];
}

/** Elements of a vector of workgroup memory for a thread that has `n` rows or columns. */
const vectorOf = (n: number): number => (n % 4 === 0 ? 4 : n % 2 === 0 ? 2 : 1);

function planOf(schedule: Schedule, kernel: MatmulKernel, options: WgslOptions, part: number): Plan {
  const tile = tileOf(schedule, kernel, options);
  const { rows, columns, threadRows, threadColumns } = tile;
  const canBind = fitsBindings(kernel, options);
  const isScalar = options.software && tile.matrix === undefined && !tile.isAhead;
  const side = (own: 1 | 2, width: number, threadWidth: number): Side => {
    const operand = own === 1 ? kernel.a : kernel.b;
    const vector = tile.matrix === undefined ? vectorOf(threadWidth) : 4;
    const found = accessOf(schedule, kernel, operand, own);
    return {
      operand,
      axis: own,
      access: canBind && !isScalar ? accessIn(found, tile, width, vector) : { along: found.along },
      size: own === 1 ? kernel.m : kernel.n,
      width,
      vector,
      piece: isScalar ? Math.ceil(width / threadsOf(tile)) : vector,
      depth: kernel.k,
      stride: width + slicePadding(tile),
      isFlat: tile.matrix !== undefined,
      element: tile.matrix?.component ?? 'f32',
      shared: own === 1 ? 'tileA' : 'tileB',
      first: own === 1 ? 'row0' : 'column0',
    };
  };
  const [a, b] = [side(1, rows, threadRows), side(2, columns, threadColumns)];
  const parts = Math.ceil(kernel.k / part);
  const finishWidth = isScalar ? 1 : b.vector;
  const stored = canBind && parts === 1 ? vectorStores(schedule, kernel, finishWidth) : [];
  const vectors = new Set([a.access.vector ?? [], b.access.vector ?? [], ...stored].flat());
  // A product that leaves partial sums reads its operands alone.
  const own = newModule(schedule, parts === 1 ? kernel : { ...kernel, stores: [] }, options, vectors);
  const bindings = parts === 1 ? own.bindings : [scratchBinding('read_write'), ...own.bindings];
  return {
    module: { ...own, bindings, subgroup: tile.matrix?.isChosen ? tile.matrix.subgroup : undefined },
    kernel,
    tile,
    a,
    b,
    across: columns / threadColumns,
    down: rows / threadRows,
    finishWidth,
    part,
    parts,
  };
}

function productShader(schedule: Schedule, kernel: MatmulKernel, options: WgslOptions, part: number): Shader {
  const plan = planOf(schedule, kernel, options, part);
  const { module, tile, a, b, finishWidth: width, parts } = plan;
  const { batch, m, n } = kernel;
  const finish =
    parts === 1
      ? finishText(
          module,
          kernel,
          width,
          tile,
          vectorStores(schedule, kernel, fitsBindings(kernel, options) ? width : 1),
        )
      : partialText(module, kernel, width, tile);
  const workgroups = [Math.ceil(n / tile.columns), Math.ceil(m / tile.rows), batch * parts] as const;
  const sums = tile.matrix === undefined ? registerSums(plan, finish.length) : matrixSums(plan, tile.matrix);
  const globals = `${sliceText(a, tile)}${sliceText(b, tile)}${sums.globals}${finish}`;
  const body = indent(mainLines(plan, sums));
  const shader = finishShader(module, kernel.name, workgroups, threadsOf(tile), globals, body);
  return parts === 1 ? shader : { ...shader, scratchBytes: parts * batch * m * n * 4 };
}

function mainLines(plan: Plan, sums: Sums): readonly string[] {
  const { module, kernel, tile, a, b, parts, part } = plan;
  const { k } = kernel;
  const writer = scalarWriter(module);
  return writer.nested(() => {
    writer.line(
      ...sums.places,
      `let x0 = i32(group.z)${parts === 1 ? '' : ` / ${parts}i`};`,
      `let row0 = i32(group.y) * ${tile.rows}i;`,
      `let column0 = i32(group.x) * ${tile.columns}i;`,
      `let begin = ${parts === 1 ? '0i' : `(i32(group.z) % ${parts}i) * ${part}i`};`,
    );
    writer.defineAxis(0, 'x0', kernel.batch);
    const packs = [packer(module, writer, a, tile, 10), packer(module, writer, b, tile, 110)];
    writer.line(...sums.begin);
    const slice = (count: string, last?: number) =>
      writer.nested(() => {
        for (const pack of packs) pack.slice(last);
        writer.line('workgroupBarrier();', sums.multiply(count), 'workgroupBarrier();');
      });
    const rest = k % tile.depth;
    // On software a last slice in the midst of the others, counted, instead of a text of its own.
    const whole = rest > 0 && module.options.software && !tile.isAhead ? k : k - rest;
    if (whole > 0) {
      const end = parts === 1 ? `${whole}i` : `min(begin + ${part}i, ${whole}i)`;
      const isCounted = whole % tile.depth !== 0;
      const loop = `for (var k0 = begin; k0 < ${end}; k0 += ${tile.depth}i) {`;
      const body = isCounted ? slice(`min(${tile.depth}i, ${k}i - k0)`, k - 1) : slice(`${tile.depth}i`);
      if (tile.isAhead) writer.line(...aheadLines(plan, sums, writer, packs, loop));
      else writer.line(`${loop}\n${indent(body)}}`);
    }
    if (k > whole) {
      // What is left of the depth: a slice that reads its last element instead of going beyond, and multiplies what counts.
      const body = indent([`let k0 = ${whole}i;`, ...slice(`${rest}i`, k - 1)]);
      writer.line(`${parts === 1 ? '{' : `if (begin + ${part}i >= ${k}i) {`}\n${body}}`);
    }
    writer.line(...sums.finish);
  });
}

/** All whole slices: while one is multiplied, the next, or the last once more, is on its way from memory. */
function aheadLines(
  { kernel, tile }: Plan,
  sums: Sums,
  writer: ScalarWriter,
  packs: readonly Packer[],
  loop: string,
): readonly string[] {
  const { depth } = tile;
  const last = kernel.k - (kernel.k % depth) - depth;
  for (const pack of packs) pack.declareNext();
  const fetch = (at: string) => {
    const body = writer.nested(() => {
      writer.line(`let k0 = min(${at}, ${last}i);`);
      for (const pack of packs) pack.fetchNext();
    });
    return `{\n${indent(body)}}`;
  };
  const store = () =>
    writer.nested(() => {
      for (const pack of packs) pack.storeNext();
    });
  const each = [
    fetch(`k0 + ${depth}i`),
    sums.multiply(`${depth}i`, 'slot'),
    `slot = ${depth}i - slot;`,
    ...store(),
    'workgroupBarrier();',
  ];
  return ['var slot = 0i;', fetch('begin'), ...store(), 'workgroupBarrier();', `${loop}\n${indent(each)}}`];
}
