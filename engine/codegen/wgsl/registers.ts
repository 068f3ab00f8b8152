/** Sums of a product in registers: each thread reads rows and columns of the slices and keeps a block of its own. */
import { quotientText, remainderText } from './division.ts';
import type { Plan, Sums } from './matmul.ts';
import { component, type Side, vectorType } from './packing.ts';
import { indent } from './scalarWriter.ts';

/** The sums of each thread; `finishLength` is how long the text of `finish` is. */
export function registerSums(plan: Plan, finishLength: number): Sums {
  const { b, across } = plan;
  return {
    globals: '',
    places: [`let tx = i32(lane & ${across - 1}u);`, `let ty = i32(lane >> ${Math.log2(across)}u);`],
    begin: registersOf(plan).map(([i, j]) => `var c${i}_${j} = ${vectorType(b.vector)}(0f);`),
    multiply(count, from) {
      const end = from === undefined ? count : `${from} + ${count}`;
      return `for (var p = ${from ?? '0i'}; p < ${end}; p++) {\n${indent(multiplyLines(plan))}}`;
    },
    finish: finishLines(plan, finishLength),
  };
}

/** Row, and vector of columns, of each register. */
function registersOf({ tile, b }: Plan): readonly (readonly [row: number, columns: number])[] {
  const vectorColumns = tile.threadColumns / b.vector;
  return Array.from({ length: tile.threadRows * vectorColumns }, (_, n) => [
    Math.floor(n / vectorColumns),
    n % vectorColumns,
  ]);
}

/** Step `p` of the sums of a thread's block. */
function multiplyLines(plan: Plan): readonly string[] {
  const { tile, a, b, across, down } = plan;
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
  return [
    ...load('a', a, tile.threadRows / a.vector, 'ty', down),
    ...load('b', b, tile.threadColumns / b.vector, 'tx', across),
    ...products,
  ];
}

/** Characters of WGSL in all calls of `finish` together beyond which they are a loop: compilers put its text in place of each call. */
const LONG_FINISH = 20_000;

/** Calls `finish` for each register, or in a loop over a copy of them, which software compiles faster whatever the length. */
function finishLines(plan: Plan, length: number): readonly string[] {
  const { tile, a, b, across, down, parts, module } = plan;
  const registers = registersOf(plan);
  const batch = parts === 1 ? 'x0' : 'i32(group.z)';
  if (!module.options.software && length * registers.length <= LONG_FINISH)
    return registers.map(([i, j]) => {
      const row = `row0 + (ty + ${Math.floor(i / a.vector) * down}i) * ${a.vector}i + ${i % a.vector}i`;
      return `finish(${batch}, ${row}, column0 + (tx + ${j * across}i) * ${b.vector}i, c${i}_${j});`;
    });
  const vectorColumns = tile.threadColumns / b.vector;
  const number = { most: registers.length - 1, software: module.options.software };
  const type = vectorType(b.vector);
  const lane = b.vector === 1 || plan.finishWidth > 1 ? undefined : b.vector;
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
