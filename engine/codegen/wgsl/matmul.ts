/** Matrix products in WGSL: tiles of both operands are packed into workgroup memory, each thread accumulates a small block of registers. */
import type { Scalar } from '../../ir/scalar.ts';
import type { MatmulKernel, Schedule } from '../../kernel/kernel.ts';
import { affine } from '../../kernel/scalar.ts';
import { indent, scalarWriter } from './scalarWriter.ts';
import { finishShader, type Module, newModule, type Shader, storeText, type WgslOptions } from './shader.ts';

interface Tile {
  /** Rows and columns of the workgroup's block of the product. */
  readonly rows: number;
  readonly columns: number;
  /** Of each thread's block. */
  readonly perThread: number;
  /** Depth of a packed slice. */
  readonly depth: number;
}

const tiles: readonly Tile[] = [
  { rows: 64, columns: 64, perThread: 4, depth: 16 },
  { rows: 32, columns: 32, perThread: 2, depth: 32 },
  { rows: 16, columns: 16, perThread: 1, depth: 32 },
];

/** Fewer workgroups than this leave parts of a GPU idle. */
const ENOUGH_GROUPS = 96;

/** The largest tile that still makes enough workgroups and wastes less than half of itself on the edges. */
function chooseTile({ batch, m, n }: MatmulKernel, { software }: WgslOptions): Tile {
  const fits = (t: Tile) => {
    const blocks = Math.ceil(m / t.rows) * Math.ceil(n / t.columns);
    const useful = (m * n) / (blocks * t.rows * t.columns);
    return useful > 0.5 && (software || blocks * batch >= ENOUGH_GROUPS);
  };
  return tiles.find(fits) ?? tiles.at(-1)!;
}

export function matmulShader(schedule: Schedule, kernel: MatmulKernel, options: WgslOptions): Shader {
  const module = newModule(schedule, kernel, options);
  const tile = chooseTile(kernel, options);
  const { rows, columns, perThread: r, depth } = tile;
  const [across, down] = [columns / r, rows / r];
  const threads = across * down;
  const left = packText(
    module,
    kernel.a,
    { name: 'packA', axis: 1, size: kernel.m, shared: 'tileA', width: rows, other: 'row0' },
    kernel.k,
    depth,
    threads,
  );
  const right = packText(
    module,
    kernel.b,
    { name: 'packB', axis: 2, size: kernel.n, shared: 'tileB', width: columns, other: 'column0' },
    kernel.k,
    depth,
    threads,
  );
  const registers = Array.from({ length: r * r }, (_, i) => `var c${i} = 0f;`).join(' ');
  const range = [...Array(r).keys()];
  const operands = [
    ...range.map(i => `let a${i} = tileA[p * ${rows}u + ty + ${i * down}u];`),
    ...range.map(j => `let b${j} = tileB[p * ${columns}u + tx + ${j * across}u];`),
  ];
  const products = range.flatMap(i => range.map(j => `c${i * r + j} = fma(a${i}, b${j}, c${i * r + j});`));
  const finish = range.flatMap(i =>
    range.map(j => `finish(batch, row0 + i32(ty) + ${i * down}i, column0 + i32(tx) + ${j * across}i, c${i * r + j});`),
  );
  const code = `var<workgroup> tileA: array<f32, ${rows * depth}>;
var<workgroup> tileB: array<f32, ${columns * depth}>;
${left}${right}${finishText(module, kernel, tile)}
@compute @workgroup_size(${threads})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let tx = lane % ${across}u;
  let ty = lane / ${across}u;
  let batch = i32(group.z);
  let row0 = i32(group.y) * ${rows}i;
  let column0 = i32(group.x) * ${columns}i;
  ${registers}
  for (var k0 = 0i; k0 < ${kernel.k}i; k0 += ${depth}i) {
    packA(lane, batch, row0, k0);
    packB(lane, batch, column0, k0);
    workgroupBarrier();
    for (var p = 0u; p < ${depth}u; p++) {
${indent([...operands, ...products], '      ')}    }
    workgroupBarrier();
  }
${indent(finish)}}
`;
  return finishShader(
    module,
    kernel.name,
    [Math.ceil(kernel.n / columns), Math.ceil(kernel.m / rows), kernel.batch],
    code,
  );
}

interface Side {
  readonly name: string;
  /** 1 for rows of A, 2 for columns of B. */
  readonly axis: number;
  readonly size: number;
  readonly shared: string;
  readonly width: number;
  readonly other: string;
}

/** A function that packs a slice of an operand, [depth][width], zeros beyond the edges; neighbouring threads read along the smaller stride. */
function packText(module: Module, operand: Scalar, side: Side, k: number, depth: number, threads: number): string {
  const writer = scalarWriter(module);
  const strides = operand.kind === 'load' ? affine(operand.at)?.strides : undefined;
  const alongDepth = Math.abs(strides?.get(3) ?? 0) === 1;
  const { name, axis, size, shared, width, other } = side;
  const [p, w] = alongDepth ? [`i % ${depth}u`, `i / ${depth}u`] : [`i / ${width}u`, `i % ${width}u`];
  const checks = [...(size % width === 0 ? [] : [`x${axis} < ${size}i`]), ...(k % depth === 0 ? [] : [`x3 < ${k}i`])];
  const lines = writer.nested(() => {
    writer.defineAxis(0, 'x0');
    writer.defineAxis(axis, `x${axis}`);
    writer.defineAxis(3, 'x3');
    writer.line(`value = ${writer.write(operand)};`);
  });
  const guarded =
    checks.length === 0
      ? indent(lines, '    ')
      : `    if (${checks.join(' && ')}) {\n${indent(lines, '      ')}    }\n`;
  return `fn ${name}(lane: u32, x0: i32, ${other}: i32, k0: i32) {
  for (var i = lane; i < ${depth * width}u; i += ${threads}u) {
    let p = ${p};
    let w = ${w};
    let x${axis} = ${other} + i32(w);
    let x3 = k0 + i32(p);
    var value = 0f;
${guarded}    ${shared}[p * ${width}u + w] = value;
  }
}
`;
}

/** A function that stores what becomes of one element of the product. */
function finishText(module: Module, kernel: MatmulKernel, { rows, columns }: Tile): string {
  const writer = scalarWriter(module);
  const checks = [
    ...(kernel.m % rows === 0 ? [] : [`x1 >= ${kernel.m}i`]),
    ...(kernel.n % columns === 0 ? [] : [`x2 >= ${kernel.n}i`]),
  ];
  const lines = writer.nested(() => {
    for (const n of [0, 1, 2]) writer.defineAxis(n, `x${n}`);
    writer.defineSlot(0, 'r0');
    writer.line(...kernel.stores.map(s => storeText(module, s.buffer, writer.index(s.at), writer.write(s.value))));
  });
  return `fn finish(x0: i32, x1: i32, x2: i32, r0: f32) {
${checks.length > 0 ? `  if (${checks.join(' || ')}) { return; }\n` : ''}${indent(lines)}}
`;
}
