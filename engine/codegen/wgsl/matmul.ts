/** Matrix products in WGSL: slices of both operands go to workgroup memory, each thread keeps a block of the product in registers. */
import type { MatmulKernel, Schedule } from '../../kernel/kernel.ts';
import { quotientText, remainderText } from './division.ts';
import { finishText, partialText, sumShader, vectorStores } from './finish.ts';
import { accessIn, accessOf, component, packer, type Side, vectorType } from './packing.ts';
import { indent, scalarWriter } from './scalarWriter.ts';
import {
  finishShader,
  fitsBindings,
  type Module,
  newModule,
  type Shader,
  scratchBinding,
  type WgslOptions,
} from './shader.ts';
import { partDepth, rankedTiles, type Tile, threadsOf } from './tiles.ts';

/** What the choice of a tile depends on: the shape, and how the operands lie. */
export function productKey(schedule: Schedule, kernel: MatmulKernel): string {
  const { batch, m, n, k, a, b } = kernel;
  const sides = [accessOf(schedule, kernel, a, 1), accessOf(schedule, kernel, b, 2)];
  const lie = sides.map(({ along, vector }) => {
    const isHalf = vector !== undefined && schedule.buffers[vector]!.dtype === 'f16';
    return `${along}${vector === undefined ? '' : '4'}${isHalf ? 'h' : ''}`;
  });
  return `${batch} ${m} ${n} ${k} ${lie.join(' ')}`;
}

/** The tile that a product gets: the one that was measured to be best, else the one that should be. */
export function tileOf(schedule: Schedule, kernel: MatmulKernel, options: WgslOptions): Tile {
  const measured = options.tiles?.get(productKey(schedule, kernel));
  return measured ?? rankedTiles(kernel, Math.ceil(kernel.k / partDepth(kernel, options)), options)[0]!;
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
interface Plan {
  readonly module: Module;
  readonly kernel: MatmulKernel;
  readonly tile: Tile;
  readonly a: Side;
  readonly b: Side;
  /** Threads of a row of the workgroup, and of a column. */
  readonly across: number;
  readonly down: number;
  /** Vectors that a thread's rows, and its columns, make. */
  readonly vectorRows: number;
  readonly vectorColumns: number;
  /** Depth of a part, and their number. */
  readonly part: number;
  readonly parts: number;
}

/** Elements of a vector of workgroup memory for a thread that has `n` rows or columns. */
const vectorOf = (n: number): number => (n % 4 === 0 ? 4 : n % 2 === 0 ? 2 : 1);

function planOf(schedule: Schedule, kernel: MatmulKernel, options: WgslOptions, part: number): Plan {
  const tile = tileOf(schedule, kernel, options);
  const { rows, columns, threadRows, threadColumns } = tile;
  const canBind = fitsBindings(kernel, options);
  const side = (own: 1 | 2, width: number, threadWidth: number): Side => {
    const operand = own === 1 ? kernel.a : kernel.b;
    const vector = vectorOf(threadWidth);
    const found = accessOf(schedule, kernel, operand, own);
    const isScalar = options.software;
    return {
      operand,
      axis: own,
      access: canBind && !isScalar ? accessIn(found, tile, width, vector) : { along: found.along },
      size: own === 1 ? kernel.m : kernel.n,
      width,
      vector,
      piece: isScalar ? Math.ceil(width / threadsOf(tile)) : vector,
      depth: kernel.k,
      shared: own === 1 ? 'tileA' : 'tileB',
      first: own === 1 ? 'row0' : 'column0',
    };
  };
  const [a, b] = [side(1, rows, threadRows), side(2, columns, threadColumns)];
  const parts = Math.ceil(kernel.k / part);
  const stored = canBind && parts === 1 && !options.software ? vectorStores(schedule, kernel, b.vector) : [];
  const vectors = new Set([a.access.vector ?? [], b.access.vector ?? [], ...stored].flat());
  // A product that leaves partial sums reads its operands alone.
  const own = newModule(schedule, parts === 1 ? kernel : { ...kernel, stores: [] }, options, vectors);
  const bindings = [scratchBinding('read_write'), ...own.bindings];
  return {
    module: parts === 1 ? own : { ...own, bindings },
    kernel,
    tile,
    a,
    b,
    across: columns / threadColumns,
    down: rows / threadRows,
    vectorRows: threadRows / a.vector,
    vectorColumns: threadColumns / b.vector,
    part,
    parts,
  };
}

function productShader(schedule: Schedule, kernel: MatmulKernel, options: WgslOptions, part: number): Shader {
  const plan = planOf(schedule, kernel, options, part);
  const { module, tile, a, b, parts } = plan;
  const { batch, m, n } = kernel;
  const array = (side: Side) =>
    `var<workgroup> ${side.shared}: array<${vectorType(side.vector)}, ${(side.width * tile.depth) / side.vector}>;\n`;
  const width = finishWidth(plan);
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
  const globals = `${array(a)}${array(b)}${finish}`;
  const shader = finishShader(
    module,
    kernel.name,
    workgroups,
    threadsOf(tile),
    globals,
    indent(mainLines(plan, finish.length)),
  );
  return parts === 1 ? shader : { ...shader, scratchBytes: parts * batch * m * n * 4 };
}

function mainLines(plan: Plan, finishLength: number): readonly string[] {
  const { module, kernel, tile, a, b, across, parts, part } = plan;
  const { k } = kernel;
  const writer = scalarWriter(module);
  return writer.nested(() => {
    writer.line(
      `let tx = i32(lane & ${across - 1}u);`,
      `let ty = i32(lane >> ${Math.log2(across)}u);`,
      `let x0 = i32(group.z)${parts === 1 ? '' : ` / ${parts}i`};`,
      `let row0 = i32(group.y) * ${tile.rows}i;`,
      `let column0 = i32(group.x) * ${tile.columns}i;`,
      `let begin = ${parts === 1 ? '0i' : `(i32(group.z) % ${parts}i) * ${part}i`};`,
    );
    writer.defineAxis(0, 'x0', kernel.batch);
    const packs = [packer(module, writer, a, tile, 10), packer(module, writer, b, tile, 110)];
    writer.line(...registersOf(plan).map(([i, j]) => `var c${i}_${j} = ${vectorType(b.vector)}(0f);`));
    const slice = (count: string, last?: number) =>
      writer.nested(() => {
        for (const pack of packs) pack.slice(last);
        writer.line('workgroupBarrier();', `for (var p = 0i; p < ${count}; p++) {\n${indent(multiplyLines(plan))}}`);
        writer.line('workgroupBarrier();');
      });
    const rest = k % tile.depth;
    // On software a last slice in the midst of the others, counted, instead of a text of its own.
    const whole = rest > 0 && module.options.software ? k : k - rest;
    if (whole > 0) {
      const end = parts === 1 ? `${whole}i` : `min(begin + ${part}i, ${whole}i)`;
      const isCounted = whole % tile.depth !== 0;
      const body = isCounted ? slice(`min(${tile.depth}i, ${k}i - k0)`, k - 1) : slice(`${tile.depth}i`);
      writer.line(`for (var k0 = begin; k0 < ${end}; k0 += ${tile.depth}i) {\n${indent(body)}}`);
    }
    if (k > whole) {
      // What is left of the depth: a slice that reads its last element instead of going beyond, and multiplies what counts.
      const body = indent([`let k0 = ${whole}i;`, ...slice(`${rest}i`, k - 1)]);
      writer.line(`${parts === 1 ? '{' : `if (begin + ${part}i >= ${k}i) {`}\n${body}}`);
    }
    writer.line(...finishLines(plan, finishLength));
  });
}

/** Row, and vector of columns, of each register. */
function registersOf({ tile, vectorColumns }: Plan): readonly (readonly [row: number, columns: number])[] {
  return Array.from({ length: tile.threadRows * vectorColumns }, (_, n) => [
    Math.floor(n / vectorColumns),
    n % vectorColumns,
  ]);
}

/** Step `p` of the sums of a thread's block. */
function multiplyLines(plan: Plan): readonly string[] {
  const { a, b, across, down, vectorRows, vectorColumns } = plan;
  const load = (name: string, side: Side, count: number, own: string, step: number) =>
    Array.from({ length: count }, (_, g) => {
      const place = `p * ${side.width / side.vector}i + ${own}${g === 0 ? '' : ` + ${g * step}i`}`;
      return `let ${name}${g} = ${side.shared}[${place}];`;
    });
  const products = registersOf(plan).map(([i, j]) => {
    const element = component(`a${Math.floor(i / a.vector)}`, i % a.vector, a.vector);
    const spread = b.vector === 1 ? element : `${vectorType(b.vector)}(${element})`;
    return `c${i}_${j} = fma(${spread}, b${j}, c${i}_${j});`;
  });
  return [...load('a', a, vectorRows, 'ty', down), ...load('b', b, vectorColumns, 'tx', across), ...products];
}

/** Characters of WGSL in all calls of `finish` together beyond which they are a loop: compilers put its text in place of each call. */
const LONG_FINISH = 20_000;

/** Columns that `finish` takes at once. */
const finishWidth = ({ module, b }: Plan): number => (module.options.software ? 1 : b.vector);

/** Calls `finish` for each register, or in a loop over a copy of them, which software compiles faster whatever the length. */
function finishLines(plan: Plan, length: number): readonly string[] {
  const { a, b, across, down, parts, vectorColumns, module } = plan;
  const registers = registersOf(plan);
  const batch = parts === 1 ? 'x0' : 'i32(group.z)';
  if (!module.options.software && length * registers.length <= LONG_FINISH)
    return registers.map(([i, j]) => {
      const row = `row0 + (ty + ${Math.floor(i / a.vector) * down}i) * ${a.vector}i + ${i % a.vector}i`;
      return `finish(${batch}, ${row}, column0 + (tx + ${j * across}i) * ${b.vector}i, c${i}_${j});`;
    });
  const number = { most: registers.length - 1, software: module.options.software };
  const type = vectorType(b.vector);
  const lane = b.vector === 1 || finishWidth(plan) > 1 ? undefined : b.vector;
  const row = `row0 + (ty + (i >> ${Math.log2(a.vector)}u) * ${down}i) * ${a.vector}i + (i & ${a.vector - 1}i)`;
  const column = `column0 + (tx + j * ${across}i) * ${b.vector}i`;
  const call =
    lane === undefined
      ? `finish(${batch}, ${row}, ${column}, done[n]);`
      : `for (var e = 0i; e < ${lane}i; e++) { finish(${batch}, ${row}, ${column} + e, done[n][e]); }`;
  return [
    `var done = array<${type}, ${registers.length}>(${registers.map(([i, j]) => `c${i}_${j}`).join(', ')});`,
    `for (var n = 0i; n < ${registers.length}i; n++) {`,
    `  let i = ${quotientText('n', vectorColumns, number)};`,
    `  let j = ${remainderText('n', vectorColumns, number, () => 'i')};`,
    `  ${call}`,
    '}',
  ];
}
