/** Loop kernels in WGSL: a thread an outer point, or a workgroup an outer point that reduces through a tree in shared memory. */
import type { LoopKernel, Phase, Schedule } from '../../kernel/kernel.ts';
import { loadedBuffers } from '../../kernel/memory.ts';
import { accumulate, type Combiner, combiner, declareSlot } from './reduce.ts';
import { indent, type ScalarWriter, scalarWriter } from './scalarWriter.ts';
import { finishShader, type Module, newModule, type Shader, storeText, type WgslOptions } from './shader.ts';

/** Rows no longer than this are walked by one thread, … */
const SHORT_ROW = 64;
/** … and longer ones too, where there are rows enough to fill a device. */
const MANY_ROWS = 16384;

export function loopShader(schedule: Schedule, kernel: LoopKernel, options: WgslOptions): Shader {
  const module = newModule(schedule, kernel, options);
  const outer = product(kernel.axes);
  const inner = product(kernel.inner);
  const serial = kernel.inner.length === 0 || inner <= SHORT_ROW || (outer >= MANY_ROWS && inner <= SHORT_ROW * 16);
  const size = serial ? 64 : Math.min(2 ** Math.floor(Math.log2(options.workgroupSize)), inner >= 4096 ? 1024 : 256);
  const groups = serial ? Math.ceil(outer / size) : outer;
  const x = Math.min(groups, options.workgroupsPerAxis);
  const writer = scalarWriter(module);
  const shared = serial ? undefined : combiner(module, kernel, size);
  const body = writer.nested(() => writeRow(module, kernel, writer, serial ? undefined : size, shared));
  const number = `group.x + group.y * ${x}u`;
  const lines = [
    `let point = i32(${serial ? `(${number}) * ${size}u + lane` : number});`,
    `if (point >= ${outer}i) { return; }`,
    ...body,
  ];
  const workgroups = [x, Math.ceil(groups / x), 1] as const;
  return finishShader(module, kernel.name, workgroups, size, shared?.declarations() ?? '', indent(lines));
}

export const product = (sizes: readonly number[]): number => sizes.reduce((a, b) => a * b, 1);

/** Declares the axes `first`… as the multi-index of the row-major number `flat`. */
export function defineAxes(writer: ScalarWriter, sizes: readonly number[], first: number, flat: string): void {
  let rest = flat;
  const names: string[] = [];
  for (let d = sizes.length - 1; d >= 0; d--) {
    const name = `x${first + d}`;
    names[d] = name;
    writer.line(`let ${name} = ${d === 0 ? rest : `${rest} % ${sizes[d]}i`};`);
    if (d > 0) {
      writer.line(`let q${first + d} = ${rest} / ${sizes[d]}i;`);
      rest = `q${first + d}`;
    }
  }
  for (const [d, name] of names.entries()) writer.defineAxis(first + d, name);
}

/** One outer point. `lanes` threads share its inner axes, or one thread walks them. */
function writeRow(
  module: Module,
  kernel: LoopKernel,
  writer: ScalarWriter,
  lanes: number | undefined,
  shared: Combiner | undefined,
): void {
  defineAxes(writer, kernel.axes, 0, 'point');
  let slot = 0;
  for (const phase of kernel.phases) {
    if (phase.kind === 'store') {
      writeStores(module, kernel, writer, phase, lanes);
      continue;
    }
    const slots = phase.slots.map((s, n) => ({ ...s, number: slot + n, type: s.value.type }));
    slot += slots.length;
    for (const each of slots) writer.line(...declareSlot(module, each));
    walkInner(kernel, writer, lanes, () => {
      for (const each of slots) writer.line(accumulate(each, writer.write(each.value)));
    });
    writer.line(...(shared?.combine(slots) ?? []));
    for (const { number, reducer } of slots)
      writer.line(`let r${number} = ${reducer === 'argmax' ? 'i' : 'a'}${number};`);
    for (const { number } of slots) writer.defineSlot(number, `r${number}`);
  }
}

function walkInner(kernel: LoopKernel, writer: ScalarWriter, lanes: number | undefined, body: () => void): void {
  const lines = writer.nested(() => {
    defineAxes(writer, kernel.inner, kernel.axes.length, 'e');
    body();
  });
  const [from, step] = lanes === undefined ? ['0i', '1i'] : ['i32(lane)', `${lanes}i`];
  writer.line(`for (var e = ${from}; e < ${product(kernel.inner)}i; e += ${step}) {\n${indent(lines)}}`);
}

function writeStores(
  module: Module,
  kernel: LoopKernel,
  writer: ScalarWriter,
  phase: Extract<Phase, { kind: 'store' }>,
  lanes: number | undefined,
): void {
  const store = () => {
    // All values first: a store may overwrite what another one reads.
    const texts = phase.stores.map(s =>
      storeText(module, s.buffer, writer.index(s.buffer, s.at), writer.write(s.value)),
    );
    writer.line(...texts);
  };
  if (phase.over === 'inner') walkInner(kernel, writer, lanes, store);
  else if (lanes === undefined) store();
  else {
    const block = `if (lane == 0u) {\n${indent(writer.nested(store))}}`;
    // Every lane reads counters and flags for its own elements before one lane overwrites them.
    const loaded = loadedBuffers(kernel);
    if (phase.stores.some(s => loaded.has(s.buffer))) writer.line('storageBarrier();', 'workgroupBarrier();');
    writer.line(block);
  }
}
