/** Loop kernels in WGSL: a thread an outer point, or a workgroup an outer point that reduces through a tree in shared memory. */
import type { LoopKernel, Phase, Schedule } from '../../kernel/kernel.ts';
import { loadedBuffers } from '../../kernel/memory.ts';
import { quotientText, remainderText } from './division.ts';
import { layoutOf, product } from './layout.ts';
import { accumulate, type Combiner, combiner, declareSlot } from './reduce.ts';
import { indent, type ScalarWriter, scalarWriter } from './scalarWriter.ts';
import { finishShader, type Module, newModule, type Shader, storeText, type WgslOptions } from './shader.ts';

export function loopShader(schedule: Schedule, kernel: LoopKernel, options: WgslOptions): Shader {
  const module = newModule(schedule, kernel, options);
  const { threads, points, lanes } = layoutOf(kernel, options);
  const outer = product(kernel.axes);
  const groups = Math.ceil(outer / points);
  const x = Math.min(groups, options.workgroupsPerAxis);
  const writer = scalarWriter(module);
  const shared = lanes === 1 ? undefined : combiner(module, kernel, lanes, points);
  const row = writer.nested(() => writeRow(module, kernel, writer, { lanes, points, shared }));
  const number = `group.x + group.y * ${x}u`;
  const workgroups = [x, Math.ceil(groups / x), 1] as const;
  const lines = [...pointLines(number, outer, points, shared !== undefined), ...row];
  return finishShader(module, kernel.name, workgroups, threads, shared?.declarations() ?? '', indent(lines));
}

/** The threads of a workgroup: `lanes` for each of its `points`. */
interface Team {
  readonly lanes: number;
  readonly points: number;
  readonly shared: Combiner | undefined;
}

/** Declares `point`, of workgroup `number`. Threads beyond the last one leave, or, where others wait for them, do the last one again and store nothing. */
function pointLines(number: string, outer: number, points: number, areAwaited: boolean): readonly string[] {
  if (points === 1 || !areAwaited) {
    const point = points === 1 ? number : `(${number}) * ${points}u + lane`;
    return [`let point = i32(${point});`, `if (point >= ${outer}i) { return; }`];
  }
  return [
    `let first = i32(${number}) * ${points}i;`,
    `if (first >= ${outer}i) { return; }`,
    `let inside = first + i32(lane & ${points - 1}u) < ${outer}i;`,
    `let point = min(first + i32(lane & ${points - 1}u), ${outer - 1}i);`,
  ];
}

/** Declares the axes `first`… as the multi-index of the row-major number `flat`. */
export function defineAxes(
  { options: { software } }: Module,
  writer: ScalarWriter,
  sizes: readonly number[],
  first: number,
  flat: string,
): void {
  let rest = flat;
  let most = product(sizes) - 1;
  const names: string[] = [];
  for (let d = sizes.length - 1; d >= 0; d--) {
    const [name, quotient, size] = [`x${first + d}`, `q${first + d}`, sizes[d]!];
    names[d] = name;
    if (d > 0) writer.line(`let ${quotient} = ${quotientText(rest, size, { most, software })};`);
    const own = d === 0 ? rest : remainderText(rest, size, { most, software }, () => quotient);
    writer.line(`let ${name} = ${own};`);
    rest = quotient;
    most = Math.floor(most / size);
  }
  for (const [d, name] of names.entries()) writer.defineAxis(first + d, name, sizes[d]);
}

/** One outer point, whose inner axes its lanes share. */
function writeRow(module: Module, kernel: LoopKernel, writer: ScalarWriter, team: Team): void {
  defineAxes(module, writer, kernel.axes, 0, 'point');
  let slot = 0;
  for (const phase of kernel.phases) {
    if (phase.kind === 'store') {
      writeStores(module, kernel, writer, phase, team);
      continue;
    }
    const slots = phase.slots.map((s, n) => ({ ...s, number: slot + n, type: s.value.type }));
    slot += slots.length;
    for (const each of slots) writer.line(...declareSlot(module, each));
    walkInner(module, kernel, writer, team, () => {
      for (const each of slots) writer.line(accumulate(each, writer.write(each.value)));
    });
    writer.line(...(team.shared?.combine(slots) ?? []));
    for (const { number, reducer } of slots)
      writer.line(`let r${number} = ${reducer === 'argmax' ? 'i' : 'a'}${number};`);
    for (const { number } of slots) writer.defineSlot(number, `r${number}`);
  }
}

function walkInner(
  module: Module,
  kernel: LoopKernel,
  writer: ScalarWriter,
  { lanes, points }: Team,
  body: () => void,
): void {
  const lines = writer.nested(() => {
    defineAxes(module, writer, kernel.inner, kernel.axes.length, 'e');
    body();
  });
  const from = lanes === 1 ? '0i' : points === 1 ? 'i32(lane)' : `i32(lane >> ${Math.log2(points)}u)`;
  writer.line(`for (var e = ${from}; e < ${product(kernel.inner)}i; e += ${lanes}i) {\n${indent(lines)}}`);
}

/** All values first: a store may overwrite what another one reads. */
export function storeLines(module: Module, writer: ScalarWriter, phase: Extract<Phase, { kind: 'store' }>): string[] {
  return phase.stores.map(s => storeText(module, s.buffer, writer.index(s.buffer, s.at), writer.write(s.value)));
}

function writeStores(
  module: Module,
  kernel: LoopKernel,
  writer: ScalarWriter,
  phase: Extract<Phase, { kind: 'store' }>,
  team: Team,
): void {
  const store = () => writer.line(...storeLines(module, writer, phase));
  const { lanes, points } = team;
  if (lanes === 1) {
    if (phase.over === 'inner') walkInner(module, kernel, writer, team, store);
    else store();
    return;
  }
  const loaded = loadedBuffers(kernel);
  const block = writer.nested(phase.over === 'inner' ? () => walkInner(module, kernel, writer, team, store) : store);
  // Every lane reads counters and flags for its own elements before one lane overwrites them.
  if (phase.over === 'outer' && phase.stores.some(s => loaded.has(s.buffer)))
    writer.line('storageBarrier();', 'workgroupBarrier();');
  const conditions = [
    ...(phase.over === 'inner' ? [] : [points === 1 ? 'lane == 0u' : `lane < ${points}u`]),
    ...(points === 1 ? [] : ['inside']),
  ];
  writer.line(`${conditions.length > 0 ? `if (${conditions.join(' && ')}) ` : ''}{\n${indent(block)}}`);
}
