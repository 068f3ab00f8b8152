/** Scatter kernels in WGSL: each element of the result adds up its own updates, in order, so that the bits are the same every time. */
import type { ScatterKernel, Schedule } from '../../kernel/kernel.ts';
import { rowIndex } from '../../kernel/rows.ts';
import { constant } from '../../kernel/scalar.ts';
import { quotientText, remainderText } from './division.ts';
import { product } from './layout.ts';
import { defineAxes } from './loop.ts';
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
      const size = kernel.axes[last]!;
      const element = { most: length - 1, software: options.software };
      writer.line(`let own = ${quotientText('element', size, element)};`);
      writer.line(`let x${last} = ${remainderText('element', size, element, () => 'own')};`);
      writer.defineAxis(last, `x${last}`, kernel.axes[last]);
    } else writer.line('let own = element;');
    writer.line('var total = 0f;');
    const loop = writer.nested(() => {
      defineAxes(module, writer, walked, 0, 'e');
      const target = writer.write(rows ?? kernel.at);
      const add = writer.nested(() => writer.line(`total += ${writer.write(kernel.value)};`));
      writer.line(`if (${target} == own) {\n${indent(add)}}`);
    });
    writer.line(`for (var e = 0i; e < ${product(walked)}i; e++) {\n${indent(loop)}}`);
    writer.line(storeText(module, kernel.buffer, `element + ${writer.index(kernel.buffer, constant(0))}`, 'total'));
  });
  const lines = [
    `let element = i32((group.x + group.y * ${x}u) * ${SIZE}u + lane);`,
    `if (element >= ${length}i) { return; }`,
    ...body,
  ];
  return finishShader(module, kernel.name, [x, Math.ceil(groups / x), 1], SIZE, '', indent(lines));
}
