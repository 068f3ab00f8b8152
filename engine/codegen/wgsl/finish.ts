/** What becomes of the elements of a product once their sums are done: a function that a thread calls with a vector of neighbouring ones. */
import type { Scalar } from '../../ir/scalar.ts';
import type { BufferId, MatmulKernel, Schedule } from '../../kernel/kernel.ts';
import { affine, axis, constant, mapScalar, reduced } from '../../kernel/scalar.ts';
import { component, isVector, vectorType } from './packing.ts';
import { indent, scalarWriter } from './scalarWriter.ts';
import {
  bindingName,
  finishShader,
  type Module,
  newModule,
  type Shader,
  scratchBinding,
  storeText,
  storeVectorText,
  type WgslOptions,
} from './shader.ts';

const COLUMN_AXIS = 2;
/** Axis numbers of the columns of a vector; the kernel has four axes of its own. */
const FIRST_COLUMN = 4;
const VECTOR = 4;

/** Buffers that vectors of `width` neighbouring columns are stored to at once. */
export function vectorStores(schedule: Schedule, { stores, n }: MatmulKernel, width: number): ReadonlySet<BufferId> {
  if (width !== VECTOR || n % VECTOR !== 0) return new Set();
  const suits = stores.every(({ buffer, at }) => {
    const index = affine(at);
    const isOnly = stores.filter(store => store.buffer === buffer).length === 1;
    return isOnly && index !== undefined && isVector(schedule, buffer, index, COLUMN_AXIS);
  });
  return new Set(suits ? stores.map(store => store.buffer) : []);
}

/** Where the block may reach beyond the product: the sizes of the block, or undefined where each call is within. */
export interface Edges {
  readonly rows: number;
  readonly columns: number;
}

/** `fn finish(x0, x1, x2, r)`, for the `width` columns from `x2`; `toVectors` are the buffers of `vectorStores`. */
export function finishText(
  module: Module,
  kernel: MatmulKernel,
  width: number,
  edges: Edges | undefined,
  toVectors: ReadonlySet<BufferId>,
): string {
  const writer = scalarWriter(module);
  const { stores, n } = kernel;
  const lanes = [...Array(width).keys()];
  const ofLane = (s: Scalar, e: number) =>
    mapScalar(s, x =>
      x.kind === 'axis' && x.axis === COLUMN_AXIS
        ? axis(FIRST_COLUMN + e)
        : x.kind === 'reduced'
          ? reduced(e, x.type)
          : x,
    );
  const each = (e: number) =>
    stores.map(s =>
      storeText(module, s.buffer, writer.index(s.buffer, ofLane(s.at, e)), writer.write(ofLane(s.value, e))),
    );
  const lines = writer.nested(() => {
    for (const a of [0, 1]) writer.defineAxis(a, `x${a}`, [kernel.batch, kernel.m][a]);
    for (const e of lanes) {
      writer.line(`let column${e} = x2${e === 0 ? '' : ` + ${e}i`};`);
      writer.defineAxis(FIRST_COLUMN + e, `column${e}`, n);
      writer.defineSlot(e, component('r', e, width));
    }
    const mayOverhang = edges !== undefined && n % width !== 0;
    if (toVectors.size > 0) {
      const texts = stores.map(s => {
        const values = lanes.map(e => writer.write(ofLane(s.value, e)));
        return storeVectorText(module, s.buffer, writer.index(s.buffer, ofLane(s.at, 0)), values);
      });
      writer.line(...texts);
    } else if (!mayOverhang) writer.line(...lanes.flatMap(each));
    else
      for (const e of lanes)
        writer.line(`if (column${e} < ${n}i) {\n${indent(writer.nested(() => writer.line(...each(e))))}}`);
  });
  return functionText(kernel, width, edges, lines);
}

function functionText(
  { m, n }: MatmulKernel,
  width: number,
  edges: Edges | undefined,
  lines: readonly string[],
): string {
  const checks =
    edges === undefined
      ? []
      : [...(m % edges.rows === 0 ? [] : [`x1 >= ${m}i`]), ...(n % edges.columns === 0 ? [] : [`x2 >= ${n}i`])];
  return `fn finish(x0: i32, x1: i32, x2: i32, r: ${vectorType(width)}) {
${checks.length > 0 ? `  if (${checks.join(' || ')}) { return; }\n` : ''}${indent(lines)}}
`;
}

/** The same where the sums are partial: `x0` is the number of the batch and part, they go to the scratch buffer as [batch, part, m, n]. */
export function partialText(module: Module, kernel: MatmulKernel, width: number, edges: Edges): string {
  const { m, n } = kernel;
  const scratch = bindingName(module, 'scratch')!;
  const lines = Array.from({ length: width }, (_, e) => {
    const store = `${scratch}[(x0 * ${m}i + x1) * ${n}i + x2 + ${e}i] = ${component('r', e, width)};`;
    return n % width === 0 || e === 0 ? store : `if (x2 + ${e}i < ${n}i) { ${store} }`;
  });
  return functionText(kernel, width, edges, lines);
}

const SUM_THREADS = 64;

/** The second pass of a product whose depth is split: adds up the parts of each element in order. */
export function sumShader(schedule: Schedule, kernel: MatmulKernel, options: WgslOptions, parts: number): Shader {
  const { m, n, batch } = kernel;
  const none = constant(0, 'f32');
  const own = newModule(schedule, { ...kernel, a: none, b: none }, options);
  const module: Module = { ...own, bindings: [scratchBinding('read'), ...own.bindings] };
  const scratch = bindingName(module, 'scratch')!;
  const total = batch * m * n;
  const groups = Math.ceil(total / SUM_THREADS);
  const x = Math.min(groups, options.workgroupsPerAxis);
  const lines = [
    `let point = i32((group.x + group.y * ${x}u) * ${SUM_THREADS}u + lane);`,
    `if (point >= ${total}i) { return; }`,
    `let x0 = point / ${m * n}i;`,
    `let first = point + x0 * ${(parts - 1) * m * n}i;`,
    `var r = ${scratch}[first];`,
    `for (var s = 1i; s < ${parts}i; s++) { r += ${scratch}[first + s * ${m * n}i]; }`,
    `finish(x0, point / ${n}i % ${m}i, point % ${n}i, r);`,
  ];
  const finish = finishText(module, kernel, 1, undefined, new Set());
  const workgroups = [x, Math.ceil(groups / x), 1] as const;
  return finishShader(module, `${kernel.name} (sum of ${parts} parts)`, workgroups, SUM_THREADS, finish, indent(lines));
}
