/** Sums of a product in subgroup matrices, which a subgroup multiplies as one; they reach the epilogue through workgroup memory. */
import type { Scalar } from '../../ir/scalar.ts';
import type { MatmulKernel, Schedule } from '../../kernel/kernel.ts';
import { roundToHalf } from '../../util/half.ts';
import type { Plan, Sums } from './matmul.ts';
import { indent } from './scalarWriter.ts';
import type { MatrixShape } from './tiles.ts';

/** Whether both operands of a product are numbers of f16, so that multiplying them as such loses nothing. */
export const hasHalves = (schedule: Schedule, { a, b }: MatmulKernel): boolean =>
  isHalf(schedule, a) && isHalf(schedule, b);

function isHalf(schedule: Schedule, s: Scalar): boolean {
  if (s.kind === 'constant') return roundToHalf(s.value) === s.value;
  if (s.kind === 'load') {
    const { dtype, isRounded } = schedule.buffers[s.buffer]!;
    return dtype === 'f16' || isRounded === true;
  }
  if (s.kind !== 'apply') return false;
  if (s.op === 'round_f16') return true;
  return s.op === 'select' && s.args.slice(1).every(arg => isHalf(schedule, arg));
}

/** The sums of each subgroup, kept in matrices of the shape `matrix`. */
export function matrixSums(plan: Plan, matrix: MatrixShape): Sums {
  const { module, tile, a, b, across } = plan;
  const { component, m, n, k, isChosen } = matrix;
  for (const name of ['subgroups', 'chromium_experimental_subgroup_matrix']) module.enables.add(name);
  if (component === 'f16') module.enables.add('f16');
  if (isChosen) module.enables.add('subgroup_size_control');
  const rows = [...Array(tile.threadRows / m).keys()];
  const columns = [...Array(tile.threadColumns / n).keys()];
  const left = `subgroupMatrixLoad<subgroup_matrix_left<${component}, ${k}, ${m}>, col_major>`;
  const right = `subgroupMatrixLoad<subgroup_matrix_right<${component}, ${n}, ${k}>, row_major>`;
  const step = [
    ...rows.map(i => `let a${i} = ${left}(&tileA, u32(p * ${a.stride}i + ownRow + ${i * m}i), ${a.stride}u);`),
    ...columns.map(j => `let b${j} = ${right}(&tileB, u32(p * ${b.stride}i + ownColumn + ${j * n}i), ${b.stride}u);`),
    ...rows.flatMap(i => columns.map(j => `c${i}_${j} = subgroupMatrixMultiplyAccumulate(a${i}, b${j}, c${i}_${j});`)),
  ];
  return {
    globals: `var<workgroup> tileC: array<f32, ${(tile.rows / tile.threadRows) * m * tile.columns}>;\n`,
    places: [
      `let ownRow = i32(team) / ${across}i * ${tile.threadRows}i;`,
      `let ownColumn = i32(team) % ${across}i * ${tile.threadColumns}i;`,
      `let ownSums = i32(team) * ${m * tile.threadColumns}i;`,
    ],
    begin: rows.flatMap(i => columns.map(j => `var c${i}_${j}: subgroup_matrix_result<f32, ${n}, ${m}>;`)),
    // What is left of the depth is padded with zeros.
    multiply(count, from) {
      const end = from === undefined ? count : `${from} + ${count}`;
      return `for (var p = ${from ?? '0i'}; p < ${end}; p += ${k}i) {\n${indent(step)}}`;
    },
    finish: rows.flatMap(i => finishLines(plan, matrix, i, columns)),
  };
}

/** Row `i` of a subgroup's matrices goes to its part of workgroup memory, from where its threads take vectors. */
function finishLines(
  { tile, b, parts }: Plan,
  { m, n, subgroup }: MatrixShape,
  i: number,
  columns: readonly number[],
): readonly string[] {
  const { vector } = b;
  const across = tile.threadColumns / vector;
  const values = Array.from({ length: vector }, (_, e) => `tileC[at + ${e}i]`).join(', ');
  const each = [
    `let at = ownSums + e * ${vector}i;`,
    `let row = row0 + ownRow + ${i * m}i + e / ${across}i;`,
    `let column = column0 + ownColumn + e % ${across}i * ${vector}i;`,
    `finish(${parts === 1 ? 'x0' : 'i32(group.z)'}, row, column, vec${vector}<f32>(${values}));`,
  ];
  return [
    ...(i === 0 ? [] : ['workgroupBarrier();']),
    ...columns.map(
      j => `subgroupMatrixStore<row_major>(&tileC, u32(ownSums + ${j * n}i), c${i}_${j}, ${tile.threadColumns}u);`,
    ),
    'workgroupBarrier();',
    `for (var e = i32(member); e < ${m * across}i; e += ${subgroup}i) {\n${indent(each)}}`,
  ];
}
