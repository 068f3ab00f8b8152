/** Scatter kernels in WGSL: each element of the result adds up its own updates, in order, so that the bits are the same every time. */
import type { Scalar } from '../../ir/scalar.ts';
import type { ScatterKernel, Schedule } from '../../kernel/kernel.ts';
import { linear } from '../../kernel/scalar.ts';
import { fromLinear } from '../../kernel/simplify.ts';
import { defineAxes, product } from './loop.ts';
import { indent, scalarWriter } from './scalarWriter.ts';
import { finishShader, newModule, type Shader, storeText, type WgslOptions } from './shader.ts';

const SIZE = 64;

/**
 * Where the index is `row(other axes) * n + last axis`, an element knows its place on the last axis (of size n) and compares rows;
 * otherwise it looks at every update.
 */
export function scatterShader(schedule: Schedule, kernel: ScatterKernel, options: WgslOptions): Shader {
  const module = newModule(schedule, kernel, options);
  const { length } = schedule.buffers[kernel.buffer]!;
  const groups = Math.ceil(length / SIZE);
  const x = Math.min(groups, options.workgroupsPerAxis);
  const writer = scalarWriter(module);
  const rows = rowIndex(kernel);
  const body = writer.nested(() => {
    const last = kernel.axes.length - 1;
    const walked = rows ? kernel.axes.slice(0, -1) : kernel.axes;
    if (rows) {
      writer.line(`let own = element / ${kernel.axes[last]}i;`, `let x${last} = element % ${kernel.axes[last]}i;`);
      writer.defineAxis(last, `x${last}`);
    } else writer.line('let own = element;');
    writer.line('var total = 0f;');
    const loop = writer.nested(() => {
      defineAxes(writer, walked, 0, 'e');
      const target = writer.write(rows ?? kernel.at);
      const add = writer.nested(() => writer.line(`total += ${writer.write(kernel.value)};`));
      writer.line(`if (${target} == own) {\n${indent(add)}}`);
    });
    writer.line(`for (var e = 0i; e < ${product(walked)}i; e++) {\n${indent(loop)}}`);
    writer.line(storeText(module, kernel.buffer, 'element', 'total'));
  });
  const code = `@compute @workgroup_size(${SIZE})
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let element = i32(id.x + id.y * ${x * SIZE}u);
  if (element >= ${length}i) { return; }
${indent(body)}}
`;
  return finishShader(module, kernel.name, [x, Math.ceil(groups / x), 1], code);
}

/** The factor of the last axis' size in the index, where the rest is the last axis itself. */
function rowIndex({ at, axes }: ScatterKernel): Scalar | undefined {
  const last = axes.length - 1;
  const size = axes[last];
  if (size === undefined) return undefined;
  const { offset, terms } = linear(at);
  if (offset !== 0) return undefined;
  const row = new Map<Scalar, number>();
  let unit = false;
  for (const [atom, factor] of terms) {
    if (atom.kind === 'axis' && atom.axis === last) unit = factor === 1;
    else if (factor % size === 0 && !mentions(atom, last)) row.set(atom, factor / size);
    else return undefined;
  }
  return unit ? fromLinear({ offset: 0, terms: row }) : undefined;
}

function mentions(s: Scalar, axis: number): boolean {
  if (s.kind === 'axis') return s.axis === axis;
  return s.kind === 'apply' ? s.args.some(a => mentions(a, axis)) : s.kind === 'load' && mentions(s.at, axis);
}
