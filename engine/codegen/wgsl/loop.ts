/** Loop kernels in WGSL: a thread an outer point, or a workgroup an outer point that reduces through a tree in shared memory. */
import type { Reducer, ScalarType } from '../../ir/scalar.ts';
import type { LoopKernel, Phase, Schedule } from '../../kernel/kernel.ts';
import { loadedBuffers } from '../../kernel/memory.ts';
import { indent, type ScalarWriter, scalarWriter } from './scalarWriter.ts';
import { finishShader, literal, type Module, newModule, type Shader, storeText, type WgslOptions } from './shader.ts';

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
  const body = writer.nested(() => writeRow(module, kernel, writer, serial ? undefined : size));
  const across = serial ? `id.x + id.y * ${x * size}u` : `group.x + group.y * ${x}u`;
  const code = `${serial ? '' : sharedText(kernel, size)}@compute @workgroup_size(${size})
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let point = i32(${across});
  if (point >= ${outer}i) { return; }
${indent(body)}}
`;
  return finishShader(module, kernel.name, [x, Math.ceil(groups / x), 1], code);
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
function writeRow(module: Module, kernel: LoopKernel, writer: ScalarWriter, lanes: number | undefined): void {
  defineAxes(writer, kernel.axes, 0, 'point');
  let slot = 0;
  for (const phase of kernel.phases) {
    if (phase.kind === 'store') {
      writeStores(module, kernel, writer, phase, lanes);
      continue;
    }
    const slots = phase.slots.map((s, n) => ({ ...s, number: slot + n, type: s.value.type }));
    slot += slots.length;
    for (const { number, reducer, type } of slots) {
      writer.line(`var a${number}: ${type} = ${start(module, reducer, type)};`);
      if (reducer === 'argmax') writer.line(`var i${number}: i32 = 0i;`);
    }
    walkInner(kernel, writer, lanes, () => {
      for (const { number, reducer, value } of slots) writer.line(accumulate(reducer, number, writer.write(value)));
    });
    for (const { number, reducer, type } of slots) {
      if (lanes !== undefined) writer.line(treeText(reducer, type, number, lanes));
      writer.line(`let r${number} = ${reducer === 'argmax' ? 'i' : 'a'}${number};`);
    }
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
    const texts = phase.stores.map(s => storeText(module, s.buffer, writer.index(s.at), writer.write(s.value)));
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

function start(module: Module, reducer: Reducer, type: ScalarType): string {
  if (reducer === 'sum') return literal(module, type, 0);
  const lowest = reducer !== 'min';
  if (type === 'f32') return literal(module, 'f32', lowest ? -3.4028234663852886e38 : 3.4028234663852886e38);
  return literal(module, type, type === 'u32' ? (lowest ? 0 : 0xffffffff) : lowest ? -2147483648 : 2147483647);
}

function accumulate(reducer: Reducer, n: number, value: string): string {
  if (reducer === 'sum') return `a${n} += ${value};`;
  if (reducer === 'argmax') return `if (${value} > a${n}) { a${n} = ${value}; i${n} = e; }`;
  return `a${n} = ${reducer}(a${n}, ${value});`;
}

function sharedText(kernel: LoopKernel, size: number): string {
  const types = new Set(kernel.phases.flatMap(p => (p.kind === 'reduce' ? p.slots.map(s => s.value.type) : [])));
  if (kernel.phases.some(p => p.kind === 'reduce' && p.slots.some(s => s.reducer === 'argmax'))) types.add('i32');
  return (
    [...types].map(type => `var<workgroup> shared_${type}: array<${type}, ${size}>;\n`).join('') +
    argmaxShared(kernel, size)
  );
}

/** argmax keeps values and positions apart, in arrays of their own. */
function argmaxShared(kernel: LoopKernel, size: number): string {
  const found = kernel.phases.some(p => p.kind === 'reduce' && p.slots.some(s => s.reducer === 'argmax'));
  return found ? `var<workgroup> shared_position: array<i32, ${size}>;\n` : '';
}

/** Combines the lanes' accumulators; afterwards every lane holds the result. The order is fixed, so the bits are. */
function treeText(reducer: Reducer, type: ScalarType, n: number, lanes: number): string {
  const shared = `shared_${type}`;
  const positions = reducer === 'argmax';
  const [mine, theirs] = [`${shared}[lane]`, `${shared}[lane + half]`];
  // The first of equals wins, wherever its lane is.
  const better = `${theirs} > ${mine} || (${theirs} == ${mine} && shared_position[lane + half] < shared_position[lane])`;
  const step = positions
    ? `if (${better}) { ${mine} = ${theirs}; shared_position[lane] = shared_position[lane + half]; }`
    : reducer === 'sum'
      ? `${mine} += ${theirs};`
      : `${mine} = ${reducer}(${mine}, ${theirs});`;
  return `workgroupBarrier();
${mine} = a${n};${positions ? `\nshared_position[lane] = i${n};` : ''}
workgroupBarrier();
for (var half = ${lanes / 2}u; half > 0u; half /= 2u) {
  if (lane < half) { ${step} }
  workgroupBarrier();
}
a${n} = ${shared}[0];${positions ? `\ni${n} = shared_position[0];` : ''}`;
}
